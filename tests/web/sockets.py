"""The other side of a WebSocket, in memory: a client of the library `websockets`, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from proto.web.accesslog import AccessLog
from proto.web.site import ProtoSite
from proto.web.websocket import Socket, WebSocketResource
from tests.web.wire import clock_now, hang_up

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, section 1.3
UPGRADE: Final = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


class Wire(StringTransport):
    """A transport that can close its writing side, and be full."""

    producer: Any
    closed_writing = False
    negotiatedProtocol: bytes | None = None

    def is_cut(self) -> bool:
        """Whether the connection was aborted."""
        return bool(self.disconnected)

    def loseWriteConnection(self) -> None:
        self.closed_writing = True

    def fill(self) -> None:
        """From now on it takes no more."""
        self.producer.pauseProducing()

    def drain(self) -> None:
        self.producer.resumeProducing()


@dataclass
class Witness:
    """A listener that writes down what it is told."""

    echo: bool = False
    on_text: Callable[[Socket, str], None] = lambda socket, text: None
    told: list[Any] = field(default_factory=list)
    socket: Any = None

    def opened(self, socket: Socket) -> None:
        self.socket = socket

    def text(self, message: str) -> None:
        self.told.append(message)
        self.on_text(self.socket, message)
        if self.echo:
            self.socket.send_text(message)

    def binary(self, message: bytes) -> None:
        self.told.append(message)
        if self.echo:
            self.socket.send_binary(message)

    def writable(self) -> None:
        self.told.append("writable")

    def dismissed(self) -> None:
        self.socket.close(1001, "the server hangs up")

    def closed(self, code: int, reason: str) -> None:
        self.told.append((code, reason))


class Visit:
    """One connection of a client to a site whose root is a WebSocket."""

    def __init__(
        self,
        witness: Any = None,
        *,
        clock: Clock | None = None,
        deflate: bool = False,
        access_log: AccessLog | None = None,
        site: ProtoSite | None = None,
        early: bytes = b"",
        **options: Any,
    ) -> None:
        self.clock = clock or clock_now()
        self.witness = witness or Witness()
        self.site = site or ProtoSite(
            Root(WebSocketResource(self.clock, lambda request: self.witness, **options)),
            self.clock,
            access_log=access_log,
        )
        extensions = [ClientPerMessageDeflateFactory()] if deflate else None
        self.client = ClientProtocol(parse_uri("ws://localhost/"), extensions=extensions)
        address = IPv4Address("TCP", "192.0.2.1", 4242)
        self.server: Protocol = self.site.buildProtocol(address)
        self.wire = Wire(peerAddress=address)
        self.server.makeConnection(self.wire)
        self.client.send_request(self.client.connect())
        self.server.dataReceived(b"".join(self.client.data_to_send()) + early)
        self.answers = self.hear()

    @property
    def socket(self) -> Socket:
        assert isinstance(self.witness.socket, Socket)
        return self.witness.socket

    @property
    def is_open(self) -> bool:
        return self.client.state is OPEN

    def hear(self) -> list[Frame | Response]:
        """What the server has said since."""
        said = self.wire.value()
        self.wire.clear()
        if said:
            self.client.receive_data(said)
        return self.client.events_received()  # type: ignore[return-value]

    def heard(self) -> list[tuple[Opcode, bytes]]:
        """The frames among it."""
        return [
            (frame.opcode, bytes(frame.data)) for frame in self.hear() if isinstance(frame, Frame)
        ]

    def send(self, raw: bytes = b"") -> None:
        """Give the server these bytes, or what the client wants to say."""
        self.server.dataReceived(raw or b"".join(self.client.data_to_send()))

    def leave(self) -> None:
        hang_up(self.server)


class Root(Resource):
    """A root that is one resource, whatever the path."""

    def __init__(self, only: Resource) -> None:
        super().__init__()
        self._only = only

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self._only


def masked(
    opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0, length: int | None = None
) -> bytes:
    """A client's frame with a mask of zeros, so that the payload can be read in it."""
    size = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if size <= 125:
        head = bytes([first, 0x80 | size])
    elif size <= 0xFFFF:
        head = bytes([first, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, 0x80 | 127]) + size.to_bytes(8, "big")
    return head + bytes(4) + payload
