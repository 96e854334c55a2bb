"""The log that a room writes to before anyone hears.  No sockets, no disk.

A `History` may answer late and in batches, but always in the order in which it was asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeAlias

from proto.chat.events import Spoken
from proto.errors import PeerError

KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Stored:
    """Something said, and its place in its room: 1 for the first line ever said there."""

    sequence: int
    event: Spoken


StoredCallback: TypeAlias = Callable[[Stored], None]
RefusedCallback: TypeAlias = Callable[[PeerError], None]
LinesCallback: TypeAlias = Callable[[Sequence[Stored]], None]


class History(Protocol):
    """Where lines are kept.  Each call is answered by exactly one callback, now or later."""

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Store one event; `stored` promises that it survives, `refused` that it is not there."""
        ...

    def last(self, room: str, count: int, then: LinesCallback) -> None:
        """The newest `count` lines, oldest first; none when the log cannot be read."""
        ...

    def vacated(self, room: str) -> None:
        """The room is empty and gone; a log that is meant to last takes no notice."""
        ...


class MemoryHistory:
    """Keeps the newest lines of each room that somebody is in; answers at once."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._rooms: dict[str, deque[Stored]] = {}

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Keep the event; memory never refuses."""
        lines = self._rooms.setdefault(room, deque(maxlen=self._kept))
        line = Stored(lines[-1].sequence + 1 if lines else 1, event)
        lines.append(line)
        stored(line)

    def last(self, room: str, count: int, then: LinesCallback) -> None:
        """Answer with the newest lines."""
        lines = self._rooms.get(room, ())
        then(tuple(lines)[max(0, len(lines) - count) :])

    def vacated(self, room: str) -> None:
        """Forget the room's lines, so that memory is bounded by the rooms people are in."""
        self._rooms.pop(room, None)


class TimedHistory:
    """Another history, whose time from asking to storing is observed in seconds."""

    def __init__(
        self,
        history: History,
        seconds: Callable[[], float],
        observe: Callable[[float], object],
    ) -> None:
        self._history = history
        self._seconds = seconds
        self._observe = observe
        self.last = history.last
        self.vacated = history.vacated

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Store it, and observe how long that took."""
        asked = self._seconds()
        self._history.append(room, event, partial(self._stored, asked, stored), refused)

    def _stored(self, asked: float, stored: StoredCallback, line: Stored) -> None:
        self._observe(self._seconds() - asked)
        stored(line)


class CopiedHistory:
    """Another history; whatever is stored there is copied, before anybody hears it."""

    def __init__(self, history: History, copy: Callable[[str, Spoken], None]) -> None:
        """`copy` takes the room and what was said there."""
        self._history = history
        self._copy = copy
        self.last = history.last
        self.vacated = history.vacated

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Store it, and copy it when that is done."""
        self._history.append(room, event, partial(self._stored, room, stored), refused)

    def _stored(self, room: str, stored: StoredCallback, line: Stored) -> None:
        self._copy(room, line.event)
        stored(line)
