"""Somebody in the chat: what is theirs wherever they go, and what the house asks of their door.

No sockets: a `Member` is whatever door somebody came through, a `Person` what stays the same when
they change their name, their room, or, with a token, their connection.
"""

from __future__ import annotations

from collections.abc import Collection, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from proto.chat.events import Event

if TYPE_CHECKING:
    from proto.chat.room import Room


@dataclass(slots=True, eq=False)
class Person:
    """Who somebody is.

    address         where they came from as others may read it, None when that is hidden
    host            the address they came from, or `unix`; nobody is shown it
    since           when they came, in seconds since 1970
    entered         the number of the newest line of their room when they came into it
    away            what they said on going away; None while they are back
    token           what they can come back with; None before they asked for one
    digest          the SHA-256 of the token
    correspondent   who wrote to them last
    mark            what they call what they are asking for just now, to know the answer by
    asking          questions about the log that are not answered yet
    ignored_by      who does not want to read them
    """

    address: str | None = None
    host: str | None = None
    since: float = 0.0
    entered: int = 0
    away: str | None = None
    token: str | None = None
    digest: bytes | None = None
    correspondent: Member | None = None
    mark: int | str | None = None
    asking: int = 0
    ignored_by: Set[Member] = frozenset()


class Audience(Protocol):
    """Those in one room who are sent the same bytes."""

    def __len__(self) -> int: ...

    def add(self, member: Member) -> None:
        """They are sent what is published from now on."""
        ...

    def remove(self, member: Member) -> None:
        """They are sent what was published until now, and no more."""
        ...

    def publish(self, event: Event, skipped: Collection[Member] = ()) -> None:
        """Send it to everyone but those skipped, in the order of the calls."""
        ...


class Form(Protocol):
    """How events are written for a client; equal for clients that are sent the same bytes."""

    def __hash__(self) -> int: ...

    def audience(self) -> Audience:
        """A new, empty audience that reads this form."""
        ...


class Member(Protocol):
    """Somebody in the chat, whatever door they came through."""

    name: str
    person: Person
    room: Room | None
    """Where they are; None before they are in, after they left, and between two rooms."""

    @property
    def form(self) -> Form:
        """How what they read is written."""
        ...

    @property
    def congested(self) -> bool:
        """Whether what they were already sent is still waiting; private lines are refused then."""
        ...

    @property
    def seen(self) -> int:
        """The last line of their room that they have for certain; or an earlier one."""
        ...

    def deliver(self, event: Event) -> None:
        """Something for them alone, in its place after what was published.  Never raises."""
        ...

    def departed(self) -> None:
        """They left, and everything that came before it has been delivered; the last call."""
        ...
