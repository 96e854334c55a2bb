"""The house: every room, and everyone in it.  No sockets, no reactor, no clock.

Names are unique in the whole house.  Everybody is in one room at a time: they come in through the
lobby, `move` takes them elsewhere, and an empty room is gone.  Whatever is refused raises a
`PeerError` and changes nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from proto.chat.events import Emoted, Left, Moved, Refused, Renamed, Said, Spoken, Told, YouTold
from proto.chat.history import History
from proto.chat.names import Names, fold, valid_identifier
from proto.chat.room import Member, Room
from proto.errors import PeerError

LOBBY: Final = "lobby"
ROOMS: Final = 1000
WAITING_LINES: Final = 1000
LAST_LINES: Final = 20


class NotInARoom(PeerError):
    """They are on the way from one room to another."""


class RoomsFull(PeerError):
    """There are as many rooms as there may be."""


class AlreadyThere(PeerError):
    """They are where they want to go."""


class NobodyCalled(PeerError):
    """No one present bears that name."""


class NotToYourself(PeerError):
    """A private line needs two."""


class NotReading(PeerError):
    """They do not keep up with what they were sent."""


class House:
    """All the rooms behind all the doors; one per process, handed to every front door."""

    def __init__(
        self,
        history: History,
        *,
        rooms_limit: int = ROOMS,
        waiting_limit: int = WAITING_LINES,
        last_lines: int = LAST_LINES,
    ) -> None:
        self._history = history
        self._rooms_limit = rooms_limit
        self._waiting_limit = waiting_limit
        self._last_lines = last_lines
        self._names: Names[Member] = Names()
        self._rooms: dict[str, Room] = {}
        self._entering: dict[Member, Room] = {}
        self.lobby = self._open(LOBBY)

    @property
    def people(self) -> int:
        """How many are present."""
        return len(self._names)

    @property
    def rooms(self) -> list[Room]:
        """Every room there is; the lobby is the first."""
        return list(self._rooms.values())

    def admit(self, member: Member, address: str | None) -> None:
        """Name a newcomer by their address, or as a guest, and let them into the lobby."""
        member.name = self._names.assign(address, member)
        member.room = None
        self._enter(member, self.lobby)

    def leave(self, member: Member, reason: str = "", *, quietly: bool = False) -> None:
        """See somebody out; their name is free at once, `departed` is called when all is told."""
        self._names.release(member.name)
        room, member.room = member.room, None
        if room is not None:
            event = None if quietly else Left(member.name, reason)
            room.exit(member, event, member.departed)
        elif member in self._entering:
            self._entering.pop(member).cancel_entry(member)
            member.departed()

    def rename(self, member: Member, wanted: str) -> None:
        """Give somebody another name; the room hears of it."""
        room = _room_of(member)
        room.check_waiting()
        old = member.name
        member.name = self._names.change(old, wanted, member)
        room.announce(Renamed(old, member.name))

    def say(self, member: Member, text: str) -> None:
        """Say a line to the room one is in."""
        self._speak(member, Said(member.name, text))

    def emote(self, member: Member, text: str) -> None:
        """Do something in the room one is in."""
        self._speak(member, Emoted(member.name, text))

    def tell(self, member: Member, recipient: str, text: str) -> None:
        """Say a line to one person, in whatever room they are; it is not stored."""
        other = self._names.holder(recipient)
        if other is None:
            raise NobodyCalled("Nobody here is called that; /WHO lists who is.")
        if other is member:
            raise NotToYourself("That is you; /MSG is for somebody else.")
        if other.congested:
            raise NotReading(f"{other.name} does not keep up with reading; try again later.")
        other.deliver(Told(member.name, text))
        member.deliver(YouTold(other.name, text))

    def move(self, member: Member, name: str) -> None:
        """Take somebody to another room, which is opened for them if it is not there."""
        here = _room_of(member)
        name = valid_identifier(name, "room")
        room = self._rooms.get(fold(name))
        if room is here:
            raise AlreadyThere(f"You are in {here.name} already.")
        if room is None:
            self._check_rooms()
        else:
            name = room.name
        member.room = None
        here.exit(member, Moved(member.name, name), partial(self._arrive, member, name))

    def _arrive(self, member: Member, name: str) -> None:
        """They are out of the old room; but they may have left, or the last room been taken."""
        if self._names.holder(member.name) is not member:
            member.departed()
            return
        room = self._rooms.get(fold(name))
        if room is None:
            try:
                self._check_rooms()
                room = self._open(name)
            except RoomsFull as refusal:
                member.deliver(Refused(str(refusal)))
                room = self.lobby
        self._enter(member, room)

    def _enter(self, member: Member, room: Room) -> None:
        self._entering[member] = room
        room.enter(member, partial(self._entered, member, room))

    def _entered(self, member: Member, room: Room) -> None:
        del self._entering[member]
        member.room = room

    def _speak(self, member: Member, event: Spoken) -> None:
        _room_of(member).say(member, event)

    def _check_rooms(self) -> None:
        if len(self._rooms) >= self._rooms_limit:
            raise RoomsFull("There are as many rooms as there may be; /ROOMS lists them.")

    def _open(self, name: str) -> Room:
        key = fold(name)
        room = self._rooms[key] = Room(
            name,
            key,
            self._history,
            self._vacated,
            waiting_limit=self._waiting_limit,
            last_lines=self._last_lines,
        )
        return room

    def _vacated(self, room: Room) -> None:
        # A late answer of the history can make a room that is long gone ask for this again.
        if room is not self.lobby and self._rooms.get(room.key) is room:
            del self._rooms[room.key]
            self._history.vacated(room.key)


def _room_of(member: Member) -> Room:
    if member.room is None:
        raise NotInARoom("You are between two rooms; try again in a moment.")
    return member.room
