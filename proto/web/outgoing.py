"""The body of an answer while it is made: written no faster than the peer takes it.

    outgoing = Outgoing(request)
    request.begin(response, length) ...
    await outgoing.write(chunk)
    outgoing.finish()

Knows neither where the chunks come from nor how they are framed.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from proto.web.request import WebRequest


class PeerLeft(Exception):
    """Nobody waits for the answer any more."""


@implementer(IPushProducer)
class Outgoing:
    """What is written to one request; for one writer.

    A peer that takes nothing at all is cut off by the channel, and the writer sees PeerLeft.
    """

    def __init__(self, request: WebRequest) -> None:
        self._request = request
        self._is_paused = False
        self._is_gone = request.is_over
        self._waiting: Deferred[None] | None = None
        if not self._is_gone:
            request.when_over().addBoth(self._over)
            request.registerProducer(self, True)

    async def write(self, data: bytes) -> None:
        """Send these bytes, then wait until there is room for more.

        Raises:
            PeerLeft: nobody waits for them.
        """
        if self._is_gone:
            raise PeerLeft
        self._request.write(data)
        await self.room()

    async def room(self) -> None:
        """Wait until the peer has taken most of what was written.

        Raises:
            PeerLeft: it never will.
        """
        if self._is_paused and not self._is_gone:
            if self._waiting is not None:
                raise RuntimeError("an answer has one writer")
            self._waiting = Deferred(self._forget)
            await self._waiting
        if self._is_gone:
            raise PeerLeft

    def finish(self) -> None:
        """The answer is complete; does nothing when the peer has left."""
        if self._end():
            self._request.finish()

    def break_off(self) -> None:
        """The answer will never be complete, and the peer shall see that."""
        if self._end():
            self._request.break_off()

    # The channel calls these.
    def pauseProducing(self) -> None:
        self._is_paused = True

    def resumeProducing(self) -> None:
        self._is_paused = False
        self._wake()

    def stopProducing(self) -> None:
        """The connection is gone; the request will be told."""

    def _end(self) -> bool:
        if self._is_gone:
            return False
        self._is_gone = True
        self._request.unregisterProducer()
        return True

    def _over(self, _: object) -> None:
        self._is_gone = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _forget(self, _: Deferred[None]) -> None:
        """Whoever waited was cancelled."""
        self._waiting = None
