"""What a cache keeps: an answer with what its origin said of keeping it, or how answers vary.

Plain values; no clock, no store.
"""

from __future__ import annotations

from typing import Final

import msgspec

from proto.web.proxy.messages import Fields

OVERHEAD: Final = 256
"""Bytes that an entry takes besides its body and fields, about."""


class Terms(msgspec.Struct, frozen=True, array_like=True):
    """How an answer may be used again, as its origin and the RFC have it."""

    lifetime: int
    """Seconds from its making for which it is fresh."""
    is_always_validated: bool = False
    """It is not used unless the origin says that it still holds (`no-cache`)."""
    is_never_stale: bool = False
    """It is not used stale, whatever happens (`must-revalidate` and what implies it)."""
    while_revalidate: int = 0
    """Seconds for which it may be used stale while it is asked for anew."""
    if_error: int | None = None
    """Seconds for which it may be used stale when the origin fails; None: nothing was said."""


class Entry(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A whole answer to a GET."""

    status: int
    reason: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    """Without what may not be kept; Date is among them, Age is not."""
    body: bytes
    got_at: float
    """When its head came, in seconds since the epoch."""
    initial_age: float
    """How old it was then."""
    terms: Terms

    def age(self, now: float) -> float:
        """Seconds since it was made or found to hold (RFC 9111 section 4.2.3)."""
        return self.initial_age + max(0.0, now - self.got_at)

    def remaining(self, now: float) -> float:
        """Seconds for which it is still fresh; 0 and below: it is stale."""
        return self.terms.lifetime - self.age(now)

    def value(self, name: bytes) -> bytes:
        """The first value of a field, empty where there is none; `name` is in lower case."""
        for each, value in self.fields:
            if each.lower() == name:
                return value
        return b""

    @property
    def cost(self) -> int:
        """Bytes that it takes in memory, about."""
        return OVERHEAD + len(self.body) + cost_of(self.fields)


class Variants(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """There are several answers: which one it is depends on these fields of a request (Vary)."""

    names: tuple[bytes, ...]
    """In lower case, sorted."""
    generation: bytes
    """A part of the variants' keys.  Without this record none of them is found again."""

    @property
    def cost(self) -> int:
        """Bytes that it takes in memory, about."""
        return OVERHEAD + sum(map(len, self.names))


Record = Entry | Variants


def cost_of(fields: Fields) -> int:
    """Bytes that these fields take in memory, about."""
    return sum(len(name) + len(value) + 100 for name, value in fields)
