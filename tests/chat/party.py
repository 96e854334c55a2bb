"""A chat in memory: a factory with its clock and house, and clients that keep what they read."""

from __future__ import annotations

from typing import Any, Final, cast

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from proto.chat.factory import ChatFactory
from proto.chat.history import History, MemoryHistory
from proto.chat.house import House
from proto.chat.protocol import ChatProtocol
from tests.chat.doubles import NOW
from tests.support import connect

WELCOME: Final = (
    b"Welcome to the party!\r\n"
    b"Send '/NAME [new name]' to change your name.\r\n"
    b"Send '/EXIT' to quit.\r\n"
)


class Client:
    """One connection: what it sends, and what it read."""

    def __init__(self, party: Party, chat: ChatProtocol, wire: StringTransport) -> None:
        self.party, self.chat, self.wire = party, chat, wire

    def send(self, data: bytes) -> None:
        self.chat.dataReceived(data)
        self.party.clock.advance(0)

    def read(self) -> bytes:
        data = bytes(self.wire.value())
        self.wire.clear()
        return data

    def half_close(self) -> None:
        self.chat.readConnectionLost()
        self.party.clock.advance(0)

    def close(self) -> None:
        self.chat.connectionLost()
        self.party.clock.advance(0)

    @property
    def hung_up(self) -> bool:
        return self.wire.disconnecting

    @property
    def aborted(self) -> bool:
        return self.wire.disconnected

    @property
    def held(self) -> bool:
        return self.wire.producerState == "paused"


class Party:
    """A chat with a clock, which greets at once unless told otherwise."""

    def __init__(self, history: History | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.house = House(history or MemoryHistory(self._now), self._now)
        options.setdefault("greet_after", 0)
        self.factory = ChatFactory(self.house, self.clock, **options)

    def _now(self) -> float:
        return NOW + self.clock.seconds()

    def connect(self, host: str = "192.0.2.1") -> Client:
        chat, wire = connect(self.factory, host)
        self.clock.advance(0)
        return Client(self, cast(ChatProtocol, chat), wire)

    def join(self, name: str, wire: StringTransport | None = None) -> Client:
        """Somebody who is greeted and has a name; what they read so far is forgotten."""
        address = cast(IAddress, IPv4Address("TCP", "192.0.2.9", 9))
        chat, wire = self.factory.buildProtocol(address), wire or StringTransport(address)
        chat.makeConnection(wire)
        client = Client(self, chat, wire)
        client.send(b"/NAME %s\n" % name.encode())
        for other in self.factory.clients:
            cast(StringTransport, other.transport).clear()
        return client
