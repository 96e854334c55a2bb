"""The body of a request while it arrives, for whoever reads it as it comes.

    async for chunk in request.body: ...

The peer is read no faster than the chunks are taken.  Knows no HTTP: bytes are put in at one end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

FULL: Final = 64 * 1024
"""Bytes that may wait to be taken before the peer is read no more."""


class BodyLost(Exception):
    """The peer has left before all of the body came."""


class IncomingBody:
    """An async iterator of bytes; for one reader."""

    def __init__(
        self,
        hold: Callable[[], None],
        go_on: Callable[[], None],
        wanted: Callable[[], None] = lambda: None,
    ) -> None:
        """`hold` stops the peer, `go_on` lets it send again; `wanted` is called once, before."""
        self.done = False
        """All of it has come, or will never come."""
        self._hold = hold
        self._go_on = go_on
        self._wanted: Callable[[], None] | None = wanted
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._is_held = False
        self._failure: Exception | None = None
        self._waiting: Deferred[None] | None = None

    @classmethod
    def empty(cls) -> IncomingBody:
        """The body of a request that has none."""
        body = cls(lambda: None, lambda: None)
        body.done = True
        return body

    # Whoever reads calls these.
    def __aiter__(self) -> IncomingBody:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes, never empty.

        Raises:
            HTTPError: the body is too long, or malformed.
            BodyLost: the peer has left.
        """
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            wanted()
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self.done:
                raise StopAsyncIteration
            if self._waiting is not None:
                raise RuntimeError("a body has one reader")
            self._waiting = Deferred(self._forget)
            await self._waiting
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        if self._is_held and self._size <= FULL // 2 and not self.done:
            self._is_held = False
            self._go_on()
        return chunk

    async def read(self) -> bytes:
        """All that is still to come; the bound on a body bounds this, too."""
        return b"".join([chunk async for chunk in self])

    # The request calls these.
    def put(self, data: bytes) -> None:
        """These bytes have come."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > FULL and not self._is_held and not self.done:
            self._is_held = True
            self._hold()
        self._wake()

    def end(self) -> None:
        """All of it has come."""
        self.done = True
        self._wake()

    def fail(self, why: Exception) -> None:
        """No more will come; what has come can be read, and then this is raised."""
        if not self.done:
            self._failure = why
            self.end()

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _forget(self, _: Deferred[None]) -> None:
        """Whoever waited was cancelled."""
        self._waiting = None
