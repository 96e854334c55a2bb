"""The house: every room, and everyone in it.  No sockets, no reactor.

Names are unique in the whole house.  Everybody is in one room at a time: they come in through the
lobby, `move` takes them elsewhere, and an empty room is gone.  Whatever is refused raises a
`PeerError` and changes nothing.  What people do to one another is in `talk`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from proto.chat.events import Left, Missed, Moved, Refused, Renamed, TakenOver
from proto.chat.history import History, Lines, Session, Span
from proto.chat.ignoring import Ignoring
from proto.chat.names import (
    Names,
    NameTaken,
    fold,
    is_given,
    valid_identifier,
    valid_name,
)
from proto.chat.person import Member, Person
from proto.chat.room import MISSED, Room
from proto.chat.sessions import Sessions
from proto.errors import PeerError

LOBBY: Final = "lobby"
ROOMS: Final = 1000
WAITING_LINES: Final = 1000
LAST_LINES: Final = 20
POSTERS: Final = 1000
"""People who have lines said without being here, and can be ignored."""
BORNE: Final = 10_000
"""Names whose bearers have left, or took another, and when: in milliseconds since 1970."""


class NotInARoom(PeerError):
    """They are on the way from one room to another."""


class RoomsFull(PeerError):
    """There are as many rooms as there may be."""


class AlreadyThere(PeerError):
    """They are where they want to go."""


@dataclass(frozen=True, slots=True)
class Return:
    """Somebody comes back: what they come back with, and after which line they missed the rest."""

    token: str
    session: Session
    after: int


class House:
    """All the rooms behind all the doors; one per process, handed to every front door."""

    def __init__(
        self,
        history: History,
        now: Callable[[], float],
        *,
        rooms_limit: int = ROOMS,
        waiting_limit: int = WAITING_LINES,
        last_lines: int = LAST_LINES,
    ) -> None:
        """`now` returns seconds since 1970."""
        self.history = history
        self.now = now
        self.sessions = Sessions(history, now)
        self.ignoring = Ignoring()
        self._rooms_limit = rooms_limit
        self._waiting_limit = waiting_limit
        self._last_lines = last_lines
        self._names: Names[Member] = Names()
        self._rooms: dict[str, Room] = {}
        self._entering: dict[Member, Room] = {}
        self._posters: dict[str, tuple[str, Person]] = {}
        self._borne: dict[str, int] = {}
        self.lobby = self._open(LOBBY)

    @property
    def people(self) -> int:
        """How many are present."""
        return len(self._names)

    @property
    def rooms(self) -> list[Room]:
        """Every room there is; the lobby is the first."""
        return list(self._rooms.values())

    def holder(self, name: str) -> Member | None:
        """Who is called that, however it is capitalised."""
        return self._names.holder(name)

    def is_here(self, member: Member) -> bool:
        """Whether they came and have not left."""
        return self._names.holder(member.name) is member

    def posted(self, name: str, person: Person) -> None:
        """Somebody who is not here had a line said."""
        self._posters.pop(fold(name), None)
        self._posters[fold(name)] = name, person
        if len(self._posters) > POSTERS:
            del self._posters[next(iter(self._posters))]

    def poster(self, name: str) -> tuple[str, Person] | None:
        """Who had a line said lately by that name, without being here."""
        return self._posters.get(fold(name))

    def check_absent(self, session: Session) -> None:
        """Raise a `PeerError` when people would take who has that session for somebody else: who
        bears its name, or one that looks like it, or has borne it since."""
        self._names.check_free(session.name)
        if self._borne.get(fold(session.name), 0) > session.at:
            raise NameTaken(f"{session.name} has been somebody else since.")

    def _bore(self, name: str) -> None:
        self._borne.pop(fold(name), None)
        self._borne[fold(name)] = int(self.now() * 1000)
        if len(self._borne) > BORNE:
            del self._borne[next(iter(self._borne))]

    # Coming and going.

    def admit(
        self,
        member: Member,
        address: str | None,
        *,
        host: str | None = None,
        back: Return | None = None,
        wish: str | None = None,
        room: str = LOBBY,
    ) -> None:
        """Name a newcomer by their address, or as a guest, and let them into a room.

        `address` is None when it is hidden, `host` only when there is none.  Who comes `back`
        has their name, if nobody else took it, and their room, and reads what they missed; others
        may `wish` for a name.
        """
        member.person = Person(address, host, self.now())
        member.name = self._names.assign(address, member)
        member.room = None
        after = None
        if back is not None:
            self._recover(member, back)
            room, after = back.session.room, back.after
        elif wish is not None:
            self._call(member, wish)
        self.ignoring.recognise(member)
        self._arrive(member, room, after)

    def leave(self, member: Member, reason: str = "", *, quietly: bool = False) -> None:
        """See somebody out; their name is free at once, `departed` is called when all is told.

        Does nothing for somebody who has left, or was taken over.
        """
        if not self.is_here(member):
            return
        self._names.release(member.name)
        self._bore(member.name)
        self.ignoring.forget(member)
        self.sessions.end(member)
        member.person.correspondent = None  # Those who left would hold one another, in a chain.
        room, member.room = member.room, None
        if room is not None:
            event = None if quietly else Left(member.name, reason)
            room.exit(member, event, partial(self._departed, member, room))
        elif member in self._entering:
            self._entering.pop(member).cancel_entry(member)
            member.departed()

    def _departed(self, member: Member, room: Room) -> None:
        self.sessions.keep(member, room)
        member.departed()

    def rename(self, member: Member, wanted: str) -> None:
        """Give somebody another name; the room hears of it."""
        room = room_of(member)
        room.check_waiting()
        old = member.name
        member.name = self._names.change(old, wanted, member)
        self._bore(old)
        self.ignoring.recognise(member)
        room.announce(Renamed(old, member.name))

    def move(self, member: Member, name: str) -> None:
        """Take somebody to another room, which is opened for them if it is not there."""
        here = room_of(member)
        name = valid_identifier(name, "room")
        room = self._rooms.get(fold(name))
        if room is here:
            raise AlreadyThere(f"You are in {here.name} already.")
        if room is None:
            self._check_rooms()
        else:
            name = room.name
        self._move(member, here, name)

    def _move(self, member: Member, here: Room, name: str, after: int | None = None) -> None:
        member.room = None
        here.exit(member, Moved(member.name, name), partial(self._arrive, member, name, after))

    def _arrive(self, member: Member, name: str, after: int | None = None) -> None:
        """They are in no room; but they may have left, or the last room been taken."""
        if not self.is_here(member):
            member.departed()
            return
        try:
            room = self.room(name)
        except PeerError as refusal:
            member.deliver(Refused(str(refusal)))
            room, after = self.lobby, None
        self._entering[member] = room
        room.enter(
            member,
            partial(self._entered, member, room),
            partial(self.sessions.keep, member, room),
            after=after,
        )

    def _entered(self, member: Member, room: Room) -> None:
        del self._entering[member]
        member.room = room

    # Coming back.

    def come_back(
        self,
        token: str,
        after: int | None,
        then: Callable[[Return], None],
        refused: Callable[[PeerError], None],
        *,
        by: Member | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Find what somebody comes back with; `after` is what they have read, if they know.

        Another one than `by` who is here with that token is out then.  When it is not `wanted`
        any more, nothing is answered.
        """
        other = self.sessions.holder(token)
        if other is not None and other.room is not None:
            self.sessions.keep(other, other.room)  # so that there is something to find
        self.sessions.find(token, partial(self._found, token, after, then, by, wanted), refused)

    def _found(
        self,
        token: str,
        after: int | None,
        then: Callable[[Return], None],
        by: Member | None,
        wanted: Callable[[], bool],
        session: Session,
    ) -> None:
        if not wanted():
            return
        other = self.sessions.holder(token)
        if other is not None and other is not by:
            if other.room is not None:
                session = self.sessions.state_of(other, other.room) or session
            other.deliver(TakenOver())
            self.leave(other, "went on elsewhere")
        then(Return(token, session, session.sequence if after is None else after))

    def resume(self, member: Member, back: Return) -> None:
        """Let somebody who is here go on where they were: their name, their room, what they missed.

        Does nothing for somebody who has left.
        """
        here = member.room
        if here is None:
            if self.is_here(member):
                member.deliver(Refused("You are between two rooms; try again in a moment."))
            return
        if self.sessions.holder(back.token) is member:
            member.deliver(Refused("You asked twice, and are back already."))
            return
        try:
            here.check_waiting()
        except PeerError as refusal:
            member.deliver(Refused(str(refusal)))
            return
        old, newest = member.name, member.person.entered
        self._recover(member, back)
        self.ignoring.recognise(member)
        if member.name != old:
            here.announce(Renamed(old, member.name))
        if fold(back.session.room) != here.key:
            self._move(member, here, back.session.room, back.after)
            return

        person = member.person

        def read(lines: Lines) -> None:
            person.asking -= 1
            missed = tuple(line for line in lines.lines if line.sequence <= newest)
            more = lines.more and len(missed) == len(lines.lines)
            if self.is_here(member):
                member.deliver(Missed(missed, more))

        def refused(reason: PeerError) -> None:
            person.asking -= 1
            if self.is_here(member):
                member.deliver(Refused(str(reason)))

        person.asking += 1
        self.history.read(here.key, Span(MISSED, after=back.after), read, refused)

    def _recover(self, member: Member, back: Return) -> None:
        """Give them their token, their list of the ignored and, if it is free, their name."""
        self.sessions.give(member, back.token)
        if not is_given(back.session.name) and back.session.name != member.name:
            self._call(member, back.session.name)
        self.ignoring.resume(member, self._names.holders())

    def _call(self, member: Member, name: str) -> None:
        try:
            member.name = self._names.change(member.name, name, member)
        except PeerError as refusal:
            member.deliver(Refused(f"You are {member.name} for now: {refusal}"))

    # Names and rooms.

    def check_name(self, name: str) -> str:
        """A name that nobody present bears, in its canonical form, or a `NameRefused`."""
        name = valid_name(name)
        self._names.check_free(name)
        return name

    def room(self, name: str) -> Room:
        """The room of that name, opened if it is not; raises `RoomsFull` or a `NameRefused`.

        It is gone again as soon as there is nobody in it and nothing waits.
        """
        name = valid_identifier(name, "room")
        room = self._rooms.get(fold(name))
        if room is None:
            self._check_rooms()
            room = self._open(name)
        return room

    def _check_rooms(self) -> None:
        if len(self._rooms) >= self._rooms_limit:
            raise RoomsFull("There are as many rooms as there may be; /ROOMS lists them.")

    def _open(self, name: str) -> Room:
        key = fold(name)
        room = self._rooms[key] = Room(
            name,
            key,
            self.history,
            self._vacated,
            waiting_limit=self._waiting_limit,
            last_lines=self._last_lines,
        )
        return room

    def _vacated(self, room: Room) -> None:
        # A late answer of the history can make a room that is long gone ask for this again.
        if room is not self.lobby and self._rooms.get(room.key) is room:
            del self._rooms[room.key]
            self.history.vacated(room.key)


def room_of(member: Member) -> Room:
    """Where they are, or `NotInARoom`."""
    if member.room is None:
        raise NotInARoom("You are between two rooms; try again in a moment.")
    return member.room
