from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from proto.web.channel import HELD, REQUESTS_AT_ONCE
from proto.web.handlers import Handlers
from proto.web.site import PATIENT, ProtoSite
from proto.web.tree import build_tree
from tests.support import connect
from tests.web.wire import ask, clock_now, hang_up, read_answer, request_bytes, site_of

GET = request_bytes("/", "GET", {}, b"")


def site_with(waiting: Deferred[str]) -> ProtoSite:
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    return site_of(handlers=handlers)


@pytest.mark.parametrize("length", ["9" * 20, "1" * 5000, "+3", "-1", "x", "3, 3", ""])
def test_a_silly_length_is_a_bad_request(length: str) -> None:
    clock = clock_now()
    protocol, wire = connect(site_of(clock=clock))
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    protocol.dataReceived(head.encode())
    assert wire.value().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    clock.advance(PATIENT.linger)
    assert wire.disconnecting


def test_a_line_without_end_is_refused_before_its_end() -> None:
    clock = clock_now()
    protocol, wire = connect(site_of(clock=clock))
    protocol.dataReceived(b"GET /" + b"x" * 20000)
    assert wire.value().startswith(b"HTTP/1.1 414 ")
    clock.advance(PATIENT.linger)
    assert wire.disconnecting


def test_nothing_is_answered_after_a_bad_request() -> None:
    protocol, wire = connect(site_of())
    protocol.dataReceived(b"BAD\r\n")
    protocol.dataReceived(b"\r\n" + GET)
    assert wire.value().count(b"HTTP/1.1") == 1


def test_a_header_line_is_not_read_after_a_bad_one() -> None:
    protocol, wire = connect(site_of())
    protocol.dataReceived(b"POST / HTTP/1.1\r\nContent-Length: x\r\nA: b\r\n\r\n")
    assert wire.value().count(b"HTTP/1.1") == 1


def test_a_connection_is_kept_for_the_next_request() -> None:
    protocol, wire = connect(site_of())
    protocol.dataReceived(GET + GET)
    protocol.dataReceived(GET)
    assert wire.value().count(b"HTTP/1.1 404 Not Found\r\n") == 3
    assert not wire.disconnecting


def test_an_idle_connection_is_closed_after_a_while() -> None:
    clock = clock_now()
    protocol, wire = connect(site_of(clock=clock))
    clock.advance(60)
    assert wire.disconnecting
    hang_up(protocol)
    assert not clock.getDelayedCalls()


def test_http_1_0_gets_its_answer_and_is_hung_up() -> None:
    protocol, wire = connect(site_of())
    protocol.dataReceived(b"GET / HTTP/1.0\r\n\r\n")
    assert wire.value().startswith(b"HTTP/1.0 404 Not Found\r\n")
    assert wire.disconnecting


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.binary(max_size=20)
        | st.sampled_from(
            [
                b"GET / HTTP/1.1\r\n",
                b"POST / HTTP/1.1\r\n",
                b"Content-Length: 3\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Content-Type: multipart/form-data; boundary=x\r\n",
                b"Content-Type: application/x-www-form-urlencoded\r\n",
                b"Authorization: Basic ////\r\n",
                b"Cookie: a=b;=;;\r\n",
                b"Expect: 100-continue\r\n",
                b"--x\r\n",
                b"3\r\nabc\r\n0\r\n\r\n",
                b"\r\n",
            ]
        ),
        max_size=12,
    )
)
def test_random_bytes_never_raise_and_harm_nobody_else(parts: list[bytes]) -> None:
    site = site_of()
    protocol, _ = connect(site)
    for part in parts:
        protocol.dataReceived(part)
    assert ask(site, "/").status == 404
    hang_up(protocol)
    assert not site.connections


# Deadlines


class Talk:
    """One connection, and the clock it goes by."""

    def __init__(self, handlers: Handlers | None = None, **options: Any) -> None:
        self.clock = clock_now()
        root = build_tree(None, self.clock, handlers=handlers or Handlers())
        self.site = ProtoSite(root, self.clock, **options)
        self.protocol: Any
        self.protocol, self.wire = connect(self.site)

    def say(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def fill(self) -> None:
        """The transport has more to send than it likes."""
        producer: Any = self.wire.producer
        producer.pauseProducing()

    def drain(self) -> None:
        producer: Any = self.wire.producer
        producer.resumeProducing()

    @property
    def is_over(self) -> bool:
        return bool(self.wire.disconnecting)

    @property
    def was_cut_off(self) -> bool:
        return bool(self.wire.disconnected)

    def ends_without_a_trace(self) -> bool:
        hang_up(self.protocol)
        return not self.clock.getDelayedCalls() and not self.site.connections


def test_a_head_must_be_whole_some_time_after_its_first_byte() -> None:
    talk = Talk()
    talk.clock.advance(50)
    for byte in range(19):
        talk.say(GET[byte : byte + 1])
        talk.clock.advance(1)
    assert talk.wire.value() == b""
    talk.say(GET[19:20])
    talk.clock.advance(1)
    answer, _ = read_answer(talk.wire)
    assert (answer.status, answer.headers["Connection"]) == (408, "close")
    talk.clock.advance(PATIENT.linger)
    assert talk.is_over
    assert talk.ends_without_a_trace()


def test_a_head_that_is_whole_in_time_has_no_deadline_any_more() -> None:
    talk = Talk()
    talk.say(GET[:9])
    talk.clock.advance(19)
    talk.say(GET[9:] + GET[:9])
    talk.clock.advance(19)
    talk.say(GET[9:])
    talk.clock.advance(30)
    assert talk.wire.value().count(b"HTTP/1.1 404 Not Found\r\n") == 2
    assert not talk.is_over


def test_empty_lines_keep_no_connection() -> None:
    talk = Talk()
    talk.clock.advance(50)
    talk.say(b"\r\n")
    talk.clock.advance(10)
    assert talk.is_over
    assert talk.wire.value() == b""


def test_a_connection_is_idle_from_its_last_answer_on() -> None:
    talk = Talk()
    for _ in range(3):
        talk.clock.advance(59)
        talk.say(GET)
    talk.clock.advance(59)
    assert not talk.is_over
    talk.clock.advance(1)
    assert talk.is_over


def test_an_answer_may_take_as_long_as_it_likes() -> None:
    waiting: Deferred[str] = Deferred()
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    talk = Talk(handlers)
    talk.say(GET)
    talk.clock.pump([10] * 100)
    waiting.callback("late")
    assert talk.wire.value().endswith(b"late")
    talk.clock.advance(59)
    assert not talk.is_over
    talk.clock.advance(1)
    assert talk.is_over


def test_a_body_that_comes_too_slowly_is_cut_off() -> None:
    talk = Talk()
    talk.say(request_bytes("/", "POST", {"Content-Length": "9000"}, b""))
    talk.clock.advance(9)
    talk.say(b"x" * 1000)  # worth two seconds
    talk.clock.advance(2)
    assert not talk.is_over
    talk.clock.advance(1)
    assert talk.was_cut_off
    assert talk.wire.value() == b""
    assert talk.ends_without_a_trace()


def test_a_body_that_comes_fast_enough_may_be_long() -> None:
    talk = Talk()
    talk.say(request_bytes("/", "POST", {"Content-Length": "60000"}, b""))
    for _ in range(100):
        talk.say(b"x" * 600)
        talk.clock.advance(1)
    assert b"HTTP/1.1 404 Not Found\r\n" in talk.wire.value()
    assert not talk.is_over


def test_a_reader_that_stalls_is_cut_off() -> None:
    waiting: Deferred[str] = Deferred()
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    talk = Talk(handlers)
    talk.say(GET)
    talk.fill()
    talk.clock.pump([1] * 59)
    assert not talk.is_over
    talk.clock.advance(1)
    assert talk.was_cut_off
    assert talk.ends_without_a_trace()


def test_a_reader_that_goes_on_is_waited_for() -> None:
    talk = Talk()
    talk.say(GET)
    for _ in range(5):
        talk.fill()
        talk.clock.pump([1] * 40)
        talk.drain()
    assert not talk.is_over


def test_a_peer_that_never_reads_the_end_is_cut_off() -> None:
    talk = Talk()
    talk.say(b"GET / HTTP/1.0\r\n\r\n")
    assert talk.is_over
    assert not talk.was_cut_off
    talk.clock.pump([1] * 60)
    assert talk.was_cut_off


def test_who_takes_no_answers_gets_no_more_of_them() -> None:
    talk = Talk()
    talk.say(GET)
    talk.fill()
    talk.say(GET * 2)
    assert talk.wire.value().count(b"HTTP/1.1") == 1
    talk.say(b"x" * HELD)
    assert talk.wire.producerState == "paused"
    talk.drain()
    talk.clock.advance(0)
    assert talk.wire.value().count(b"HTTP/1.1 404") == 3


def test_what_is_asked_for_during_an_answer_is_held_within_bounds() -> None:
    waiting: Deferred[str] = Deferred()
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    talk = Talk(handlers)
    talk.say(GET)
    assert talk.wire.producerState == "producing"
    talk.say(GET * (HELD // len(GET)))
    assert talk.wire.producerState == "producing"
    talk.say(GET)
    assert talk.wire.producerState == "paused"
    waiting.callback("x")
    talk.clock.pump([0] * 100)
    assert talk.wire.producerState == "producing"
    assert talk.wire.value().count(b"HTTP/1.1 20") == HELD // len(GET) + 2


def test_many_requests_at_once_leave_others_their_turn() -> None:
    talk = Talk()
    talk.say(GET * (REQUESTS_AT_ONCE * 2 + 1))
    assert talk.wire.value().count(b"HTTP/1.1 404") == REQUESTS_AT_ONCE
    talk.clock.advance(0)
    assert talk.wire.value().count(b"HTTP/1.1 404") == REQUESTS_AT_ONCE * 2 + 1


# Half-closed connections


def test_what_was_asked_before_the_end_is_answered() -> None:
    waiting: Deferred[str] = Deferred()
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    talk = Talk(handlers)
    talk.say(GET + GET)
    talk.protocol.readConnectionLost()
    assert not talk.is_over
    waiting.callback("late")
    assert talk.wire.value().count(b"HTTP/1.1 200 OK") == 2
    assert talk.is_over


@pytest.mark.parametrize(
    "said", [b"", GET, GET[:20], b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_peer_that_ends_and_waits_for_nothing_is_hung_up_on(said: bytes) -> None:
    talk = Talk()
    talk.say(said)
    talk.protocol.readConnectionLost()
    assert talk.is_over
    assert talk.ends_without_a_trace()


def test_a_peer_that_ends_while_it_is_refused_is_hung_up_on() -> None:
    talk = Talk()
    talk.say(b"BAD\r\n")
    assert not talk.is_over
    talk.protocol.readConnectionLost()
    assert talk.is_over


# Segments

PARTS = st.sampled_from(
    [
        GET,
        b"\r\n" + GET,
        request_bytes("/", "HEAD", {}, b""),
        request_bytes("/echo", "POST", {}, b"GET / HTTP/1.1\r\n\r\n"),
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;x=y\r\nabcde\r\n0\r\nA: b\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdef\r\n",
    ]
)


def said_to(raw: bytes, places: list[int]) -> bytes:
    handlers = Handlers()
    handlers.register("/echo", lambda request: request.content.read(), methods=["POST"])
    talk = Talk(handlers)
    ends = sorted({place % (len(raw) + 1) for place in places} | {len(raw)})
    for start, end in zip([0, *ends], ends, strict=False):
        talk.say(raw[start:end])
        talk.clock.advance(0)
    hang_up(talk.protocol)
    return bytes(talk.wire.value())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PARTS, min_size=1, max_size=20).map(b"".join),
    st.lists(st.integers(0, 5000), max_size=12),
)
def test_requests_in_any_segments_get_the_same_answers(raw: bytes, places: list[int]) -> None:
    assert said_to(raw, places) == said_to(raw, [])
