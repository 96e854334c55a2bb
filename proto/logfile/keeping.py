"""Which segments a log has, and which are kept.  Knows names, sizes and ages; reads no records.

A segment is NAME.20261121T173000Z.000001, and compressed it ends in .gz or .zst: the second in UTC
when it was ended, and a number that grows by one with each.  It is the number that orders them, so
that a clock that is set back does no harm.  NAME.*.unsynced and NAME.torn come from a failing disk
and from a crash, not from peers.  They are left for somebody to look at: only who removes them
knows that nothing in them is needed any more, and they count for no limit.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from proto.logfile.filesystem import Folder

FRESH: Final = ".fresh"
"""Ends the name of a file that is about to become the log."""
TORN: Final = ".torn"
UNSYNCED: Final = ".unsynced"
PART: Final = ".part"
"""Ends the name of a compressed segment that is being written."""

_STAMP: Final = "%Y%m%dT%H%M%SZ"
_REST: Final = re.compile(
    r"\.([0-9]{8}T[0-9]{6}Z)\.([0-9]{6,18})(\.gz|\.zst|\.gz\.part|\.zst\.part|\.unsynced|)"
)
_KEPT: Final = frozenset({"", ".gz", ".zst"})


@dataclass(frozen=True, slots=True)
class Rules:
    """When a log begins a new file, and how long the old ones stay; None for never and for ever."""

    rotate_bytes: int | None = None
    rotate_seconds: float | None = None
    """A file ends at each whole multiple of this since the epoch, in UTC: 86400 is midnight."""
    keep_count: int | None = None
    keep_seconds: float | None = None
    """Counted from when a segment was ended."""
    keep_bytes: int | None = None
    """Of all segments together, without the file that grows."""
    compress: Literal["gzip", "zstd"] | None = None
    retains: bool = True
    """Whether records are remembered until they are synced, to be written again if that fails."""


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a segment, taken apart."""

    text: str
    stamp: str
    number: int
    ending: str
    """Empty, .gz or .zst; with .part behind it while it is written; or .unsynced."""

    @property
    def ended(self) -> float:
        """When, in seconds since the epoch."""
        try:
            return float(calendar.timegm(time.strptime(self.stamp, _STAMP)))
        except ValueError:  # the 31st of June
            return 0.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A segment that is there, and its size in bytes."""

    name: Name
    size: int


def parse(log: str, text: str) -> Name | None:
    """Take the name of a segment of the log of that name apart; None if it is something else."""
    if not text.startswith(log):
        return None
    found = _REST.fullmatch(text, len(log))
    return Name(text, found[1], int(found[2]), found[3]) if found else None


def segment_name(log: str, now: float, number: int, ending: str = "") -> str:
    """The name of the segment that is ended now; `now` is UTC, in seconds since the epoch."""
    return f"{log}.{time.strftime(_STAMP, time.gmtime(now))}.{number:06d}{ending}"


def names_of(folder: Folder, log: str) -> list[Name]:
    """All that belongs to a log but for the file that grows; oldest first."""
    found = [name for name in (parse(log, text) for text in folder.names()) if name]
    return sorted(found, key=lambda name: (name.number, name.stamp, name.ending))


def segments(folder: Folder, log: str) -> list[Kept]:
    """The segments of a log, oldest first, without the file that grows; OSError."""
    kept = []
    for name in names_of(folder, log):
        if name.ending in _KEPT:
            try:
                status = folder.status(name.text)
            except FileNotFoundError:  # it was compressed or removed just now
                continue
            if status.regular:
                kept.append(Kept(name, status.size))
    return kept


def surplus(kept: Sequence[Kept], rules: Rules, now: float) -> list[Kept]:
    """Those of the segments, given oldest first, that are not kept."""
    total = sum(each.size for each in kept)
    count = len({each.name.number for each in kept})
    gone: list[Kept] = []
    for each in kept:
        too_many = rules.keep_count is not None and count > rules.keep_count
        too_large = rules.keep_bytes is not None and total > rules.keep_bytes
        too_old = rules.keep_seconds is not None and now - each.name.ended > rules.keep_seconds
        again = bool(gone) and gone[-1].name.number == each.name.number
        if not (too_many or too_large or too_old or again):
            break
        count -= not again
        total -= each.size
        gone.append(each)
    return gone


def prune(folder: Folder, log: str, rules: Rules, now: float) -> list[str]:
    """Remove the segments that are not kept, and return their names; OSError."""
    if rules.keep_count is rules.keep_seconds is rules.keep_bytes is None:
        return []
    gone = [each.name.text for each in surplus(segments(folder, log), rules, now)]
    remove(folder, gone)
    return gone


def remove(folder: Folder, names: Iterable[str]) -> None:
    """Remove files that may be gone already; OSError."""
    for name in names:
        try:
            folder.unlink(name)
        except FileNotFoundError:
            continue
