"""Dropping what is too old or too much, a little at a time.  Knows no database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proto.chat.history import SESSIONS
from proto.storage.store import Writing

BITE: Final = 1000
"""Lines that one transaction drops at most: so long, and no longer, others wait."""
EVERY: Final = 60.0
"""Seconds between two looks over all the rooms."""
DAY: Final = 86_400.0
_NEVER: Final = 0


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept; 0 of lines, days or rooms is no limit.

    Of more than `rooms` rooms, those that have been quiet the longest lose everything.
    """

    lines: int = 100_000
    days: float = 0.0
    rooms: int = 10_000
    sessions: int = SESSIONS
    session_days: float = 1.0


class Pruning:
    """What is to be dropped; `bite` drops some of it."""

    def __init__(self, keep: Keep, now: Callable[[], float]) -> None:
        """`now` returns seconds since 1970."""
        self._keep = keep
        self._now = now
        self._step = max(1, keep.lines // 100)
        self._due: dict[str, int] = {}
        """The newest numbers of rooms that have too much, or too old."""
        self._quiet: dict[str, int] = {}
        """The same, of rooms that lose everything."""
        self._next = 0.0

    def grown(self, room: str, before: int, newest: int) -> None:
        """The room has more lines than before."""
        if self._keep.lines and newest // self._step != before // self._step:
            self._due[room] = newest

    def pending(self) -> bool:
        """There is something to drop at once."""
        return bool(self._due or self._quiet)

    def sweeping(self) -> bool:
        """It is time to look over all the rooms."""
        return not -EVERY <= self._now() - self._next < 0  # the clock may have been set back

    def bite(self, writing: Writing) -> bool:
        """Drop at most `BITE` lines, or look for what to drop; whether there was anything to do."""
        if self._due:
            room, newest = next(iter(self._due.items()))
            below = newest - self._keep.lines + 1 if self._keep.lines else 0
            if writing.trim(room, below, self._older(self._keep.days), BITE) == 0:
                del self._due[room]
        elif self._quiet:
            room, newest = next(iter(self._quiet.items()))
            if writing.trim(room, newest + 1, _NEVER, BITE) == 0:
                writing.forget(room, newest)
                del self._quiet[room]
        elif self.sweeping():
            self._next = self._now() + EVERY
            self._sweep(writing)
        else:
            return False
        return True

    def _sweep(self, writing: Writing) -> None:
        keep = self._keep
        if keep.lines or keep.days:
            self._due.update(writing.overdue(keep.lines, self._older(keep.days)))
        if keep.rooms:
            self._quiet.update(writing.quiet(keep.rooms))
        writing.forget_sessions(keep.sessions, self._older(keep.session_days))

    def _older(self, days: float) -> int:
        """What is before that is too old, in milliseconds since 1970."""
        return int((self._now() - days * DAY) * 1000) if days else _NEVER
