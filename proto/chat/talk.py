"""What people do in the house: say, whisper, look back, go away, ignore.  No sockets.

Each function is given who does it; whatever is refused raises a `PeerError` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Final

from proto.chat.events import (
    CameBack,
    Emoted,
    Event,
    Pasted,
    People,
    Recalled,
    Refused,
    Rooms,
    Said,
    Told,
    TopicSet,
    WentAway,
    YouTold,
)
from proto.chat.history import Lines, Span
from proto.chat.house import House, room_of
from proto.chat.person import Member, Person
from proto.chat.room import LISTED
from proto.chat.text import clean
from proto.errors import PeerError

LONGEST_NOTE: Final = 300
"""Characters of a topic, or of what somebody says on going away."""
LONGEST_PASTE: Final = 16384
"""Bytes of several lines that are said as one."""
MOST_LINES: Final = 1000
"""Of these; each takes four bytes more on a terminal."""
A_TURN: Final = 4096
"""Characters of a paste that count as one more line."""
ASKING: Final = 4
"""Questions about the log that somebody may wait for at once."""
MOST_RECALLED: Final = 200
"""Lines of one answer."""


class NobodyCalled(PeerError):
    """No one present bears that name."""


class NotToYourself(PeerError):
    """A private line, or to be ignored, needs two."""


class NotReading(PeerError):
    """They do not keep up with what they were sent."""


class TooLong(PeerError):
    """A topic, a note or a paste is longer than it may be."""


class NothingSeen(PeerError):
    """A line holds only what is taken out of it."""


class NothingToDo(PeerError):
    """It is as they want it already."""


class Impatient(PeerError):
    """Somebody asks on before they were answered."""


def say(member: Member, text: str) -> None:
    """Say a line, or several as one, to the room one is in.

    One of which nothing is seen is refused: an answer finds out that its sender has gone.
    """
    room_of(member).say(member, line_of(member.name, text))


def line_of(sender: str, text: str) -> Said | Pasted:
    """What is said by a text: one line, or several as one.  Raises `NothingSeen` or `TooLong`."""
    text = _seen(text)
    if "\n" not in text:
        return Said(sender, text)
    check_paste(text)
    return Pasted(sender, text)


def check_paste(text: str) -> None:
    """Raise `TooLong` when it is more than may be said as one."""
    if len(text.encode("utf-8", "replace")) > LONGEST_PASTE:
        raise TooLong(f"That is too much at once; {LONGEST_PASTE} bytes is the most.")
    if text.count("\n") >= MOST_LINES:
        raise TooLong(f"That is too much at once; {MOST_LINES} lines is the most.")


def cleaned(text: str, limit: int) -> str:
    """A text of several lines, each safe to show; `TooLong` when one has over `limit` bytes, or all
    of them together are too much."""
    check_paste(text)
    lines = text.replace("\r\n", "\n").split("\n")
    if any(len(line.encode("utf-8", "replace")) > limit for line in lines):
        raise TooLong(f"That line is too long; {limit} bytes is the most.")
    return "\n".join(map(clean, lines))


def extra_turns(text: str) -> int:
    """How many more lines a text of several lines counts as, for flood control."""
    return len(text) // A_TURN


def emote(member: Member, text: str) -> None:
    """Do something in the room one is in."""
    room_of(member).say(member, Emoted(member.name, text))


def set_topic(member: Member, text: str) -> None:
    """Say what the room is about; an empty text takes the topic away."""
    room = room_of(member)
    if text == (room.topic.text if room.topic else ""):
        raise NothingToDo("That is the topic already." if text else "There is no topic.")
    room.say(member, TopicSet(member.name, _note(text)))


def tell(house: House, member: Member, recipient: str, text: str) -> None:
    """Say a line to one person, in whatever room they are; it is not stored."""
    _tell(house, member, _somebody(house, recipient), text)


def reply(house: House, member: Member, text: str) -> None:
    """Say a line to who wrote last, whatever they are called now."""
    other = member.person.correspondent
    if other is None:
        raise NobodyCalled("Nobody has written to you alone.")
    if not house.is_here(other):
        raise NobodyCalled(f"{other.name}, who wrote to you last, has left.")
    _tell(house, member, other, text)


def _tell(house: House, member: Member, other: Member, text: str) -> None:
    if other is member:
        raise NotToYourself("That is you; /MSG is for somebody else.")
    text = _seen(text)
    check_paste(text)
    if other.congested:
        raise NotReading(f"{other.name} does not keep up with reading; try again later.")
    if other not in member.person.ignored_by:
        other.person.correspondent = member
        other.deliver(Told(member.name, text))
    member.deliver(YouTold(other.name, text))
    if other.person.away is not None:
        member.deliver(WentAway(other.name, other.person.away))


def go_away(member: Member, note: str) -> None:
    """Tell the room that one does not read for a while."""
    room = room_of(member)
    room.check_waiting()
    member.person.away = _note(note)
    room.announce(WentAway(member.name, member.person.away), member.person.ignored_by)


def come_back(member: Member) -> None:
    """Tell the room that one reads again."""
    if member.person.away is None:
        raise NothingToDo("You are not away.")
    room = room_of(member)
    room.check_waiting()
    member.person.away = None
    room.announce(CameBack(member.name), member.person.ignored_by)


def ignore(house: House, member: Member, name: str) -> str:
    """Read nothing more of somebody; their name as they write it."""
    absent = house.poster(name) if house.holder(name) is None else None
    if absent is not None:
        name, person = absent
        house.ignoring.ignore_absent(member, name, person)
        return name
    other = _somebody(house, name)
    if other is member:
        raise NotToYourself("That is you; /IGNORE is for somebody else.")
    house.ignoring.ignore(member, other)
    return other.name


def people_in(house: House, member: Member) -> People:
    """Who is in the room with them."""
    room = member.room
    if room is None:
        return People("no room", (), 0)
    people = tuple((each.name, each.person.away) for each in islice(room.people, LISTED))
    return People(room.name, people, len(room.people) - len(people))


def open_rooms(house: House) -> Rooms:
    """The rooms that somebody is in, and the lobby; the fullest first."""
    rooms = sorted(house.rooms, key=lambda room: -len(room.people))
    listed = tuple((room.name, len(room.people)) for room in rooms[:LISTED])
    return Rooms(listed, len(rooms) - len(listed))


def whois(house: House, name: str) -> str:
    """What is known of somebody, in one line."""
    other = _somebody(house, name)
    person = other.person
    told = [f"in {other.room.name}" if other.room else "between two rooms"]
    if person.address is not None and person.address != other.name:
        told.append(f"from {person.address}")
    minutes = int(house.now() - person.since) // 60
    told.append(f"here for {minutes} min" if minutes else "came just now")
    if person.away is not None:
        told.append(f"away: {person.away}" if person.away else "away")
    return f"{other.name}: {', '.join(told)}."


def recall(
    house: House,
    member: Member,
    *,
    count: int,
    before: int | None = None,
    after: int | None = None,
    words: str | None = None,
    mark: int | str | None = None,
) -> None:
    """Look back at lines of the room one is in, or search it for words; `Recalled` answers."""
    room = room_of(member)
    person = member.person
    check_asking(person)
    span = Span(max(1, min(count, MOST_RECALLED)), before, after)

    def answer(event: Event) -> None:
        person.asking -= 1
        if house.is_here(member):
            member.deliver(event)

    def read(lines: Lines) -> None:
        answer(Recalled(room.name, lines.lines, lines.more, words, mark, after))

    def refused(reason: PeerError) -> None:
        answer(Refused(str(reason), mark))

    ask: Callable[..., None]
    if words is not None:
        ask = partial(house.history.search, room.key, words)
    else:
        ask = partial(house.history.read, room.key)
    person.asking += 1
    ask(span, read, refused)


def check_asking(person: Person) -> None:
    """Raise `Impatient` when they wait for as many answers as they may."""
    if person.asking >= ASKING:
        raise Impatient(f"You asked {ASKING} times and are not answered yet; wait a moment.")


def _somebody(house: House, name: str) -> Member:
    other = house.holder(name)
    if other is None:
        raise NobodyCalled("Nobody here is called that; /WHO lists who is.")
    return other


def _seen(text: str) -> str:
    text = text.rstrip()
    if not text:
        raise NothingSeen("Nothing of that line can be seen.")
    return text


def _note(text: str) -> str:
    if len(text) > LONGEST_NOTE:
        raise TooLong(f"That is too long; {LONGEST_NOTE} characters is the most.")
    return text
