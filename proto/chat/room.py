"""Who is present in a room, and who hears what, in which order.  No sockets, no clock.

Everything that happens in a room is a step in one queue.  A step is taken when it is ready and
everything before it has been taken: a line when the history has stored it, somebody's entry when
the last lines have been read.  So a slow history delays, and never reorders; and since people
come and go only as steps, nobody does while an event is being delivered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from itertools import islice
from typing import Final, Protocol

from proto.chat.events import Entered, Event, Joined, Refused, Spoken, Stored, TopicSet
from proto.chat.history import History, Lines, Recent, Span
from proto.chat.person import Audience, Form, Member, Person
from proto.errors import PeerError

LISTED: Final = 100
"""How many people a list names; the others are counted."""
CANCELLED: Final = 100
"""Entries of people who went away meanwhile that may wait in the queue with the others."""
MISSED: Final = 200
"""Lines that somebody who comes back is shown at once of those they missed."""


class RoomBusy(PeerError):
    """Too many lines wait for the history."""


class Sender(Protocol):
    """Whoever says a line: mostly a member, but nobody has to be present to have one said."""

    person: Person

    def deliver(self, event: Event) -> None:
        """The line was not stored, and why."""
        ...


class _Step(Protocol):
    def ready(self, room: Room) -> bool: ...
    def take(self, room: Room) -> None: ...


class Room:
    """One room: its people, and the queue of what happens in it.

    `name` is how it is written, `key` what the history knows it by, however it is capitalised.
    `waiting_limit` bounds the lines and announcements that wait for the history; the rest of the
    queue is bounded by the people who come and go.  `vacated` is called when the last one has left.
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
        self.topic: TopicSet | None = None
        self.published: int | None = None
        """The sequence number of the newest line that was shown; None before that is known."""
        self._seats: dict[Member, Audience] = {}
        self._audiences: dict[Form, Audience] = {}
        self._vacated = vacated
        self._waiting_limit = waiting_limit
        self._queue: deque[_Step] = deque()
        self.waiting = 0
        """Lines and announcements in the queue."""
        self.entries: dict[Member, _Entry] = {}
        self.cancelled = 0
        """Of the entries that wait, those whose people went away."""
        self._advancing = False

    def say(
        self, sender: Sender, event: Spoken, stored: Callable[[Stored], None] | None = None
    ) -> None:
        """Have it stored, then show it to everyone; a failure is told to the sender alone.

        `stored` is called when it is shown.
        """
        self.check_waiting()
        self.waiting += 1
        line = _Line(sender, stored)
        self._queue.append(line)
        settle = partial(self._settle, line)
        self.history.append(self.key, event, settle, settle)

    def announce(self, event: Event, skipped: Collection[Member] = ()) -> None:
        """Show everyone but those something that is not stored, in its place after what waits."""
        self.check_waiting()
        self.waiting += 1
        self._append(_Announcement(event, skipped))

    def enter(
        self,
        member: Member,
        entered: Callable[[], None],
        greeted: Callable[[], None] = lambda: None,
        *,
        after: int | None = None,
        quietly: bool = False,
    ) -> None:
        """Let somebody in; `entered` is called when they are, before anything is delivered, and
        `greeted` when they were told where they are.

        They are shown the lines that they missed `after` that one, or, when that is None, the
        last ones.  Who enters quietly only listens, and nobody is told.
        """
        entry = self.entries[member] = _Entry(member, entered, greeted, after, quietly)
        self._queue.append(entry)
        entry.ask(self)
        self.advance()

    def exit(self, member: Member, event: Event | None, then: Callable[[], None]) -> None:
        """Let somebody out after all that waits; the others are shown `event`."""
        self._append(_Exit(member, event, then))

    def cancel_entry(self, member: Member) -> None:
        """Somebody who still waited to be let in went away."""
        entry = self.entries.pop(member, None)
        if entry is None:
            return
        entry.is_cancelled = True
        self.cancelled += 1
        if self.cancelled > CANCELLED and self.cancelled * 2 > len(self._queue):
            self._queue = deque(
                step for step in self._queue if not (isinstance(step, _Entry) and step.is_cancelled)
            )
            self.cancelled = 0
        self.advance()

    def reform(self, member: Member) -> None:
        """Somebody who is in wants to read another form from now on."""
        if member in self._seats:
            advancing, self._advancing = self._advancing, True  # Who is dropped now leaves later.
            self.unseat(member)
            self.seat(member)
            self._advancing = advancing
            self.advance()

    def broadcast(self, event: Event, skipped: Collection[Member] = ()) -> None:
        """Show it to everyone now; only steps call this."""
        for audience in self._audiences.values():
            audience.publish(event, skipped)

    def seat(self, member: Member) -> None:
        """They are shown what is broadcast from now on; only steps call this."""
        form = member.form
        audience = self._audiences.get(form)
        if audience is None:
            audience = self._audiences[form] = form.audience()
        self._seats[member] = audience
        audience.add(member)

    def unseat(self, member: Member) -> None:
        """They are shown no more; only steps call this."""
        audience = self._seats.pop(member)
        audience.remove(member)
        if not len(audience):
            self._audiences = {
                form: each for form, each in self._audiences.items() if each is not audience
            }

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
        if not self._queue and not self._seats:
            self._vacated(self)

    def check_waiting(self) -> None:
        """Raise `RoomBusy` when no more may be added to what waits."""
        if self.waiting >= self._waiting_limit:
            raise RoomBusy("This room is waiting for its log; try again in a moment.")

    def _settle(self, line: _Line, outcome: Stored | PeerError) -> None:
        line.outcome = outcome
        self.advance()

    def _append(self, step: _Step) -> None:
        self._queue.append(step)
        self.advance()


class _Line:
    """Something said, which waits to be stored."""

    __slots__ = ("_mark", "_skipped", "_stored", "outcome", "sender")

    def __init__(self, sender: Sender, stored: Callable[[Stored], None] | None) -> None:
        self.sender = sender
        self._mark = sender.person.mark
        self._skipped = sender.person.ignored_by  # They may have left when it is shown.
        self.outcome: Stored | PeerError | None = None
        self._stored = stored

    def ready(self, room: Room) -> bool:
        return self.outcome is not None

    def take(self, room: Room) -> None:
        room.waiting -= 1
        if not isinstance(self.outcome, Stored):
            self.sender.deliver(Refused(str(self.outcome), self._mark))
            return
        room.published = self.outcome.sequence
        event = self.outcome.event
        if isinstance(event, TopicSet):
            room.topic = event
            room.broadcast(self.outcome)
        else:
            room.broadcast(self.outcome, self._skipped)
        if self._stored is not None:
            self._stored(self.outcome)


class _Announcement:
    """Something that needs no storing."""

    __slots__ = ("_event", "_skipped")

    def __init__(self, event: Event, skipped: Collection[Member]) -> None:
        self._event = event
        self._skipped = skipped

    def ready(self, room: Room) -> bool:
        return True

    def take(self, room: Room) -> None:
        room.waiting -= 1
        room.broadcast(self._event, self._skipped)


class _Entry:
    """Somebody at the door, who waits for the lines of the room that they are to be shown."""

    __slots__ = (
        "_after",
        "_entered",
        "_greeted",
        "_lines",
        "_quietly",
        "_recent",
        "is_cancelled",
        "member",
    )

    def __init__(
        self,
        member: Member,
        entered: Callable[[], None],
        greeted: Callable[[], None],
        after: int | None,
        quietly: bool,
    ) -> None:
        self.member = member
        self.is_cancelled = False
        self._entered = entered
        self._greeted = greeted
        self._after = after
        self._quietly = quietly
        self._recent: Recent | None = None
        self._lines: Lines | None = None

    def ask(self, room: Room) -> None:
        """Ask how the room stands when all lines are stored that wait before them, and no other."""
        room.history.recent(
            room.key,
            room.last_lines,
            partial(self._stands, room),
            partial(self._unreadable, room),
        )

    def ready(self, room: Room) -> bool:
        return self.is_cancelled or self._lines is not None

    def _stands(self, room: Room, recent: Recent) -> None:
        self._recent = recent
        if self._after is not None and self._after <= recent.newest:
            room.history.read(
                room.key,
                Span(MISSED, after=self._after),
                partial(self._read, room),
                partial(self._unreadable, room),
            )
        else:
            self._after = None  # They come from before the log began anew.
            lines = recent.lines
            self._read(room, Lines(lines, bool(lines) and lines[0].sequence > 1))

    def _unreadable(self, room: Room, reason: PeerError) -> None:
        # Who comes back is told that there is more: what they missed can be asked for later.
        self._read(room, Lines((), self._after is not None))

    def _read(self, room: Room, lines: Lines) -> None:
        self._lines = lines
        room.advance()

    def take(self, room: Room) -> None:
        if self.is_cancelled:
            room.cancelled -= 1
            return
        room.entries.pop(self.member, None)
        if self._recent is not None:
            room.published, room.topic = self._recent.newest, self._recent.topic
        read = self._lines or Lines(())
        published = room.published or 0
        # What is stored already but waits behind this step will be delivered, so not twice.
        lines = tuple(line for line in read.lines if line.sequence <= published)
        more = read.more and (self._after is None or len(lines) == len(read.lines))
        name = self.member.name
        others = tuple(other.name for other in islice(room.people, LISTED))
        unlisted = len(room.people) - len(others)
        if not self._quietly:
            room.broadcast(Joined(name))
            room.people[self.member] = None
        room.seat(self.member)
        self.member.person.entered = published
        self._entered()
        self.member.deliver(
            Entered(
                room.name,
                name,
                others,
                unlisted,
                room.topic,
                published,
                lines,
                resumed=self._after is not None,
                more=more,
            )
        )
        self._greeted()


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
        room.people.pop(self._member, None)
        room.unseat(self._member)
        if self._event is not None:
            room.broadcast(self._event)
        self._then()
