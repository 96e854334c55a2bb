"""Who is present in a room, and who hears what, in which order.  No sockets, no clock.

Everything that happens in a room is a step in one queue.  A step is taken when it is ready and
everything before it has been taken: a line when the history has stored it, somebody's entry when
the last lines have been read.  So a slow history delays, and never reorders; and since people
come and go only as steps, nobody does while an event is being delivered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Final, Protocol

from proto.chat.events import Entered, Event, Joined, Refused, Spoken
from proto.chat.history import History, Stored
from proto.errors import PeerError

LISTED: Final = 100
"""How many people a list names; the others are counted."""


class Member(Protocol):
    """Somebody in the chat, whatever door they came through."""

    name: str
    room: Room | None
    """Where they are; None before they are in, after they left, and between two rooms."""

    @property
    def congested(self) -> bool:
        """Whether what they were already sent is still waiting; private lines are refused then."""
        ...

    def deliver(self, event: Event) -> None:
        """Something happened that they should see; called in the room's order.  Never raises."""
        ...

    def departed(self) -> None:
        """They left, and everything that came before it has been delivered; the last call."""
        ...


class RoomBusy(PeerError):
    """Too many lines wait for the history."""


class _Step(Protocol):
    def ready(self, room: Room) -> bool: ...
    def take(self, room: Room) -> None: ...


class Room:
    """One room: its people, and the queue of what happens in it.

    `name` is how it is written, `key` what the history knows it by, however it is capitalised.
    `waiting_limit` bounds the lines that wait for the history; the rest of the queue is bounded
    by the people present.  `vacated` is called when the last one has left.
    """

    def __init__(
        self,
        name: str,
        key: str,
        history: History,
        vacated: Callable[[Room], None],
        *,
        waiting_limit: int,
        last_lines: int,
    ) -> None:
        self.name = name
        self.key = key
        self.history = history
        self.people: dict[Member, None] = {}
        self.last_lines = last_lines
        self.published: int | None = None
        """The sequence number of the newest line that was shown; None before anybody entered."""
        self._vacated = vacated
        self._waiting_limit = waiting_limit
        self._queue: deque[_Step] = deque()
        self._advancing = False

    def say(self, sender: Member, event: Spoken) -> None:
        """Have it stored, then show it to everyone; a failure is told to the sender alone."""
        self.check_waiting()
        line = _Line(sender)
        self._queue.append(line)
        self.history.append(
            self.key,
            event,
            partial(self._settle, line),
            partial(self._settle, line),
        )

    def announce(self, event: Event) -> None:
        """Show everyone something that is not stored, in its place after what waits."""
        self.check_waiting()
        self._append(_Announcement(event))

    def enter(self, member: Member, entered: Callable[[], None]) -> None:
        """Let somebody in; `entered` is called when they are, before anything is delivered."""
        self._append(_Entry(member, entered))

    def exit(self, member: Member, event: Event | None, then: Callable[[], None]) -> None:
        """Let somebody out after all that waits; the others are shown `event`."""
        self._append(_Exit(member, event, then))

    def cancel_entry(self, member: Member) -> None:
        """Somebody who still waited to be let in went away."""
        self._queue = deque(
            step for step in self._queue if not (isinstance(step, _Entry) and step.member is member)
        )
        self.advance()

    def broadcast(self, event: Event) -> None:
        """Deliver now; only steps call this."""
        for member in self.people:
            member.deliver(event)

    def advance(self) -> None:
        """Take every step that is ready."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._queue and self._queue[0].ready(self):
                self._queue.popleft().take(self)
        finally:
            self._advancing = False
        if not self._queue and not self.people:
            self._vacated(self)

    def _settle(self, line: _Line, outcome: Stored | PeerError) -> None:
        line.outcome = outcome
        self.advance()

    def _append(self, step: _Step) -> None:
        self._queue.append(step)
        self.advance()

    def check_waiting(self) -> None:
        """Raise `RoomBusy` when no more may be added to what waits."""
        if len(self._queue) >= self._waiting_limit:
            raise RoomBusy("This room is waiting for its log; try again in a moment.")


class _Line:
    """Something said, which waits to be stored."""

    __slots__ = ("outcome", "sender")

    def __init__(self, sender: Member) -> None:
        self.sender = sender
        self.outcome: Stored | PeerError | None = None

    def ready(self, room: Room) -> bool:
        return self.outcome is not None

    def take(self, room: Room) -> None:
        if isinstance(self.outcome, Stored):
            room.published = self.outcome.sequence
            room.broadcast(self.outcome.event)
        else:
            self.sender.deliver(Refused(str(self.outcome)))


class _Announcement:
    """Something that needs no storing."""

    __slots__ = ("event",)

    def __init__(self, event: Event) -> None:
        self.event = event

    def ready(self, room: Room) -> bool:
        return True

    def take(self, room: Room) -> None:
        room.broadcast(self.event)


class _Entry:
    """Somebody at the door, who waits for the last lines of the room."""

    __slots__ = ("_asked", "_entered", "_lines", "member")

    def __init__(self, member: Member, entered: Callable[[], None]) -> None:
        self.member = member
        self._entered = entered
        self._asked = False
        self._lines: Sequence[Stored] | None = None

    def ready(self, room: Room) -> bool:
        if not self._asked:
            self._asked = True
            room.history.last(room.key, room.last_lines, partial(self._read, room))
        return self._lines is not None

    def _read(self, room: Room, lines: Sequence[Stored]) -> None:
        self._lines = lines
        room.advance()

    def take(self, room: Room) -> None:
        lines = self._lines or ()
        if room.published is None:
            room.published = lines[-1].sequence if lines else 0
        # What is stored already but waits behind this step will be delivered, so not twice.
        shown = tuple(line.event for line in lines if line.sequence <= room.published)
        room.broadcast(Joined(self.member.name))
        others = tuple(other.name for other in islice(room.people, LISTED))
        unlisted = len(room.people) - len(others)
        room.people[self.member] = None
        self._entered()
        self.member.deliver(Entered(room.name, self.member.name, others, unlisted, shown))


class _Exit:
    """Somebody on the way out."""

    __slots__ = ("_event", "_member", "_then")

    def __init__(self, member: Member, event: Event | None, then: Callable[[], None]) -> None:
        self._member = member
        self._event = event
        self._then = then

    def ready(self, room: Room) -> bool:
        return True

    def take(self, room: Room) -> None:
        del room.people[self._member]
        if self._event is not None:
            room.broadcast(self._event)
        self._then()
