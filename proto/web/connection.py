"""The connection below the requests: HTTP/1.1, or HTTP/2 when TLS negotiated it.

`WebConnection.speak` decides who parses the bytes; the transport and the site meet whoever it is
here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.interfaces import IHalfCloseableProtocol, ITransport
from twisted.python.failure import Failure
from twisted.web.http import _GenericHTTPChannelProtocol
from zope.interface import implementer

from proto.addresses import host_of
from proto.reactor.connection import sends_files
from proto.web.channel import Channel
from proto.web.http2 import Http2Connection
from proto.web.known import LARGEST, LONGEST_HEAD, KnownAnswer

if TYPE_CHECKING:
    from proto.web.site import ProtoSite


class Successor(Protocol):
    """What takes a connection over from HTTP/1.1 after a 101 answer."""

    def makeConnection(self, transport: Any, /) -> None: ...

    def dataReceived(self, data: bytes, /) -> None: ...

    def connectionLost(self, reason: Failure, /) -> None: ...

    def dismiss(self) -> None:
        """End the connection politely, and soon."""
        ...


def _unknown(head: bytes) -> KnownAnswer | None:
    """Nobody has asked that before."""
    return None


@implementer(IHalfCloseableProtocol)
class WebConnection(_GenericHTTPChannelProtocol):
    """One connection; it switches to HTTP/2 by itself, and can be asked to end politely."""

    site: ProtoSite
    _site: Any  # the same, whoever speaks
    _channel: Any  # Channel, Http2Connection or a Successor
    _is_settled = False  # who speaks is known
    _known: Callable[[bytes], KnownAnswer | None]
    _dismissed = False
    _host = ""

    @classmethod
    def speak(cls) -> WebConnection:
        """A connection that begins with HTTP/1.1."""
        channel = Channel()
        channel.connection = connection = cls(channel)
        connection._known = _unknown
        return connection

    # Twisted calls these.
    def makeConnection(self, transport: ITransport) -> None:
        self.site.connections.add(self)
        lean = sends_files(transport)
        if lean is not None:
            # An answer that is repeated does not count as too much for the peer.
            lean.readSize, lean.bufferSize = lean.bufferSize, 2 * LARGEST
        self._channel.makeConnection(transport)
        self._host = host_of(self._channel.getPeer())
        if not self._channel.isSecure():  # what is said over TLS is not what is said without
            self._known = self.site.known.get

    def dataReceived(self, data: bytes) -> None:
        if not self._is_settled:
            self._is_settled = True
            if getattr(self._channel.transport, "negotiatedProtocol", None) == b"h2":
                self._speak_http2()
        if len(data) <= LONGEST_HEAD:
            answer = self._known(data)
            if answer is not None and self._channel.repeat(answer.wire):
                self._site.log_known(answer, self._host)
                return
        self._channel.dataReceived(data)

    def readConnectionLost(self) -> None:
        channel = self._channel
        if isinstance(channel, Channel):
            channel.readConnectionLost()
        else:  # nobody else has anything to say to a peer that is silent
            channel.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our side of the connection is closed, as we wanted it."""

    def connectionLost(self, reason: Failure) -> None:
        self._site.connections.discard(self)
        channel = self._channel
        if isinstance(channel, Channel):
            channel.connection = None  # or the two would wait for the cycle collector
        channel.connectionLost(reason)

    # The channel calls this.
    def hand_over(self, successor: Successor) -> None:
        """From now on the bytes go to `successor`."""
        channel, self._channel = self._channel, successor
        self._known = _unknown
        channel.connection = None
        successor.makeConnection(channel.transport)

    # The site calls this.
    def dismiss(self) -> bool:
        """Hang up if nothing is being answered; whether the connection ends by itself from now on.

        HTTP/1.1 ends after the answer that is on its way, HTTP/2 after those of all its streams.
        """
        if self._dismissed:
            return True
        channel = self._channel
        if isinstance(channel, Channel):
            if channel.is_idle:
                channel.loseConnection()
            else:
                channel.persistent = False
        else:
            channel.dismiss()
        self._dismissed = True
        return True

    def _speak_http2(self) -> None:
        old = self._channel
        old.retire()
        old.connection = None
        self._channel = channel = Http2Connection(self._site.clock)
        channel.requestFactory = self._requestFactory
        channel.site = channel.factory = self._site
        channel.timeOut = self._timeOut
        channel.makeConnection(old.transport)
        old._networkProducer.registerProducer(channel, True)
