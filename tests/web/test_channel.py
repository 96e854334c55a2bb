from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from tests.support import connect
from tests.web.wire import ask, clock_now, hang_up, request_bytes, site_of

GET = request_bytes("/", "GET", {}, b"")


def site_with(waiting: Deferred[str]) -> ProtoSite:
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    return site_of(handlers=handlers)


@pytest.mark.parametrize("length", ["9" * 20, "1" * 5000, "+3", "-1", "x", "3, 3", ""])
def test_a_silly_length_is_a_bad_request(length: str) -> None:
    protocol, wire = connect(site_of())
    protocol.dataReceived(f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
    assert wire.value().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert wire.disconnecting


def test_a_line_without_end_is_a_bad_request() -> None:
    protocol, wire = connect(site_of())
    protocol.dataReceived(b"GET /" + b"x" * 20000)
    assert wire.value().startswith(b"HTTP/1.1 400 Bad Request\r\n")
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


def test_the_site_knows_its_connections() -> None:
    site = site_of()
    protocol, _ = connect(site)
    assert site.connections == {protocol}
    hang_up(protocol)
    assert not site.connections


def test_an_idle_connection_is_hung_up_when_dismissed() -> None:
    site = site_of()
    _, wire = connect(site)
    (connection,) = site.connections
    assert connection.dismiss()
    assert connection.dismiss()
    assert wire.disconnecting
    assert wire.value() == b""


def test_a_connection_ends_after_the_answer_that_is_on_its_way() -> None:
    waiting: Deferred[str] = Deferred()
    site = site_with(waiting)
    protocol, wire = connect(site)
    protocol.dataReceived(GET + GET)
    (connection,) = site.connections
    assert connection.dismiss()
    assert not wire.disconnecting
    waiting.callback("done")
    assert wire.value().count(b"HTTP/1.1 200 OK") == 1
    assert wire.value().endswith(b"done")
    assert wire.disconnecting


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
