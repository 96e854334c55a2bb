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
class Entered:
    """What a newcomer reads: where they are, with whom, and the last lines of the room.

    `others` names at most `house.LISTED` people; `unlisted` counts the rest.
    """

    room: str
    name: str
    others: tuple[str, ...]
    unlisted: int
    lines: tuple[Said | Emoted, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """An answer to one person; its text may have several lines."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Something one person asked for was not done, and why."""

    reason: str


Spoken: TypeAlias = Said | Emoted
"""What a room keeps: it is stored before anyone sees it."""

Event: TypeAlias = (
    Said | Emoted | Told | YouTold | Joined | Moved | Left | Renamed | Entered | Notice | Refused
)
