"""What the small services share: a factory that knows its peers, and the peer it builds.

The factory holds what all its connections share: who is connected and how many bytes went by.  A
service is a `Peer` of a few lines and a `ServiceFactory` that names it.  Nothing here knows what
any service says.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.errors import PeerError
from proto.metrics import Metrics


class IStream(ITransport, IConsumer, IPushProducer):
    """What every stream transport of Twisted is: it is written to, and its reading can pause."""


class Peer(Protocol):
    """One connection; its factory counts it and can end it.

    It reads and drops what comes, so a service that only talks need not care.
    """

    factory: ServiceFactory
    transport: IStream

    # Twisted calls these.
    def makeConnection(self, transport: ITransport) -> None:
        self.factory.peers.add(self)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        self.factory.received.value += len(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.peers.discard(self)

    # The service calls this.
    def send(self, data: bytes) -> None:
        """Write `data`, counted."""
        self.factory.sent.value += len(data)
        self.transport.write(data)

    # The service and its factory call this.
    def hang_up(self) -> None:
        """End the connection as soon as everything written has been sent."""
        self.transport.loseConnection()


@implementer(IHalfCloseableProtocol)
class BoundedPeer(Peer):
    """A peer whose replies grow with what it sends, in bounded memory.

    While more than 64 KiB wait to be sent, nothing is read: the transport is its own producer,
    paused when its write buffer is full and resumed when that is empty.  So a client that sends
    and never reads costs at most about 128 KiB here, and then meets TCP's closed window.
    """

    _bounded = False
    _hung_up = False

    def bound(self) -> None:
        """Read only while there is room for replies, from now on.

        A service that speaks first calls this with the first bytes it receives, not before: during
        a TLS handshake unsent words count as a full buffer, and a connection that then stops
        reading never finishes its handshake.
        """
        if not self._bounded and not self._hung_up:
            self._bounded = True
            self.transport.registerProducer(self.transport, True)

    def hang_up(self) -> None:
        """End the connection as soon as everything written has been sent, paused or not.

        loseConnection() waits for a paused producer for ever, and TLS must read the other side's
        goodbye: so reading resumes and the producer goes first.
        """
        if self._bounded and not self._hung_up:
            self.transport.unregisterProducer()
            self.transport.resumeProducing()
        self._hung_up = True
        super().hang_up()

    # Twisted calls these, because this class is an IHalfCloseableProtocol.  Without it Twisted
    # drops what is unsent as soon as the peer has finished sending (`nc -N`).
    def readConnectionLost(self) -> None:
        self.hang_up()

    def writeConnectionLost(self) -> None:
        """Never happens: this side closes both directions at once."""


class ServiceFactory(Factory[Peer]):
    """Builds the peers of one service, knows who is connected, and counts their bytes."""

    service: ClassVar[str]
    """The name under which its bytes are counted, as in `--service NAME`."""
    noisy = False

    def __init__(self, metrics: Metrics | None = None) -> None:
        metrics = metrics or Metrics()
        self.peers: set[Peer] = set()
        self.received = metrics.tally(
            "echo_bytes_received", "Bytes received by the small services.", service=self.service
        )
        self.sent = metrics.tally(
            "echo_bytes_sent", "Bytes sent by the small services.", service=self.service
        )

    # The door calls these.
    def refusal(self, reason: PeerError) -> bytes:
        """What a peer that cannot be let in, or a request that cannot be served, is told."""
        return f"{reason}\r\n".encode(errors="replace")

    def farewell(self) -> None:
        """The service stops: whatever is unsent is sent, and everybody is hung up on."""
        for peer in tuple(self.peers):
            peer.hang_up()
