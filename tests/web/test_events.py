from __future__ import annotations

from typing import Any

import pytest
from h2.config import H2Configuration
from h2.events import DataReceived
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.web.events import EventStream, event_text
from proto.web.request import WebRequest
from proto.web.site import ProtoSite
from tests.support import connect
from tests.web.h2client import Listening
from tests.web.sockets import Wire
from tests.web.wire import ask, clock_now, hang_up, request_bytes


class Feed(Resource):
    """A resource whose answers are streams."""

    isLeaf = True

    def __init__(self, clock: Clock, **options: Any) -> None:
        super().__init__()
        self._clock = clock
        self._options = options
        self.streams: list[EventStream] = []
        self.closed = 0

    def render(self, request: WebRequest) -> int:
        self.streams.append(EventStream(request, self._clock, self._count, **self._options))
        return NOT_DONE_YET

    def _count(self) -> None:
        self.closed += 1


class Reader:
    """A connection that asks for the stream."""

    def __init__(self, version: str = "1.1", headers: Any = None, **options: Any) -> None:
        self.clock = clock_now()
        self.feed = Feed(self.clock, **options)
        self.site = ProtoSite(self.feed, self.clock)
        self.server: Any = self.site.buildProtocol(None)
        self.wire = Wire()
        self.server.makeConnection(self.wire)
        raw = request_bytes("/", "GET", headers or {}, b"")
        self.server.dataReceived(raw.replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
        (self.stream,) = self.feed.streams
        self.head = self.read()

    def read(self) -> bytes:
        said: bytes = self.wire.value()
        self.wire.clear()
        return said

    def events(self) -> bytes:
        """What came, out of its chunks."""
        rest, body = self.read(), b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
        return body


def parsed(text: str) -> list[dict[str, str]]:
    """The events a browser would see, after the standard's rules."""
    events, now = [], {"data": ""}
    for line in text.split("\n"):
        name, _, value = line.partition(": ")
        if not line:
            events.append({**now, "data": now["data"][:-1]})
            now = {"data": ""}
        elif name == "data":
            now["data"] += value + "\n"
        elif not line.startswith(":"):
            now[name] = value
    return events[:-1]


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (("x",), "data: x\n\n"),
        (("",), "data: \n\n"),
        (("a\nb\r\nc\rd",), "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (("x", "7", "said"), "id: 7\nevent: said\ndata: x\n\n"),
        (("x", ""), "id: \ndata: x\n\n"),
    ],
)
def test_events_as_text(told: tuple[str, ...], text: str) -> None:
    assert event_text(*told) == text


@pytest.mark.parametrize("bad", ["a\nb", "a\r", "a\0"])
def test_what_would_forge_a_field_is_a_mistake_of_the_caller(bad: str) -> None:
    with pytest.raises(ValueError, match="cannot be the id"):
        event_text("x", id=bad)
    with pytest.raises(ValueError, match="cannot be the event"):
        event_text("x", event=bad)


@given(st.lists(st.text(max_size=20).filter(lambda text: "\r" not in text), max_size=5))
def test_what_is_sent_is_what_a_browser_reads(texts: list[str]) -> None:
    text = "".join(event_text(each, id="1") for each in texts)
    assert parsed(text) == [{"data": each, "id": "1"} for each in texts]


def test_the_head_leaves_at_once() -> None:
    head, _, body = Reader().head.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Type: text/event-stream\r\n" in head + b"\r\n"
    assert b"\r\nCache-Control: no-store\r\n" in head + b"\r\n"
    assert b"\r\nTransfer-Encoding: chunked" in head
    assert body == b"3\r\n:\n\n\r\n"


def test_events_leave_as_they_are_sent() -> None:
    reader = Reader()
    reader.stream.send("grüß", id="1", event="said")
    assert reader.events() == "id: 1\nevent: said\ndata: grüß\n\n".encode()


def test_the_end_is_the_end_of_the_answer_and_not_of_the_connection() -> None:
    reader = Reader()
    reader.stream.end()
    reader.stream.end()
    reader.stream.send("too late")
    assert reader.read() == b"0\r\n\r\n"
    assert reader.feed.closed == 1
    assert not reader.wire.disconnecting
    assert not reader.site.endless


def test_http_1_0_reads_until_the_connection_ends() -> None:
    reader = Reader("1.0")
    reader.stream.send("x")
    assert reader.read() == b"data: x\n\n"
    reader.stream.end()
    assert reader.wire.disconnecting


def test_a_quiet_stream_has_a_heartbeat() -> None:
    reader = Reader()
    reader.clock.advance(14)
    reader.stream.send("x")
    reader.clock.advance(14)
    assert reader.events() == b"data: x\n\n"
    reader.clock.advance(1)
    assert reader.events() == b":\n\n"
    reader.clock.advance(15)
    assert reader.events() == b":\n\n"


def test_the_last_event_id_is_given_to_the_application() -> None:
    assert Reader().stream.last_event_id == ""
    assert Reader(headers={"Last-Event-ID": "42"}).stream.last_event_id == "42"
    assert Reader(headers={"Last-Event-ID": "4" * 5000}).stream.last_event_id == ""


def test_a_peer_that_leaves_is_told_once_and_nothing_stays() -> None:
    reader = Reader()
    hang_up(reader.server)
    reader.stream.send("x")
    reader.stream.end()
    assert reader.feed.closed == 1
    assert not reader.site.endless
    assert not reader.clock.getDelayedCalls()


def test_a_peer_that_left_before_its_stream_began_is_told_as_closed() -> None:
    clock = clock_now()
    requests: list[WebRequest] = []

    class Late(Resource):
        isLeaf = True

        def render(self, request: WebRequest) -> int:
            requests.append(request)
            return NOT_DONE_YET

    protocol, wire = connect(ProtoSite(Late(), clock))
    protocol.dataReceived(request_bytes("/", "GET", {}, b""))
    hang_up(protocol)
    closed: list[str] = []
    stream = EventStream(requests[0], clock, lambda: closed.append("closed"))
    stream.send("x")
    assert closed == []
    clock.advance(0)
    assert closed == ["closed"]
    assert wire.value() == b""
    assert not clock.getDelayedCalls()


def test_what_waits_is_sent_before_the_end() -> None:
    reader = Reader()
    reader.wire.fill()
    reader.stream.send("x")
    reader.stream.end()
    assert (reader.read(), reader.stream.waiting) == (b"", 9)
    reader.wire.drain()
    assert reader.read() == b"9\r\ndata: x\n\n\r\n0\r\n\r\n"
    assert reader.feed.closed == 1


def test_a_peer_with_too_much_waiting_is_cut_off() -> None:
    reader = Reader(max_queue=100)
    reader.wire.fill()
    reader.stream.send("x" * 400)
    assert reader.feed.closed == 0  # not while the application is sending
    reader.clock.advance(0)
    assert reader.wire.is_cut()
    hang_up(reader.server)
    assert reader.feed.closed == 1


def test_a_peer_that_takes_nothing_for_a_while_is_cut_off() -> None:
    reader = Reader(stuck_after=30)
    reader.wire.fill()
    reader.stream.send("x")
    reader.stream.end()
    reader.clock.advance(30)
    reader.clock.advance(0)
    assert reader.wire.is_cut()


def test_farewell_ends_the_streams() -> None:
    reader = Reader()
    reader.site.farewell()
    assert reader.read() == b"0\r\n\r\n"
    assert reader.wire.disconnecting
    assert reader.feed.closed == 1


def test_no_stream_begins_while_the_server_stops() -> None:
    clock = clock_now()
    site = ProtoSite(Feed(clock), clock)
    protocol, wire = connect(site)
    protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n")
    site.farewell()
    protocol.dataReceived(b"\r\n")
    assert wire.value().startswith(b"HTTP/1.1 503 ")


class Reader2:
    """A connection that asks for the stream over HTTP/2; `window` is in bytes."""

    def __init__(self, window: int = 65535, **options: Any) -> None:
        self.clock = clock_now()
        self.feed = Feed(self.clock, **options)
        self.site = ProtoSite(self.feed, self.clock)
        self.server: Any = self.site.buildProtocol(None)
        self.wire = Wire()
        self.wire.negotiatedProtocol = b"h2"
        self.server.makeConnection(self.wire)
        self.client = Listening(H2Configuration())
        self.client.initiate_connection()
        self.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.client.increment_flow_control_window(1 << 30)
        path = [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")]
        self.client.send_headers(1, path, end_stream=True)
        self.server.dataReceived(self.client.data_to_send())
        (self.stream,) = self.feed.streams

    def read(self) -> list[Any]:
        """What came: data as bytes, and other events by their names."""
        for _ in range(9):  # HTTP/2 writes from turn to turn
            self.clock.advance(0)
        said = self.wire.value()
        self.wire.clear()
        return [
            each.data if isinstance(each, DataReceived) else type(each).__name__
            for each in self.client.receive_data(said)
        ]

    def is_closed(self) -> bool:
        """End the connection; whether the stream has ended before."""
        self.clock.advance(0)
        was = self.feed.closed == 1
        hang_up(self.server)
        self.read()
        return was and self.feed.closed == 1


def test_http_2_has_events_too() -> None:
    reader = Reader2()
    head = reader.read()
    assert "ResponseReceived" in head
    assert b":\n\n" in head
    reader.stream.send("x")
    assert reader.read() == [b"data: x\n\n"]
    reader.stream.end()
    assert "StreamEnded" in reader.read()
    assert reader.is_closed()


def test_http_2_farewell_ends_the_streams() -> None:
    reader = Reader2()
    reader.read()
    reader.site.farewell()
    assert "StreamEnded" in reader.read()
    reader.clock.advance(1)
    assert reader.wire.disconnecting
    assert reader.is_closed()


def test_http_2_what_is_above_the_window_waits() -> None:
    reader = Reader2(window=10, max_queue=100)
    reader.read()
    reader.stream.send("x" * 10)
    assert reader.stream.waiting == 0  # HTTP/2 has it, and is full now
    reader.stream.send("y")
    assert reader.stream.waiting == 9
    reader.stream.send("z" * 500)
    assert reader.feed.closed == 0
    reader.clock.advance(0)
    assert "StreamReset" in reader.read()
    assert not reader.wire.is_cut()  # its other streams go on
    assert reader.is_closed()


def test_http_2_a_full_transport_is_heeded_whatever_the_window() -> None:
    reader = Reader2(window=1 << 30, max_queue=1000)
    reader.read()
    reader.wire.fill()
    reader.stream.send("x")
    reader.stream.send("y")
    assert reader.stream.waiting == 9
    reader.wire.drain()
    assert b"".join(reader.read()) == b"data: x\n\ndata: y\n\n"
    reader.wire.fill()
    for _ in range(500):
        reader.stream.send("z")
    assert reader.feed.closed == 0
    assert reader.is_closed()


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_only_get_has_events(method: str) -> None:
    clock = clock_now()
    answer = ask(ProtoSite(Feed(clock), clock), "/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
