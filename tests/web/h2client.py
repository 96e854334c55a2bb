"""A peer that speaks HTTP/2 to a site, in memory: by the h2 library, or in frames of its own.

What it reads it takes as it comes, as no library would do that has not sent all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from hpack import Decoder, Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    WindowUpdateFrame,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from proto.logfile.peers import subject_of
from proto.metrics import Metrics
from proto.web.accesslog import AccessLog
from proto.web.h2heads import Field
from proto.web.handlers import Handlers
from proto.web.request import WebRequest
from proto.web.response import HTTPError, Response
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.web.sockets import Wire
from tests.web.wire import Answer, clock_now, hang_up

TURNS = 60
BIG = b"0123456789" * 100_000


def request(
    path: str = "/", method: str = "GET", *, host: str = "localhost", **fields: str
) -> list[Field]:
    """The fields of a request; `if_match` stands for If-Match."""
    told = {":method": method, ":path": path, ":scheme": "https", ":authority": host}
    told |= {name.replace("_", "-"): value for name, value in fields.items()}
    return [(name.encode(), value.encode("latin-1")) for name, value in told.items()]


class Listening(H2Connection):
    """The library's client, which goes on reading after GOAWAY, as real ones do."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        return [], [ConnectionTerminated()]


class Client:
    """One connection; what the server says is sorted by its streams."""

    def __init__(self, site: ProtoSite, clock: Clock, preface: bytes = b"") -> None:
        """With a `preface` it says that, and nothing else."""
        self.clock = clock
        self.site = site
        self.wire = Secured()
        self.wire.negotiatedProtocol = b"h2"
        self.server: Any = site.buildProtocol(None)
        self.server.makeConnection(self.wire)
        self.h2 = H2Connection(H2Configuration(header_encoding="latin-1"))
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.told_to_go_on: set[int] = set()
        self.goaway: GoAwayFrame | None = None
        self.frames: list[Frame] = []
        self._unread = b""
        self._decoder = Decoder()
        if preface:
            self.server.dataReceived(preface)
        else:
            self.h2.initiate_connection()
            self.send()

    def send(self, *frames: Frame) -> None:
        """What the library has to say, and then these frames."""
        raw = self.h2.data_to_send() + b"".join(frame.serialize() for frame in frames)
        if raw:
            self.server.dataReceived(raw)

    def ask(self, stream: int, *headers: Any, ended: bool = True) -> None:
        """Begin a request, by default GET / without a body."""
        self.h2.send_headers(stream, list(headers or request()), end_stream=ended)
        self.send()

    def head(self, stream: int, fields: Sequence[Field], *flags: str) -> HeadersFrame:
        """A head that the library would not send; nothing of it is remembered by either side."""
        data = Encoder().encode([(name, value, True) for name, value in fields])
        return HeadersFrame(stream, data, flags=("END_HEADERS", *flags))

    def read(self, turns: int = TURNS) -> None:
        """Let the server have its turns, and take what it says."""
        for _ in range(turns):
            self.clock.advance(0)
        said = self.wire.value()
        self.wire.clear()
        self._unread += said
        while len(self._unread) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._unread[:9]))
            assert len(self._unread) >= 9 + length, "a frame is not whole"
            frame.parse_body(memoryview(self._unread[9 : 9 + length]))
            self._unread = self._unread[9 + length :]
            self._note(frame)

    def _note(self, frame: Frame) -> None:
        self.frames.append(frame)
        number = frame.stream_id
        match frame:
            case HeadersFrame():
                found: Any = self._decoder.decode(frame.data)
                if dict(found)[":status"].startswith("1"):
                    self.told_to_go_on.add(number)
                else:
                    self.heads[number] = dict(found)
            case DataFrame():
                assert number not in self.ended, "data after the end"
                self.bodies[number] = self.bodies.get(number, b"") + frame.data
            case WindowUpdateFrame() if not number or number in self.h2.streams:
                self.h2.receive_data(frame.serialize())
            case RstStreamFrame():
                self.resets[number] = frame.error_code
            case GoAwayFrame():
                self.goaway = frame
        if "END_STREAM" in frame.flags:
            self.ended.add(number)

    def room(self, stream: int) -> int:
        """Bytes that may be sent."""
        return self.h2.local_flow_control_window(stream)

    def status(self, stream: int) -> int:
        """The status of an answer; 0 when there is none."""
        return int(self.heads.get(stream, {}).get(":status", 0))

    def answer(self, stream: int) -> Answer:
        """A whole answer."""
        assert stream in self.ended, f"{stream} has not ended: {self.frames[-5:]}"
        head = dict(self.heads[stream])
        return Answer(int(head.pop(":status")), head, self.bodies.get(stream, b""))

    def is_closing(self) -> bool:
        """Whether the server has hung up."""
        return bool(self.wire.disconnecting or self.wire.is_cut())

    def leave(self) -> None:
        """Hang up."""
        hang_up(self.server)

    def hang_up(self) -> None:
        """Hang up, as the last one."""
        self.leave()
        assert not self.site.connections


def _length(request: WebRequest) -> str:
    return str(len(request.content.read()))


def _refuse(request: WebRequest) -> str:
    raise HTTPError(403)


class Secured(Wire):
    """A transport that knows its peer's certificate."""

    certificate: Any = None

    def getPeerCertificate(self) -> Any:
        return self.certificate


class House:
    """A site whose `/wait/N` is answered when the test says so."""

    def __init__(self, log: Path | None = None, **options: Any) -> None:
        self.clock: Clock = clock_now()
        self.waiting: dict[str, Deferred[str]] = {}
        self.lost: list[str] = []
        self.called = 0
        handlers = Handlers()
        handlers.register("/", lambda request: "hello")
        handlers.register("/big", lambda request: BIG)
        handlers.register("/count", self._count)
        handlers.register("/wait/<name>", self._wait)
        handlers.register("/body", lambda request: request.content.read(), methods=["POST"])
        handlers.register("/length", _length, ["POST"])
        handlers.register("/empty", lambda request: Response(204))
        handlers.register("/who", lambda request: subject_of(request.transport))
        handlers.register("/stream", self._stream, ["POST"], streaming=True)
        handlers.register("/glance", self._glance, ["POST"], streaming=True)
        handlers.register("/refuse", _refuse, ["POST"], streaming=True)
        self.metrics = Metrics()
        self.hold: Deferred[None] | None = None
        self.read: list[bytes] = []
        options = {"metrics": self.metrics, "max_body": 10_000, **options}
        options["streams"] = handlers.streams
        if log is not None:
            options["access_log"] = access_log = AccessLog(log, self.clock)
            access_log.open()
        self.site = ProtoSite(
            build_tree(None, self.clock, handlers=handlers), self.clock, **options
        )

    def client(self) -> Client:
        client = Client(self.site, self.clock)
        client.read()
        return client

    async def _stream(self, request: WebRequest) -> str:
        if self.hold is not None:
            await self.hold
        assert request.body is not None
        async for chunk in request.body:
            self.read.append(chunk)
        return str(sum(map(len, self.read)))

    async def _glance(self, request: WebRequest) -> str:
        """Answer without reading the body."""
        if self.hold is not None:
            await self.hold
        return "seen"

    def _count(self, request: WebRequest) -> str:
        self.called += 1
        return str(self.called)

    def _wait(self, request: WebRequest, name: str) -> Deferred[str]:
        waiting: Deferred[str] = Deferred(lambda _: None)
        self.waiting[name] = waiting
        request.when_over().addErrback(lambda _: self.lost.append(name))
        return waiting


def is_ended_by(client: Client, code: ErrorCodes) -> bool:
    """Whether the server has said why, hung up, and no longer hears what comes."""
    client.read()
    if client.goaway is None or client.goaway.error_code != code or not client.is_closing():
        return False
    assert client.wire.producer is None, "a TLS transport would not close"
    client.server.dataReceived(PingFrame(0).serialize())
    client.clock.advance(2)
    assert client.wire.is_cut()  # though the peer does not close
    client.hang_up()
    return not client.wire.value() and not client.clock.getDelayedCalls()


def in_frames(head: HeadersFrame) -> list[Frame]:
    """A long head, cut into frames."""
    data, size = head.data, 16_384
    if len(data) <= size:
        return [head]
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    head.flags.discard("END_HEADERS")
    head.data = cut[0]
    rest: list[Frame] = [ContinuationFrame(head.stream_id, piece) for piece in cut[1:]]
    rest[-1].flags.add("END_HEADERS")
    return [head, *rest]
