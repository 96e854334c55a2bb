"""What happens in a chat, as frozen values.  They know no sockets and no wire form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Said:
    """A line said to the room."""

    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Emoted:
    """What somebody does: `/ME waves`."""

    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Pasted:
    """Several lines said as one; they are joined by line feeds."""

    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class TopicSet:
    """What the room is about from now on; an empty text is no topic."""

    sender: str
    text: str


Spoken: TypeAlias = Said | Emoted | Pasted | TopicSet
"""What a room keeps: it is stored before anyone sees it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Something that was said, and its place: what people see of it comes from here.

    `sequence` is 1 for the first line ever said in its room, and each later one has the next;
    `at` is when it was stored, in milliseconds since 1970.
    """

    sequence: int
    at: int
    event: Spoken


@dataclass(frozen=True, slots=True)
class Told:
    """A private line, as the one it was written to reads it."""

    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class YouTold:
    """A private line, as its sender reads it."""

    recipient: str
    text: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody came into the room."""

    name: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Somebody left the room for another one."""

    name: str
    room: str


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody disconnected; `reason` is empty when they simply went."""

    name: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Renamed:
    """Somebody is called something else now."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class WentAway:
    """Somebody is here and does not read for a while; `note` may be empty."""

    name: str
    note: str


@dataclass(frozen=True, slots=True)
class CameBack:
    """Somebody who was away reads again."""

    name: str


@dataclass(frozen=True, slots=True)
class Entered:
    """What a newcomer reads: where they are, with whom, and the last lines of the room.

    others    names of at most `room.LISTED` people who are there; `unlisted` counts the rest
    newest    the sequence number of the newest line that was shown in the room, 0 for none
    resumed   `lines` are those that somebody missed who was here before, oldest first, and
              not the last ones of the room
    more      there are more of them, after those or, if not `resumed`, before
    """

    room: str
    name: str
    others: tuple[str, ...]
    unlisted: int
    topic: TopicSet | None
    newest: int
    lines: tuple[Stored, ...]
    resumed: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class Recalled:
    """Lines of a room that one person asked for, oldest first; `more` tells of others beyond.

    `words` is what was searched for, None for a plain look back; `mark` is what the asker called
    the question, to know its answer by.  Those beyond are older, or newer if the lines `after` a
    number were asked for.
    """

    room: str
    lines: tuple[Stored, ...]
    more: bool
    words: str | None = None
    mark: int | str | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """What somebody who came back with their token did not read, while they are in the room.

    `more` tells that there is more of it, and that these are its first lines.
    """

    lines: tuple[Stored, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Their session goes on through another connection; this one ends."""


@dataclass(frozen=True, slots=True)
class People:
    """Who is in a room: names, and what they said on going away; `unlisted` counts the rest."""

    room: str
    people: tuple[tuple[str, str | None], ...]
    unlisted: int


@dataclass(frozen=True, slots=True)
class Rooms:
    """Rooms and how many people are in each, the fullest first; `unlisted` counts the rest."""

    rooms: tuple[tuple[str, int], ...]
    unlisted: int


@dataclass(frozen=True, slots=True)
class Notice:
    """An answer to one person; its text may have several lines."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Something one person asked for was not done, and why; `mark` is as in `Recalled`."""

    reason: str
    mark: int | str | None = None


Event: TypeAlias = (
    Stored
    | Told
    | YouTold
    | Joined
    | Moved
    | Left
    | Renamed
    | WentAway
    | CameBack
    | Entered
    | Recalled
    | Missed
    | TakenOver
    | People
    | Rooms
    | Notice
    | Refused
)
