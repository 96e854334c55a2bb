"""A member with no connection, a history that answers when told to, a transport that gets full."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from twisted.internet.testing import StringTransport

from proto.chat.events import Event, Spoken, Stored
from proto.chat.history import (
    History,
    LinesCallback,
    MemoryHistory,
    RecentCallback,
    RefusedCallback,
    Session,
    SessionCallback,
    Span,
    StoredCallback,
)
from proto.chat.house import House
from proto.chat.outgoing import SLICE
from proto.chat.person import Member, Person
from proto.chat.room import Room
from proto.errors import PeerError

NOW: Final = 1_767_225_600.0
"""When everything happens in a house whose clock stands, in seconds since 1970."""
AT: Final = int(NOW * 1000)


def house_of(history: History | None = None, **options: int) -> House:
    """A house whose clock stands; it keeps its lines in memory unless given a history."""
    return House(history or MemoryHistory(lambda: NOW), lambda: NOW, **options)


def stored(sequence: int, event: Spoken) -> Stored:
    """What people see of a line in a house whose clock stands."""
    return Stored(sequence, AT, event)


class OneByOne:
    """An `Audience` whose members are each delivered each event."""

    def __init__(self) -> None:
        self._members: dict[Member, None] = {}

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: Member) -> None:
        assert member not in self._members
        self._members[member] = None

    def remove(self, member: Member) -> None:
        del self._members[member]

    def publish(self, event: Event, skipped: Collection[Member] = ()) -> None:
        for member in list(self._members):
            if member not in skipped:
                member.deliver(event)


class Plain:
    """The `Form` that all doubles read."""

    def audience(self) -> OneByOne:
        return OneByOne()


PLAIN: Final = Plain()


class Somebody:
    """A `Commander` who remembers what they saw."""

    def __init__(self, house: House) -> None:
        self.name = ""
        self.person = Person()
        self.room: Room | None = None
        self.form = PLAIN
        self.seen = 0
        self.house = house
        self.congested = False
        self.saw: list[Event] = []
        self.has_departed = False
        self.wants_to_go = False
        self.pastes = 0
        self.reads: dict[str, bool] = {}
        self.when_told: Callable[[Event], None] = lambda event: None

    def deliver(self, event: Event) -> None:
        assert not self.has_departed
        if isinstance(event, Stored):
            self.seen = event.sequence
        self.saw.append(event)
        self.when_told(event)

    def departed(self) -> None:
        assert not self.has_departed
        self.has_departed = True

    def quit(self) -> None:
        self.wants_to_go = True

    def paste(self) -> None:
        self.pastes += 1

    def read_as(self, *, times: bool | None = None, colors: bool | None = None) -> None:
        for what, wanted in (("times", times), ("colors", colors)):
            if wanted is not None:
                self.reads[what] = wanted

    def news(self) -> list[Event]:
        """What they saw since they were last asked."""
        saw, self.saw = self.saw, []
        return saw

    def heard(self) -> list[str]:
        """The texts of what was said to the room since they were last asked."""
        return [event.event.text for event in self.news() if isinstance(event, Stored)]


class LateHistory:
    """Answers only when told to, and refuses while it is `broken`.

    `waiting` holds what is answered in order, `reading` what may be answered at any time.
    """

    def __init__(self) -> None:
        self.broken = False
        self.waiting: list[Callable[[], None]] = []
        self.reading: list[Callable[[], None]] = []
        self.kept = MemoryHistory(lambda: NOW)

    def answer(self, count: int | None = None) -> None:
        """Answer the oldest `count` of those in order, or all there are."""
        count = len(self.waiting) if count is None else count
        asked, self.waiting = self.waiting[:count], self.waiting[count:]
        for question in asked:
            question()

    def answer_read(self, which: int = 0) -> None:
        """Answer one of those in no order, if there is any."""
        if self.reading:
            self.reading.pop(which % len(self.reading))()

    def answer_all(self) -> None:
        """Answer until nothing is asked any more."""
        while self.waiting or self.reading:
            self.answer()
            self.answer_read()

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        self.waiting.append(
            self._unless_broken(lambda: self.kept.append(room, event, stored, refused), refused)
        )

    def recent(self, room: str, count: int, then: RecentCallback, refused: RefusedCallback) -> None:
        self.waiting.append(
            self._unless_broken(lambda: self.kept.recent(room, count, then, refused), refused)
        )

    def read(self, room: str, span: Span, then: LinesCallback, refused: RefusedCallback) -> None:
        self.reading.append(
            self._unless_broken(lambda: self.kept.read(room, span, then, refused), refused)
        )

    def search(
        self, room: str, words: str, span: Span, then: LinesCallback, refused: RefusedCallback
    ) -> None:
        self.reading.append(
            self._unless_broken(lambda: self.kept.search(room, words, span, then, refused), refused)
        )

    def keep_session(self, session: Session) -> None:
        self.waiting.append(lambda: self.kept.keep_session(session))

    def find_session(self, digest: bytes, then: SessionCallback, refused: RefusedCallback) -> None:
        self.waiting.append(
            self._unless_broken(lambda: self.kept.find_session(digest, then, refused), refused)
        )

    def vacated(self, room: str) -> None:
        self.kept.vacated(room)

    def _unless_broken(
        self, answer: Callable[[], None], refused: RefusedCallback
    ) -> Callable[[], None]:
        def settle() -> None:
            if self.broken:
                refused(PeerError("The disk is full."))
            else:
                answer()

        return settle


def present(house: House, name: str, host: str | None = None) -> Somebody:
    """Somebody of that name in the lobby; nobody remembers how they came."""
    person = Somebody(house)
    house.admit(person, None, host=host)
    house.rename(person, name)
    for room in house.rooms:
        for member in room.people:
            assert isinstance(member, Somebody)
            member.saw.clear()
    return person


class FullTransport(StringTransport):
    """Calls itself full above `SLICE` bytes, as Twisted's own do, until `drain` is called."""

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.producer is not None and len(self.value()) > SLICE:
            self.producer.pauseProducing()

    def drain(self) -> bytes:
        """The client reads everything."""
        taken = bytes(self.value())
        self.clear()
        if self.producer is not None:
            self.producer.resumeProducing()
        return taken
