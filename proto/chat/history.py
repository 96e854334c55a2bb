"""The log that a room writes to before anyone hears.  No sockets, no disk.

A `History` may answer late and in batches.  Appending, `recent` and sessions are answered in the
order in which they were asked; `read` and `search` whenever they are done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeAlias

from proto.chat.events import Spoken, Stored, TopicSet
from proto.errors import PeerError

KEPT: Final = 100
"""Lines of each room that memory keeps."""
SESSIONS: Final = 10_000
"""Sessions that are remembered; of more, those that ended first are forgotten."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which lines of a room: at most `count` of them, and no more than `size` bytes of text.

    They are the oldest above `after`, or, when that is None, the newest below `before`; None there
    is the end.  One line is given even if it alone has more bytes than `size`.
    """

    count: int
    before: int | None = None
    after: int | None = None
    size: int = 1 << 17


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a room, oldest first; `more` when the span was too short for what there is.

    The others come after these when they were asked for from `after` on, or else before.
    """

    lines: tuple[Stored, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Recent:
    """How a room stands: its last lines, the number of the newest (0 for none), its topic."""

    lines: tuple[Stored, ...] = ()
    newest: int = 0
    topic: TopicSet | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Where somebody was who may come back with a token.

    `digest` is the SHA-256 of the token, which nobody stores; `room` is the room's name, and
    `sequence` the number of the last line of it that they were sent; `at` is when that was, in
    milliseconds since 1970.
    """

    digest: bytes
    name: str
    room: str
    sequence: int
    at: int


StoredCallback: TypeAlias = Callable[[Stored], None]
RefusedCallback: TypeAlias = Callable[[PeerError], None]
RecentCallback: TypeAlias = Callable[[Recent], None]
LinesCallback: TypeAlias = Callable[[Lines], None]
SessionCallback: TypeAlias = Callable[[Session | None], None]


class History(Protocol):
    """Where lines are kept.  Each question is answered by exactly one callback, now or later."""

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Store one event; `stored` promises that it survives, `refused` that it is not there.

        A `TopicSet` is a line like any other, and `recent` tells it from then on.
        """
        ...

    def recent(self, room: str, count: int, then: RecentCallback, refused: RefusedCallback) -> None:
        """How the room stands, with its newest `count` lines within the bytes of a `Span`."""
        ...

    def read(self, room: str, span: Span, then: LinesCallback, refused: RefusedCallback) -> None:
        """Some lines of the room."""
        ...

    def search(
        self, room: str, words: str, span: Span, then: LinesCallback, refused: RefusedCallback
    ) -> None:
        """Lines of the room in which every one of the words is, in any order, case and accent.

        The words are plain text, without any syntax.
        """
        ...

    def keep_session(self, session: Session) -> None:
        """Remember where somebody is; what was kept for the same digest is replaced."""
        ...

    def find_session(self, digest: bytes, then: SessionCallback, refused: RefusedCallback) -> None:
        """What was kept for that digest, None when there is nothing or it is too old."""
        ...

    def vacated(self, room: str) -> None:
        """The room is empty and gone; a log that is meant to last takes no notice."""
        ...


def fitting(lines: Iterable[Stored], span: Span) -> tuple[list[Stored], bool]:
    """As many of the lines as the span takes, in their order, and whether there are more."""
    taken: list[Stored] = []
    size = 0
    for line in lines:
        size += len(line.event.text.encode("utf-8", "replace"))
        if len(taken) >= span.count or (taken and size > span.size):
            return taken, True
        taken.append(line)
    return taken, False


class MemoryHistory:
    """Keeps the newest lines of each room that somebody is in; answers at once."""

    def __init__(self, now: Callable[[], float], kept: int = KEPT) -> None:
        """`now` returns seconds since 1970."""
        self._now = now
        self._kept = kept
        self._rooms: dict[str, deque[Stored]] = {}
        self._topics: dict[str, TopicSet] = {}
        self._sessions: dict[bytes, Session] = {}

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Keep the event; memory never refuses."""
        lines = self._rooms.get(room)
        if lines is None:
            lines = self._rooms[room] = deque(maxlen=self._kept)
        line = Stored(lines[-1].sequence + 1 if lines else 1, int(self._now() * 1000), event)
        lines.append(line)
        if isinstance(event, TopicSet):
            self._topics[room] = event
        stored(line)

    def recent(self, room: str, count: int, then: RecentCallback, refused: RefusedCallback) -> None:
        """Answer with the newest lines."""
        lines = self._rooms.get(room)
        newest = lines[-1].sequence if lines else 0
        then(Recent(self._lines(room, Span(count)).lines, newest, self._topics.get(room)))

    def read(self, room: str, span: Span, then: LinesCallback, refused: RefusedCallback) -> None:
        """Answer with those lines."""
        then(self._lines(room, span))

    def search(
        self, room: str, words: str, span: Span, then: LinesCallback, refused: RefusedCallback
    ) -> None:
        """Answer with the lines that hold the words."""
        wanted = words.casefold().split()

        def holds(line: Stored) -> bool:
            text = line.event.text.casefold()
            return all(word in text for word in wanted)

        then(self._lines(room, span, holds))

    def keep_session(self, session: Session) -> None:
        """Remember it; the oldest is forgotten when there are too many."""
        self._sessions.pop(session.digest, None)
        self._sessions[session.digest] = session
        if len(self._sessions) > SESSIONS:
            del self._sessions[next(iter(self._sessions))]

    def find_session(self, digest: bytes, then: SessionCallback, refused: RefusedCallback) -> None:
        """Answer with what was kept."""
        then(self._sessions.get(digest))

    def vacated(self, room: str) -> None:
        """Forget the room's lines, so that memory is bounded by the rooms people are in."""
        self._rooms.pop(room, None)
        self._topics.pop(room, None)

    def _lines(
        self, room: str, span: Span, wanted: Callable[[Stored], bool] = lambda line: True
    ) -> Lines:
        """Those lines of the span that are wanted, oldest first."""
        kept = self._rooms.get(room, ())
        if span.after is not None:
            after = span.after
            lines, more = fitting(
                (line for line in kept if line.sequence > after and wanted(line)), span
            )
            return Lines(tuple(lines), more)
        before = span.before
        lines, more = fitting(
            (
                line
                for line in reversed(kept)
                if (before is None or line.sequence < before) and wanted(line)
            ),
            span,
        )
        return Lines(tuple(reversed(lines)), more)


class _Around:
    """Another history, for all that is asked but to append."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.recent = history.recent
        self.read = history.read
        self.search = history.search
        self.keep_session = history.keep_session
        self.find_session = history.find_session
        self.vacated = history.vacated


class TimedHistory(_Around):
    """Another history, whose time from asking to storing is observed in seconds."""

    def __init__(
        self,
        history: History,
        seconds: Callable[[], float],
        observe: Callable[[float], object],
    ) -> None:
        super().__init__(history)
        self._seconds = seconds
        self._observe = observe

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Store it, and observe how long that took."""
        asked = self._seconds()
        self._history.append(room, event, partial(self._stored, asked, stored), refused)

    def _stored(self, asked: float, stored: StoredCallback, line: Stored) -> None:
        self._observe(self._seconds() - asked)
        stored(line)


class CopiedHistory(_Around):
    """Another history; whatever is stored there is copied, before anybody hears it."""

    def __init__(self, history: History, copy: Callable[[str, Stored], None]) -> None:
        """`copy` takes the room and what was said there."""
        super().__init__(history)
        self._copy = copy

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Store it, and copy it when that is done."""
        self._history.append(room, event, partial(self._stored, room, stored), refused)

    def _stored(self, room: str, stored: StoredCallback, line: Stored) -> None:
        self._copy(room, line)
        stored(line)
