"""What is kept of a case, and how it becomes JSON and again a value.  Pure: no files, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from benchmarks.figures import Result

OURS: Final = "proto"
"""What the names of our own contestants begin with, if they are not the first of their case."""


class ResultsUnreadable(Exception):
    """The text is not what `encoded` makes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One case, measured once.

    benchmark  what `python -m benchmarks` calls it
    date       when the last round was over: 2026-11-21 20:52 UTC
    facts      the machine, the versions and the rounds, and `date`: when the whole run began
    """

    benchmark: str
    title: str
    unit: str
    results: Mapping[str, Result]
    date: str
    facts: Mapping[str, str]
    remarks: tuple[str, ...] = ()
    beside: tuple[str, ...] | None = None

    @property
    def first(self) -> Result:
        """What the first contestant, which is ours, achieved."""
        return next(iter(self.results.values()))

    @property
    def less(self) -> bool:
        """Whether less of the unit is better."""
        return any(not isinstance(each, str) and each.less for each in self.results.values())

    def is_ours(self, name: str) -> bool:
        """Whether a contestant is one of our own services."""
        return name == next(iter(self.results)) or name.startswith(OURS)

    def failures(self) -> list[str]:
        """Those of ours that failed, each with the reason."""
        return [
            f"{name}: {result}"
            for name, result in self.results.items()
            if self.is_ours(name) and isinstance(result, str)
        ]


def by_name(facts: str) -> dict[str, str]:
    """Lines like `python    CPython 3.11.2`, by their first word."""
    pairs = (line.split(maxsplit=1) for line in facts.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def merged(old: Sequence[Entry], new: Sequence[Entry], order: Sequence[str]) -> list[Entry]:
    """The new entries, and the old ones of the benchmarks that were not run again; in the order of
    the benchmarks, those left out that are no longer in it."""
    again = {entry.benchmark for entry in new}
    kept = [entry for entry in old if entry.benchmark not in again]
    known = [entry for entry in [*kept, *new] if entry.benchmark in order]
    return sorted(known, key=lambda entry: order.index(entry.benchmark))


def encoded(entries: Sequence[Entry]) -> str:
    """JSON, a value a line, so that a difference of two versions can be read."""
    text = msgspec.json.encode(entries)
    # Once more, or a whole number that stands for a float would be written as one the next time.
    again = msgspec.json.encode(decoded(text))
    return msgspec.json.format(again, indent=1).decode() + "\n"


def decoded(text: str | bytes) -> list[Entry]:
    """The entries that were encoded; raises ResultsUnreadable."""
    try:
        entries = msgspec.json.decode(text, type=list[Entry])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultsUnreadable(str(error)) from error
    if any(not entry.results for entry in entries):
        raise ResultsUnreadable("there is a case without contestants")
    return entries
