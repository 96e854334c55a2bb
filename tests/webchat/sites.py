"""A web service with the chat in it, in memory; and clients that talk to it byte by byte."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from proto.chat.events import Said
from proto.chat.factory import ChatFactory
from proto.chat.history import History
from proto.chat.house import House
from proto.limits import Admissions, Limits
from proto.metrics import Metrics
from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from proto.webchat.doors import PATH, WebChat
from tests.chat.doubles import house_of
from tests.web.sockets import Wire
from tests.web.wire import Answer, ask, clock_now, hang_up, request_bytes, split_answer

HOST: Final = "192.0.2.1"


class ChatSite:
    """The service; what there is in it can be looked at."""

    def __init__(
        self,
        history: History | None = None,
        *,
        house: House | None = None,
        limits: Limits | None = None,
        origins: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        self.clock = clock_now()
        self.house = house or house_of(history)
        self.history: Any = self.house.history
        self.factory = ChatFactory(self.house, self.clock, motd=["Be kind."], **options)
        self.admissions = Admissions(limits or Limits(), self.clock.seconds)
        handlers = Handlers()
        tree = build_tree(None, self.clock, handlers=handlers)
        self.doors = WebChat(self.factory, self.admissions, Metrics(), origins)
        self.doors.mount(tree, handlers)
        self.site = ProtoSite(tree, self.clock)

    def turn(self) -> None:
        """What is due is done, and what that makes due."""
        for _ in range(3):
            self.clock.advance(0)

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of an answer with status 200."""
        answer = ask(self.site, PATH + path, "GET", b"", **headers)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def post(self, path: str, value: object, **headers: str) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        named = {"Content_Type": "application/json", **headers}
        return ask(self.site, PATH + path, "POST", body, **named)

    def token(self, name: str) -> str:
        """A token for that name."""
        answer = self.post("/sessions", {"name": name})
        assert answer.status == 201, answer
        told: str = json.loads(answer.body)["token"]
        return told

    def fill(self, count: int, room: str = "lobby", text: str = "line {}") -> None:
        """Have lines in a room; the first is number 1."""
        for number in range(1, count + 1):
            event = Said("ann", text.format(number))
            self.history.append(room, event, lambda line: None, lambda reason: None)


def lines_of(room: str) -> str:
    """Where the lines of a room are, below the chat's path."""
    return f"/rooms/{quote(room, safe='')}/lines"


class Visit:
    """A connection to the site, and what has come over it."""

    def __init__(self, chat: ChatSite, host: str = HOST) -> None:
        self.chat = chat
        address = IPv4Address("TCP", host, 4242)
        self.server: Protocol = chat.site.buildProtocol(address)
        self.wire = Wire(peerAddress=address)
        self.server.makeConnection(self.wire)

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.server.dataReceived(request_bytes(PATH + path, method, named, body))

    def taken(self) -> bytes:
        """What has come since."""
        self.chat.turn()
        said: bytes = self.wire.value()
        self.wire.clear()
        return said

    def answer(self) -> Answer:
        """The one answer."""
        answer, rest = split_answer(self.taken())
        assert rest == b""
        return answer

    def leave(self) -> None:
        hang_up(self.server)
        self.chat.turn()


class WebSocket(Visit):
    """A client of the chat's WebSocket."""

    def __init__(self, chat: ChatSite, host: str = HOST, **headers: str) -> None:
        super().__init__(chat, host)
        self._client = ClientProtocol(parse_uri(f"ws://localhost{PATH}/socket"))
        request = self._client.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self._client.send_request(request)
        self._flush()
        self._seen = self._events()
        first = self._seen.pop(0)
        assert isinstance(first, Response)
        self.status, self.headers = first.status_code, first.headers

    def say(self, type: str, **fields: Any) -> None:
        self.send(json.dumps({"type": type, **fields}))

    def send(self, text: str | bytes) -> None:
        if isinstance(text, str):
            self._client.send_text(text.encode())
        else:
            self._client.send_binary(text)
        self._flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._client.send_close(code, reason)
        self._flush()

    def news(self) -> list[Any]:
        """The messages that came, and the codes of close frames."""
        found: list[Any] = []
        for event in self._events():
            assert isinstance(event, Frame)
            if event.opcode is Opcode.TEXT:
                found.append(json.loads(bytes(event.data)))
            elif event.opcode is Opcode.CLOSE:
                found.append(int(Close.parse(event.data).code))
        return found

    def _flush(self) -> None:
        self.server.dataReceived(b"".join(self._client.data_to_send()))

    def _events(self) -> list[Any]:
        if said := self.taken():
            self._client.receive_data(said)
        return self._client.events_received()
