"""A service of few words, and the transport and port that a door is tried with."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, ITransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.addresses import peer_name
from proto.doorkeeper import Doorkeeper
from proto.errors import PeerError
from proto.limits import Limits
from proto.metrics import Metrics


class Talk(Protocol):
    """Says whom it meets, and keeps what it hears."""

    factory: Service

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.lost: list[Failure] = []

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.factory.present.append(self)
        self.transport.write(f"hello {peer_name(self.transport.getPeer())}\n".encode())

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.present.remove(self)
        self.lost.append(reason)


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Talk):
    """The same for a peer that may close one side."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[str] = []

    def readConnectionLost(self) -> None:
        self.closed.append("read")
        assert self.transport is not None
        self.transport.write(b"goodbye\n")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        self.closed.append("write")


class Service(Factory):
    """What stands behind a door."""

    noisy = False

    def __init__(self, protocol: type[Talk] = Talk) -> None:
        self._talk = protocol
        self.present: list[Talk] = []
        self.met: list[IAddress] = []
        self.history: list[str] = []

    def startFactory(self) -> None:
        self.history.append("started")

    def stopFactory(self) -> None:
        self.history.append(f"stopped with {len(self.present)} present")

    def buildProtocol(self, addr: IAddress | None) -> Any:
        assert addr is not None
        self.met.append(addr)
        talk = self._talk()
        talk.factory = self
        return talk

    def refusal(self, reason: PeerError) -> bytes:
        return f"! {reason}\r\n".encode()

    def farewell(self) -> None:
        self.history.append("farewell")
        for each in list(self.present):
            assert each.transport is not None
            each.transport.write(b"goodbye\n")
            each.transport.loseConnection()


class Wire(StringTransport):
    """A transport that can also close its writing side, and has a descriptor."""

    def __init__(self, peer: IAddress, descriptor: int = 3) -> None:
        super().__init__(peerAddress=peer)
        self.closed_writing = False
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def closing(self) -> bool:
        """Whether the connection ends when everything is sent."""
        return bool(self.disconnecting)

    def cut(self) -> bool:
        """Whether the connection was aborted."""
        return bool(self.disconnected)

    def loseWriteConnection(self) -> None:
        self.closed_writing = True


class Port:
    """A listening port that is only looked at."""

    def __init__(self) -> None:
        self.numberAccepts = 100
        self._reading = True
        self.read: list[int] = []

    def reads(self) -> bool:
        """Whether newcomers are taken."""
        return self._reading

    def doRead(self) -> None:
        self.read.append(self.numberAccepts)

    def startReading(self) -> None:
        self._reading = True

    def stopReading(self) -> None:
        self._reading = False


def address(host: str = "192.0.2.1", port: int = 4242) -> IAddress:
    return cast(IAddress, IPv4Address("TCP", host, port))


def make_keeper(
    clock: Clock,
    factory: Service | None = None,
    metrics: Metrics | None = None,
    reading: list[ITransport] | None = None,
    limits: Limits | None = None,
) -> Doorkeeper:
    """A doorkeeper; `reading` are the transports that are read, all of them if it is None."""
    return Doorkeeper(
        "talk",
        factory or Service(),
        clock,
        limits or Limits(),
        metrics or Metrics(),
        readers=None if reading is None else lambda: reading,
    )


def counted(metrics: Metrics, name: str) -> str:
    """The value of that sample as Prometheus is told it; empty if there is none."""
    for line in metrics.render().decode().splitlines():
        sample, _, value = line.rpartition(" ")
        if sample == f"proto_{name}":
            return value
    return ""
