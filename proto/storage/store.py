"""What a database has to do so that a `History` can be kept in it.  Knows none itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from proto.chat.history import Session

ANY: Final = 1 << 36
"""Above every sequence number."""


class Line(NamedTuple):
    """One line to be stored; `at` is in milliseconds since 1970."""

    room: str
    sequence: int
    at: int
    kind: str
    sender: str
    text: str
    words: str
    """By which it is found, with a space between two."""


class Row(NamedTuple):
    """One line as it is read."""

    sequence: int
    at: int
    kind: str
    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines of a room between two numbers, neither of them one; at most `count`.

    The first ones in the order asked for.  When the text of at least two of them has more than
    `size` bytes, the others need not be given.  `words`: only lines with words that begin so.
    """

    room: str
    above: int
    below: int
    backwards: bool
    count: int
    size: int
    words: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What an error of the database means: to the senders, and to who reads the log."""

    why: str
    """As in `That was not stored, so nobody saw it: the disk is full.`; empty for no more than
    that."""
    told: str
    lost: bool
    """The connection is of no more use."""


class Reading(Protocol):
    """A connection that reads; it belongs to one thread."""

    def alive(self) -> bool:
        """It still leads to the store, as far as can be seen without asking it."""
        ...

    def rows(self, stretch: Stretch) -> Sequence[Row]:
        """The lines of a stretch."""
        ...

    def close(self) -> None:
        """End it; raises nothing."""
        ...


class Writing(Reading, Protocol):
    """The connection that writes; every method that does is one transaction."""

    same: bool
    """Since the store's last `writing` nobody else wrote: what was stored then is there."""
    news: str
    """What the log should be told about that, if anything."""

    def newest(self, rooms: Collection[str]) -> Mapping[str, int]:
        """The highest sequence number that these rooms ever had, of those that are known."""
        ...

    def topic(self, room: str, below: int) -> tuple[str, str] | None:
        """Who set the room's topic last, below that sequence number, and what it is."""
        ...

    def session(self, digest: bytes) -> Session | None:
        """What was kept for the digest."""
        ...

    def write(self, lines: Sequence[Line], sessions: Sequence[Session]) -> None:
        """Store all of that, or nothing; it survives a crash."""
        ...

    def index(self, most: int) -> bool:
        """Make so many of the lines quick to search that are not yet; whether there may be more.

        Before that they are found all the same."""
        ...

    def settle(self, newest: Mapping[str, int]) -> None:
        """Let these rooms end at these numbers; nothing beyond comes back after a crash."""
        ...

    def overdue(self, keep: int, older: int) -> Mapping[str, int]:
        """Some rooms, with their newest numbers, that have more than `keep` lines (0 is no limit)
        or whose oldest line is older than `older`."""
        ...

    def trim(self, room: str, below: int, older: int, count: int) -> int:
        """Of the room's oldest `count` lines drop those below a number or older; how many."""
        ...

    def quiet(self, keep: int) -> Mapping[str, int]:
        """Some of the rooms, with their newest numbers, that have been quiet longer than `keep`
        others."""
        ...

    def forget(self, room: str, newest: int) -> None:
        """Drop what is left of a room without lines, if that is still its newest number."""
        ...

    def forget_sessions(self, keep: int, older: int) -> None:
        """Drop sessions that are older, and all but the newest `keep`."""
        ...


class Store(Protocol):
    """A database.  Neither a thread nor a connection is there before it is asked for one."""

    name: str
    """What the log calls it; no secret is in it."""

    def prepare(self) -> None:
        """Make sure nobody else has it, and make or migrate it.  Raises StartError."""
        ...

    def writing(self) -> Writing:
        """A connection for the thread that asks."""
        ...

    def reading(self) -> Reading:
        """A connection for the thread that asks."""
        ...

    def trouble(self, error: Exception) -> Trouble | None:
        """What the error means; None for one that is not the database's."""
        ...

    def interrupt(self) -> None:
        """End what is being read just now, if that can be; any thread may ask."""
        ...

    def release(self) -> None:
        """Let others have it."""
        ...


def storable(text: str) -> str:
    """The text itself, or with U+FFFD for what some database refuses: NUL and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\ufffd") if "\0" in text else text
