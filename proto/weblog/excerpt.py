"""Which lines of much that came are shown, in a bounded time; the others are only counted.

A view is what some readers of the live tail want to see: all lines, those that hold a text, those
of one file.  Knows neither clocks nor connections.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeAlias

import msgspec

from proto.weblog.shown import shown

LINES: Final = 200
"""Lines that are shown of one batch, in all views together."""
SIZE: Final = 64 * 1024
"""Bytes of them."""
SCAN: Final = 1024 * 1024
"""Bytes of a batch that are looked at for a text, for all views together."""
LONGEST: Final = 4096
"""Bytes that are shown of one line."""
ENOUGH: Final = 200
"""A line that would be cut to less is not shown."""

_Run: TypeAlias = tuple[str, bytes, int]
"""A file's name, records that came in a row, and how many."""


@dataclass(frozen=True, slots=True)
class View:
    """What somebody wants to see: lines that hold `text`; with a name, lines of that file only."""

    text: bytes = b""
    name: str | None = None


@dataclass(slots=True)
class Allowance:
    """What may still be done for the views of one batch."""

    lines: int = LINES
    size: int = SIZE
    scan: int = SCAN

    def share(self, among: int) -> Allowance:
        """An equal part for one of so many."""
        return Allowance(self.lines // among, self.size // among, self.scan // among)

    def spend(self, part: Allowance, rest: Allowance) -> None:
        """Of that part so much is left over, and is there for others."""
        self.lines -= part.lines - rest.lines
        self.size -= part.size - rest.size
        self.scan -= part.scan - rest.scan


class Batch:
    """What came since the last one; of much only the newest is kept, but all is counted."""

    def __init__(self, kept: int = SIZE) -> None:
        """Of `kept` bytes or more the oldest are forgotten, but for what came with them."""
        self.kept = kept
        self._came: dict[str, int] = {}
        self._held: deque[_Run] = deque()
        self._size = 0
        self._runs: list[_Run] = []
        self._runs_of: dict[str, list[_Run]] = {}

    def add(self, name: str, records: bytes, lines: int) -> None:
        """So many records of a file, each ending in LF, none empty; costs little, however many."""
        self._came[name] = self._came.get(name, 0) + lines
        held = self._held
        held.append((name, records, lines))
        self._size += len(records)
        while self._size - len(held[0][1]) >= self.kept:
            self._size -= len(held.popleft()[1])

    def gather(self) -> None:
        """Join what came in a row for one file, once for all views; nothing comes afterwards."""
        for name, run in groupby(self._held, lambda each: each[0]):
            portions = list(run)
            records = b"".join(portion[1] for portion in portions)
            joined = (name, records, sum(portion[2] for portion in portions))
            self._runs.append(joined)
            self._runs_of.setdefault(name, []).append(joined)
        self._held.clear()

    def came(self, view: View) -> int:
        """How many lines came of which the view may show some."""
        return sum(self._came.values()) if view.name is None else self._came.get(view.name, 0)

    def excerpt(self, view: View, allowance: Allowance) -> tuple[bytes, int]:
        """Events for what the view shows, oldest first, and how many lines nobody answers for:
        they are neither shown nor known not to hold the text.  Takes from the allowance."""
        chosen = self._found(view, allowance) if view.text else self._newest(view, allowance)
        events = []
        for name, record, most in chosen.lines:
            line = shown(record, most)
            if name:
                line["name"] = name
            events.append(b"event: line\ndata: %b\n\n" % msgspec.json.encode(line))
        return b"".join(events), self.came(view) - chosen.answered

    def _of(self, view: View) -> Iterable[_Run]:
        """What is held for a view, newest first."""
        runs = self._runs if view.name is None else self._runs_of.get(view.name, [])
        return reversed(runs)

    def _newest(self, view: View, allowance: Allowance) -> _Chosen:
        chosen = _Chosen(allowance)
        for name, records, _ in self._of(view):
            end = len(records) - 1
            while end >= 0:
                begin = records.rfind(b"\n", 0, end) + 1
                if not chosen.add(name, records[begin:end]):
                    chosen.lines.reverse()
                    return chosen
                chosen.answered += 1
                end = begin - 1
        chosen.lines.reverse()
        return chosen

    def _found(self, view: View, allowance: Allowance) -> _Chosen:
        """Oldest first within the newest part that may be looked at.

        Only `find` is used: unlike `rfind` it is quick whatever is looked for.
        """
        looked_at: list[_Run] = []
        for name, records, lines in self._of(view):
            if len(records) > allowance.scan:
                at = records.find(b"\n", len(records) - allowance.scan - 1) + 1
                records = records[at:]
                lines = records.count(b"\n")
                allowance.scan = len(records)
            if records:
                looked_at.append((name, records, lines))
            allowance.scan -= len(records)
            if allowance.scan <= 0:
                break
        chosen = _Chosen(allowance)
        for name, records, lines in reversed(looked_at):
            at = _find_in(chosen, name, records, view.text)
            if at < 0:
                chosen.answered += lines
            else:
                chosen.answered += records.count(b"\n", 0, at)
                break
        return chosen


class _Chosen:
    """The lines that are shown, with how many bytes of each."""

    def __init__(self, allowance: Allowance) -> None:
        self.lines: list[tuple[str, bytes, int]] = []
        self.answered = 0
        self._allowance = allowance

    def add(self, name: str, record: bytes) -> bool:
        """Show that one; False when nothing more can be shown."""
        allowance = self._allowance
        if allowance.lines <= 0 or allowance.size < min(len(record) + 1, ENOUGH):
            return False
        most = min(LONGEST, allowance.size)
        allowance.lines -= 1
        allowance.size -= min(most, len(record) + 1)
        self.lines.append((name, record, most))
        return True


def _find_in(chosen: _Chosen, name: str, records: bytes, text: bytes) -> int:
    """Choose the records that hold the text; the result is where it had to stop, or -1."""
    at = records.find(text)
    while at >= 0:
        begin = records.rfind(b"\n", 0, at) + 1
        end = records.index(b"\n", at)
        if not chosen.add(name, records[begin:end]):
            return begin
        at = records.find(text, end)
    return -1
