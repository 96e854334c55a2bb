"""How long a peer may take for what it has to do; and who takes nothing of what it is sent.

Sets no timer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proto.web.liveness import taken, unread_by

LOOK_AGAIN: Final = 15.0
"""Seconds between two looks at a peer that seems to take nothing, or to have left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a peer may take, in seconds."""

    head: float = 20.0
    """from the first byte of a head to its last"""
    body_grace: float = 10.0
    """for a body, besides what its bytes need at `body_rate`"""
    body_rate: int = 500
    """bytes of a body that come in a second"""
    stall: float = 60.0
    """without taking anything of its answer"""
    linger: float = 2.0
    """for which a peer that was refused is still heard, and ignored.  Closing at once would make
    the kernel send a reset, and that can destroy the answer before it is read (RFC 9112, 9.6)."""


class Stall:
    """Since when a peer has taken nothing, though something waits for it."""

    __slots__ = ("_most", "_since", "_taken")

    def __init__(self, most: float) -> None:
        """`most` seconds may pass."""
        self._most = most
        self._since: float | None = None
        self._taken = 0

    @property
    def is_watched(self) -> bool:
        """Something waits for the peer."""
        return self._since is not None

    def watch(self, now: float, transport: object, must_take: bool) -> bool:
        """Look at the peer; whether it has taken too long.

        `must_take`: something waits for it, as far as we know; otherwise the kernel is asked.
        """
        if not (must_take or unread_by(transport)):
            self._since = None
            return False
        amount = taken(transport)
        if self._since is None or amount != self._taken:
            self._since, self._taken = now, amount
        return now >= self._since + self._most

    def forget(self) -> None:
        """It has taken all that waited."""
        self._since = None

    def due(self, now: float) -> float:
        """When to look again."""
        since = now if self._since is None else self._since
        return min(now + LOOK_AGAIN, since + self._most)
