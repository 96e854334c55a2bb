"""reverse: one request, its reversal after a while, and the connection is over.

A request ends at a delimiter, which is no part of it nor of the reply.  The while is a timer, so
any number of replies wait at once.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.addresses import peer_name
from proto.echo.reversal import by_byte, by_character
from proto.echo.service import Peer, ServiceFactory
from proto.errors import PeerError
from proto.metrics import Metrics

MAX_REQUEST: Final = 64 * 1024
"""Bytes, the delimiter not counted."""
LINGER: Final = 1.0
"""Seconds for which the rest of a request that is too long is read and dropped.  Closing with
unread bytes resets the connection and can take the error line with it (RFC 9112, section 9.6)."""


class RequestTooLong(PeerError):
    """The peer sent more than one request may hold."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"request longer than {limit} bytes")


@implementer(IHalfCloseableProtocol)
class Reverse(Peer):
    """Collects a request, waits, replies and hangs up.

    A peer that only finished sending (`nc -N`) still gets its reply.
    """

    factory: ReverseFactory
    log = Logger()

    def __init__(self) -> None:
        self._request: bytearray | None = bytearray()  # None: complete, or given up
        self._reply: bytes | None = None
        self._timer: IDelayedCall | None = None
        self._hung_up = False

    # Twisted calls these.
    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self._request is not None:
            self._read(self._request, data)

    def readConnectionLost(self) -> None:
        if self._reply is None:
            self._report_early_end()
            self.hang_up()
        else:
            self.log.info(
                "{peer} finished sending and may have left; its reply follows when due",
                peer=peer_name(self.transport.getPeer()),
            )

    def writeConnectionLost(self) -> None:
        """Never happens: this side closes both directions at once."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._report_early_end()
        self._stop_timer()

    # The timer and the factory call this.
    def hang_up(self) -> None:
        """End the connection; a reply that is still waiting for its time goes out now."""
        self._stop_timer()
        if self._reply is not None and not self._hung_up:
            self.send(self._reply)
        self._hung_up = True
        super().hang_up()

    def _read(self, request: bytearray, data: bytes) -> None:
        """Take bytes until the delimiter; only those not yet searched are searched."""
        delimiter = self.factory.delimiter
        most = self.factory.max_request + len(delimiter)
        start = max(0, len(request) - len(delimiter) + 1)
        request += data
        end = request.find(delimiter, start, most)
        if end >= 0:
            self._request = None
            self._reply = self.factory.reverse(bytes(request[:end]))
            self._hang_up_in(self.factory.delay)
        elif len(request) >= most:
            self._request = None
            self.send(self.factory.refusal(RequestTooLong(self.factory.max_request)))
            self._hang_up_in(LINGER)

    def _hang_up_in(self, seconds: float) -> None:
        if seconds:
            self._timer = self.factory.clock.callLater(seconds, self.hang_up)
        else:
            self.hang_up()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _report_early_end(self) -> None:
        """Leaving early is a peer's right: it is told to the log, once, and is no error."""
        if self._hung_up:
            return
        if self._request is not None:
            missing = "request was complete"
        elif self._reply is not None:
            missing = "reply was due"
        else:
            return
        self.log.info(
            "{peer} left early, before its {missing}",
            peer=peer_name(self.transport.getPeer()),
            missing=missing,
        )


class ReverseFactory(ServiceFactory):
    """The reversing service."""

    service = "reverse"
    protocol = Reverse

    def __init__(
        self,
        clock: IReactorTime,
        *,
        delimiter: bytes = b"!",
        delay: float = 0.0,
        text: bool = False,
        max_request: int = MAX_REQUEST,
        metrics: Metrics | None = None,
    ) -> None:
        """`delay` is in seconds, `max_request` in bytes; with `text` characters are reversed."""
        super().__init__(metrics)
        if not delimiter:
            raise ValueError("an empty delimiter never ends a request")
        self.clock = clock
        self.delimiter = delimiter
        self.delay = delay
        self.max_request = max_request
        self.reverse = by_character if text else by_byte
