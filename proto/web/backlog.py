"""What waits for a peer that reads slowly: bounded in bytes and in seconds.

For answers without an end: WebSockets and event streams.  Knows neither what the bytes say nor
what carries them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from proto.limits import GRACE, SLACK

SLICE: Final = 65536
"""Bytes handed to the transport at a time; it calls itself full above as many."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may wait for one peer: `size` bytes, for `stuck_after` seconds without any taken."""

    clock: IReactorTime
    size: int = 1 << 20
    stuck_after: float = 30.0


class Owner(Protocol):
    """Whose bytes wait."""

    def put(self, data: bytes) -> None:
        """Give these bytes to the transport."""
        ...

    def drained(self) -> None:
        """Nothing waits any more."""
        ...

    def overdue(self, why: str) -> None:
        """The peer is too slow; what waited is forgotten."""
        ...


@implementer(IPushProducer)
class Backlog:
    """The bytes that the transport of one peer does not take yet."""

    __slots__ = (
        "_bounds",
        "_choked",
        "_chunks",
        "_closed",
        "_deadline",
        "_overdue",
        "_owner",
        "waiting",
    )

    def __init__(self, owner: Owner, bounds: Bounds) -> None:
        self.waiting = 0
        self._owner = owner
        self._bounds = bounds
        self._choked = False
        self._closed = False
        self._chunks: deque[bytes] | None = None  # an empty deque takes 600 bytes
        self._deadline: IDelayedCall | None = None
        self._overdue: IDelayedCall | None = None

    def send(self, data: bytes) -> None:
        """Write these bytes now, or when the peer has read what is before them."""
        if self._closed:
            return
        if not self._choked and not self.waiting:
            self._owner.put(data)
            return
        if self._chunks is None:
            self._chunks = deque()
        self._chunks.append(data)
        self.waiting += len(data)
        if self.waiting > SLACK * self._bounds.size:
            self._too_much()
        elif self.waiting > self._bounds.size and self._overdue is None:
            # The transport takes no more in this turn, whoever reads; do they afterwards?
            self._overdue = self._bounds.clock.callLater(GRACE, self._look)

    def release(self) -> None:
        """Give all that waits to the transport; nothing is taken from now on."""
        rest = b"".join(self._chunks or ())
        self.close()
        if rest:
            self._owner.put(rest)

    def close(self) -> None:
        """Forget all that waits; nothing is taken from now on."""
        self._closed = True
        self._chunks = None
        self.waiting = 0
        self._forget_deadline()
        self._forget_overdue()

    # The transport calls these.
    def pauseProducing(self) -> None:
        self._choked = True
        if self._deadline is None and not self._closed:
            seconds = self._bounds.stuck_after
            self._deadline = self._bounds.clock.callLater(seconds, self._stuck)

    def resumeProducing(self) -> None:
        self._choked = False
        self._forget_deadline()
        waited = self.waiting
        while self._chunks and not self._choked:
            self._owner.put(self._slice(self._chunks))
        if waited and not self.waiting and not self._closed:
            self._chunks = None
            self._owner.drained()

    def stopProducing(self) -> None:
        """The transport is gone; the owner will be told."""

    def _slice(self, chunks: deque[bytes]) -> bytes:
        taken, size = [], 0
        while chunks and size < SLICE:
            taken.append(chunks.popleft())
            size += len(taken[-1])
        self.waiting -= size
        return b"".join(taken)

    def _look(self) -> None:
        self._overdue = None
        if self.waiting > self._bounds.size:
            self._too_much()

    def _too_much(self) -> None:
        self._fail(f"does not read: more than {self._bounds.size} bytes wait")

    def _stuck(self) -> None:
        self._deadline = None
        self._fail(f"did not read for {self._bounds.stuck_after:g} s")

    def _fail(self, why: str) -> None:
        self.close()
        self._owner.overdue(why)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget_overdue(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
