"""What several tests need: a protocol joined to a transport that lives in memory."""

from __future__ import annotations

from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport


def connect(
    factory: IProtocolFactory, host: str = "192.0.2.1", port: int = 4242
) -> tuple[Protocol, StringTransport]:
    """A new connection from `host`: the protocol the factory built and the wire it writes to."""
    address = cast(IAddress, IPv4Address("TCP", host, port))
    protocol = cast(Protocol, factory.buildProtocol(address))
    wire = StringTransport(peerAddress=address)
    protocol.makeConnection(wire)
    return protocol, wire
