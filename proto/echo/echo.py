"""echo (RFC 862): every byte comes back, in order; over UDP every datagram."""

from __future__ import annotations

from proto.echo.datagrams import Datagrams
from proto.echo.service import BoundedPeer, ServiceFactory


class Echo(BoundedPeer):
    """Writes back what it reads."""

    def connectionMade(self) -> None:
        self.bound()

    def dataReceived(self, data: bytes) -> None:
        factory = self.factory
        size = len(data)
        factory.received.value += size
        factory.sent.value += size
        self.transport.write(data)


class EchoFactory(ServiceFactory):
    """The echo service."""

    service = "echo"
    protocol = Echo


class EchoDatagrams(Datagrams):
    """Sends each datagram back as it came."""

    service = "echo"

    def answer(self, datagram: bytes) -> bytes:
        return datagram
