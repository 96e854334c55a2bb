"""A member with no connection, a history that answers when told to, a transport that gets full."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.testing import StringTransport

from proto.chat.events import Event, Spoken
from proto.chat.history import (
    LinesCallback,
    MemoryHistory,
    RefusedCallback,
    StoredCallback,
)
from proto.chat.house import House
from proto.chat.outgoing import SLICE
from proto.chat.room import Room
from proto.errors import PeerError


class Somebody:
    """A `Person` who remembers what they saw."""

    def __init__(self, house: House) -> None:
        self.name = ""
        self.room: Room | None = None
        self.house = house
        self.congested = False
        self.saw: list[Event] = []
        self.has_departed = False
        self.wants_to_go = False
        self.when_told: Callable[[Event], None] = lambda event: None

    def deliver(self, event: Event) -> None:
        assert not self.has_departed
        self.saw.append(event)
        self.when_told(event)

    def departed(self) -> None:
        assert not self.has_departed
        self.has_departed = True

    def quit(self) -> None:
        self.wants_to_go = True

    def news(self) -> list[Event]:
        """What they saw since they were last asked."""
        saw, self.saw = self.saw, []
        return saw


class LateHistory:
    """Answers in order, but only when `answer` is called; refuses while it is `broken`."""

    def __init__(self) -> None:
        self.broken = False
        self.waiting: list[Callable[[], None]] = []
        self._kept = MemoryHistory()

    def answer(self, count: int | None = None) -> None:
        """Answer the oldest `count` questions, or all there are."""
        count = len(self.waiting) if count is None else count
        asked, self.waiting = self.waiting[:count], self.waiting[count:]
        for question in asked:
            question()

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        def settle() -> None:
            if self.broken:
                refused(PeerError("The disk is full."))
            else:
                self._kept.append(room, event, stored, refused)

        self.waiting.append(settle)

    def last(self, room: str, count: int, then: LinesCallback) -> None:
        self.waiting.append(lambda: self._kept.last(room, count, then))

    def vacated(self, room: str) -> None:
        self._kept.vacated(room)


def present(house: House, name: str) -> Somebody:
    """Somebody of that name in the lobby."""
    person = Somebody(house)
    house.admit(person, None)
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
