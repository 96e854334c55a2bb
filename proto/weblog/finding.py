"""What is looked for in a log, and which lines of a block are that.  Plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from proto.weblog.reading import Block, Stamp

SKEW: Final = 60.0
"""Seconds that lines may be out of order, as when the clock was set back."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Lines that hold a text, from `since` to `until`, in seconds since the epoch; so many."""

    text: bytes = b""
    since: float | None = None
    until: float | None = None
    limit: int = 100


def found_in(block: Block, wanted: Wanted, stamp: Stamp | None) -> Iterator[tuple[int, bytes]]:
    """The lines of the block that are wanted, newest first: where they begin, and without LF.

    A line that does not tell its time is taken to be from the right one.
    """
    lines = _with(block[1], wanted.text) if wanted.text else _all(block[1])
    for begin, line in lines:
        if stamp is None or _is_in_time(stamp(line), wanted):
            yield block[0] + begin, line


def is_older(block: Block, wanted: Wanted, stamp: Stamp | None) -> bool:
    """Whether no line before the block can be wanted, going by the times of lines."""
    if stamp is None or wanted.since is None:
        return False
    time = stamp(block[1])
    return time is not None and time < wanted.since - SKEW


def is_newer(block: Block, wanted: Wanted, stamp: Stamp | None) -> bool:
    """Whether no line after the beginning of the block can be wanted."""
    if stamp is None or wanted.until is None:
        return False
    time = stamp(block[1])
    return time is not None and time > wanted.until + SKEW


def _is_in_time(time: float | None, wanted: Wanted) -> bool:
    if time is None:
        return True
    return (wanted.since is None or time >= wanted.since) and (
        wanted.until is None or time <= wanted.until
    )


def _all(text: bytes) -> Iterator[tuple[int, bytes]]:
    end = len(text) - 1
    while end >= 0:
        begin = text.rfind(b"\n", 0, end) + 1
        yield begin, text[begin:end]
        end = begin - 1


def _with(text: bytes, words: bytes) -> Iterator[tuple[int, bytes]]:
    """Only `find` is used: unlike `rfind` it is quick whatever is looked for."""
    found = []
    at = text.find(words)
    while at >= 0:
        begin = text.rfind(b"\n", 0, at) + 1
        end = text.index(b"\n", at)
        found.append((begin, end))
        at = text.find(words, end)
    for begin, end in reversed(found):
        yield begin, text[begin:end]
