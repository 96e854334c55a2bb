"""The connection below the requests: HTTP/1.1, or HTTP/2 when TLS negotiated it.

This is the seam where another HTTP/1.1 channel goes: `WebConnection.speak` decides who parses the
bytes.  For now it is twisted.web's own, with what a peer must not be able to do to it kept out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from twisted.internet.interfaces import ITransport
from twisted.python.failure import Failure
from twisted.web._http2 import H2Connection
from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol

if TYPE_CHECKING:
    from proto.web.site import ProtoSite

# 2**63 has 19 digits.  int() refuses more than 4300 of them, and that would end as a traceback.
MAX_LENGTH_DIGITS: Final = 19


class Successor(Protocol):
    """What takes a connection over from HTTP/1.1 after a 101 answer."""

    def makeConnection(self, transport: Any, /) -> None: ...

    def dataReceived(self, data: bytes, /) -> None: ...

    def connectionLost(self, reason: Failure, /) -> None: ...

    def dismiss(self) -> None:
        """End the connection politely, and soon."""
        ...


class Channel(HTTPChannel):
    """twisted.web's HTTP/1.1 channel, deaf once it has hung up.

    Stock goes on parsing what a transport still delivers, and can then raise, or answer twice.
    """

    connection: WebConnection | None = None
    _networkProducer: Any  # the transport
    _has_hung_up = False
    _successor: Successor | None = None

    # The transport and LineReceiver call these.
    def dataReceived(self, data: bytes) -> None:
        if not self._has_hung_up:
            super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if not self._has_hung_up:
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        if self._successor is not None:  # what was read together with the head of its request
            self._successor.dataReceived(data)
        else:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    # HTTPChannel calls these.
    def headerReceived(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and len(value.strip()) > MAX_LENGTH_DIGITS:
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def loseConnection(self) -> None:
        if not self._has_hung_up:
            self._has_hung_up = True
            super().loseConnection()

    # The request calls this.
    def hand_over(self, successor: Successor) -> None:
        """Leave the connection to another protocol, with what came behind the request."""
        assert self.connection is not None
        self.setTimeout(None)
        self._networkProducer.unregisterProducer()
        self._networkProducer.resumeProducing()  # a long wait for the answer may have paused it
        self.requests.clear()
        early, self._dataBuffer = b"".join(self._dataBuffer), []
        self._successor = successor
        self.connection.hand_over(successor)
        if early:
            successor.dataReceived(early)


class WebConnection(_GenericHTTPChannelProtocol):
    """One connection; it switches to HTTP/2 by itself, and can be asked to end politely."""

    site: ProtoSite
    _site: Any  # the same, whoever speaks
    _channel: Any  # Channel, H2Connection or a Successor

    @classmethod
    def speak(cls) -> WebConnection:
        """A connection that begins with HTTP/1.1."""
        channel = Channel()
        channel.connection = connection = cls(channel)
        return connection

    # Twisted calls these.
    def makeConnection(self, transport: ITransport) -> None:
        self._dismissed = False
        self.site.connections.add(self)
        self._channel.makeConnection(transport)

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
        channel.connection = None
        successor.makeConnection(channel.transport)

    # The site calls this.
    def dismiss(self) -> bool:
        """Hang up if nothing is being answered; whether the connection ends by itself from now on.

        HTTP/1.1 ends after the answer that is on its way.  HTTP/2 has no such switch here: ask
        again when its streams are done.
        """
        if self._dismissed:
            return True
        channel = self._channel
        if isinstance(channel, HTTPChannel):
            if channel.requests:
                channel.persistent = False
            else:
                channel.loseConnection()
        elif not isinstance(channel, H2Connection):
            channel.dismiss()
        elif channel.streams:
            return False
        else:
            transport: Any = channel.transport
            channel.conn.close_connection()  # GOAWAY
            transport.write(channel.conn.data_to_send())
            transport.loseConnection()
        self._dismissed = True
        return True
