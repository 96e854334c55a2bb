"""A request as it goes to another server, and its answer as it comes back: values, and a body.

Header fields are pairs of bytes in their order, names as they are sent.  No twisted, no sockets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

Fields = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a server: a head, and the body as it comes."""

    method: bytes
    target: bytes
    """In origin form, `/path?query`, still encoded."""
    fields: Fields
    body: AsyncIterator[bytes] | None = None
    """None when there is none."""
    client: str = ""
    """The address of who asks, without its port."""


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for each in nothing:
        yield each


@dataclass(slots=True)
class Reply:
    """What a server answers: a head, and the body as it comes.

    Whoever has it reads `body` to its end or calls `close`.  `body` raises ReplyLost when the rest
    of it never comes.
    """

    status: int
    reason: bytes
    fields: Fields
    body: AsyncIterator[bytes] = field(default_factory=_nothing)
    close: Callable[[], None] = lambda: None
    """Nobody wants the rest; may be called more than once, and after the end."""

    def values(self, name: bytes) -> list[bytes]:
        """The values of that field, in their order; `name` is in lower case."""
        return [value for each, value in self.fields if each.lower() == name]


class ReplyLost(Exception):
    """The rest of an answer will never come."""


Fetch = Callable[[Ask], Awaitable[Reply]]
"""Asks a server.  Raises HTTPError, 502, 503 or 504, when there is no answer."""
