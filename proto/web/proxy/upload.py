"""The body of a request on its way to a server, no faster than the server takes it.

Knows neither where it comes from nor what is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.web.proxy.asking import JOINED, LAST_CHUNK, expects_continue, framed, head_of, length_of
from proto.web.proxy.messages import Ask

CONTINUE_SECONDS: Final = 1.0
"""For a 100 of a server that may not know it; then the body is sent (RFC 9110, 10.1.1)."""


@implementer(IPushProducer)
class Upload:
    """Sends a request that has a body, head and all."""

    def __init__(
        self,
        transport: Any,
        ask: Ask,
        host: bytes,
        clock: IReactorTime,
        sent: Callable[[], None],
        failed: Callable[[Failure], None],
    ) -> None:
        """`sent` is called when all is written, or `failed` with why there is no more of it.

        Raises:
            HTTPError: the head has a character that it may not have.
        """
        self.is_begun = False
        """Something of the request is written."""
        self.has_body_begun = False
        self.done = False
        self.stuck_since: float | None = None
        """Since when the server takes nothing."""
        self._transport = transport
        self._body = ask.body
        self._is_chunked = length_of(ask) is None
        self._head = head_of(ask, host, self._is_chunked)
        self.waits_for_100 = expects_continue(ask)
        """The body is sent when the server has asked for it, or soon."""
        self._clock = clock
        self._sent, self._failed = sent, failed
        self._waiting: Deferred[None] | None = None
        self._late: IDelayedCall | None = None
        self._running: Deferred[None] | None = None

    # The connection calls these.
    def start(self) -> None:
        """Send, from now on."""
        self._running = Deferred.fromCoroutine(self._send())
        self._running.addErrback(self._tell)

    def permit(self) -> None:
        """The server has asked for the body."""
        if self._late is not None:
            self._late.cancel()
            self._late = None
            self._wake()

    def stop(self) -> None:
        """Send no more."""
        if not self.done:
            self.done = True
            if self._late is not None:
                self._late.cancel()
                self._late = None
            self._transport.unregisterProducer()
            if self._running is not None:
                self._running.cancel()

    # The transport calls these.
    def pauseProducing(self) -> None:
        if self.stuck_since is None:
            self.stuck_since = self._clock.seconds()

    def resumeProducing(self) -> None:
        self.stuck_since = None
        if self._late is None:
            self._wake()

    def stopProducing(self) -> None:
        """The connection is gone; whoever has it will be told."""

    async def _send(self) -> None:
        self._transport.registerProducer(self, True)
        if self.waits_for_100:
            self._write(b"")
            self._late = self._clock.callLater(CONTINUE_SECONDS, self._wait_no_longer)
            await self._turn()
            self.waits_for_100 = False
        assert self._body is not None
        async for chunk in self._body:
            if self.done:
                return
            self.has_body_begun = True
            self._write(framed(chunk, self._is_chunked))
            if self.stuck_since is not None:
                await self._turn()
        self._write(LAST_CHUNK if self._is_chunked else b"")
        self._transport.unregisterProducer()
        self.done = True
        self._sent()

    def _write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        self.is_begun = True
        if head and len(data) <= JOINED:
            self._transport.write(head + data)
        elif head:
            self._transport.writeSequence([head, data])
        elif data:
            self._transport.write(data)

    async def _turn(self) -> None:
        self._waiting = Deferred(self._forget)
        await self._waiting

    def _wait_no_longer(self) -> None:
        self._late = None
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _forget(self, _: Deferred[None]) -> None:
        """Nobody waits any more."""
        self._waiting = None

    def _tell(self, failure: Failure) -> None:
        if self.done and failure.check(CancelledError):
            return
        self.stop()
        self._failed(failure)
