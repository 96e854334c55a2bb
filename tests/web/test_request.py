from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.web.accesslog import AccessLog
from proto.web.handlers import Handlers
from proto.web.response import HTTPError, Response
from proto.web.site import PATIENT, ProtoSite
from proto.web.tree import build_tree
from tests.support import connect
from tests.web.wire import (
    ask,
    clock_now,
    hang_up,
    read_answer,
    request_bytes,
    site_for,
    split_answer,
)

GET = request_bytes("/", "GET", {}, b"")


class Page(Resource):
    """Renders whatever a function gives."""

    isLeaf = True

    def __init__(self, render: Any) -> None:
        super().__init__()
        self._render = render

    def render(self, request: Any) -> Any:
        return self._render(request)


def upload_site(clock: Clock | None = None, log: Path | None = None) -> ProtoSite:
    """A site that takes bodies of ten bytes."""
    handlers = Handlers()
    handlers.register("/", lambda request: request.content.read(), methods=["POST"])
    clock = clock or clock_now()
    access_log = AccessLog(log, clock) if log else None
    root = build_tree(None, clock, handlers=handlers)
    return ProtoSite(root, clock, max_body=10, access_log=access_log)


def hung_up(wire: StringTransport) -> bool:
    return bool(wire.disconnecting)


def post(head: str, body: bytes = b"") -> bytes:
    return f"POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + body


@pytest.mark.parametrize("display", [False, True])
def test_a_traceback_is_shown_only_to_those_who_asked(display: bool) -> None:
    def broken(request: Any) -> bytes:
        raise RuntimeError("<secret>")

    answer = ask(site_for(Page(broken), display_tracebacks=display), "/")
    assert answer.status == 500
    assert (b"RuntimeError" in answer.body) is display
    assert b"<secret>" not in answer.body
    assert b"Please quote <code>" in answer.body


def test_two_mistakes_have_two_names() -> None:
    site = site_for(Page(lambda request: 1 / 0))
    first, second = (ask(site, "/", Accept="text/plain").body for _ in range(2))
    assert first.startswith(b"500 Internal Server Error\n")
    assert first != second


def test_a_page_of_an_error_keeps_nothing_of_the_answer_it_replaces() -> None:
    def half(request: Any) -> bytes:
        request.setHeader(b"ETag", b'"x"')
        request.setHeader(b"Content-Length", b"7")
        request.setHeader(b"Cache-Control", b"max-age=9")
        raise HTTPError(410)

    answer = ask(site_for(Page(half)), "/")
    assert answer.status == 410
    assert not {"ETag", "Cache-Control"} & set(answer.headers)


def test_a_mistake_in_the_middle_of_an_answer_ends_the_connection() -> None:
    def half(request: Any) -> bytes:
        request.setHeader(b"Content-Length", b"7")
        request.write(b"abc")
        raise RuntimeError

    protocol, wire = connect(site_for(Page(half)))
    protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.value().endswith(b"\r\n\r\nabc")
    assert hung_up(wire)


def test_a_resource_that_renders_no_bytes_is_a_mistake() -> None:
    assert ask(site_for(Page(lambda request: "text")), "/").status == 500


def test_an_answer_to_a_peer_that_left_is_dropped() -> None:
    requests: list[Any] = []

    def later(request: Any) -> int:
        requests.append(request)
        return NOT_DONE_YET

    protocol, wire = connect(site_for(Page(later)))
    protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    hang_up(protocol)
    request = requests[0]
    request.respond(Response(200, b"late"))
    request.fail(Failure(HTTPError(400)))
    request.fail(Failure(RuntimeError()))
    request.break_off()
    assert wire.value() == b""


def test_header_lines_of_one_name_are_joined() -> None:
    protocol, wire = connect(site_for(Page(lambda request: request.header("X-A").encode())))
    protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: \xe9\r\n\r\n")
    assert read_answer(wire)[0].body == "1, é".encode()


# Bodies


def test_a_body_up_to_the_limit_is_read() -> None:
    assert ask(upload_site(), "/", "POST", b"0123456789").body == b"0123456789"


def test_a_length_above_the_limit_is_refused_before_the_body_comes(tmp_path: Path) -> None:
    clock = clock_now()
    site = upload_site(clock, tmp_path / "log")
    protocol, wire = connect(site)
    protocol.dataReceived(post("Content-Length: 11\r\nExpect: 100-continue"))
    answer, rest = read_answer(wire)
    assert (answer.status, answer.headers["Connection"], rest) == (413, "close", b"")
    assert b"A request body may have 10 bytes here." in answer.body
    assert not hung_up(wire)
    clock.advance(PATIENT.linger)
    assert hung_up(wire)
    hang_up(protocol)
    site.stopFactory()
    line = (tmp_path / "log").read_text()
    assert line.count("\n") == 1
    assert f'"POST / HTTP/1.1" 413 {len(answer.body)} ' in line


def test_the_rest_of_a_refused_body_is_thrown_away() -> None:
    clock = clock_now()
    protocol, wire = connect(upload_site(clock))
    protocol.dataReceived(post("Content-Length: 30", b"x" * 20))
    before = wire.value()
    assert not hung_up(wire)
    protocol.dataReceived(b"x" * 10 + post("Content-Length: 1", b"x"))
    assert wire.value() == before
    assert hung_up(wire)
    hang_up(protocol)
    assert not clock.getDelayedCalls()


def test_a_chunked_body_above_the_limit_is_refused_as_soon_as_it_is() -> None:
    protocol, wire = connect(upload_site())
    protocol.dataReceived(post("Transfer-Encoding: chunked", b"6\r\n012345\r\n"))
    assert wire.value() == b""
    protocol.dataReceived(b"6\r\n012345\r\n6\r\n012345\r\n")
    answer, rest = read_answer(wire)
    assert (answer.status, answer.headers["Connection"], rest) == (413, "close", b"")
    protocol.dataReceived(b"0\r\n\r\n")
    assert hung_up(wire)
    hang_up(protocol)


def test_a_peer_that_leaves_while_its_body_is_refused_leaves_nothing_behind() -> None:
    clock = clock_now()
    protocol, _ = connect(upload_site(clock))
    protocol.dataReceived(post("Content-Length: 11"))
    hang_up(protocol)
    assert not clock.getDelayedCalls()


def test_a_continue_is_sent_for_a_body_that_will_be_read() -> None:
    protocol, wire = connect(upload_site())
    protocol.dataReceived(post("Content-Length: 3\r\nExpect: 100-continue"))
    assert wire.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
    protocol.dataReceived(b"abc")
    answer, _ = split_answer(wire.value().removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))
    assert answer.body == b"abc"


def test_a_deferred_that_fires_when_the_request_is_over() -> None:
    over: list[object] = []

    def watched(request: Any) -> bytes:
        waiting: Deferred[None] = request.when_over()
        waiting.addBoth(over.append)
        return b"x"

    ask(site_for(Page(watched)), "/")
    assert over == [None]


# The end of an answer


@pytest.mark.parametrize("written", [b"abc", b"abcdefgh"])
def test_an_answer_that_is_not_as_long_as_it_says_is_the_last(written: bytes) -> None:
    def miscount(request: Any) -> int:
        request.setHeader(b"Content-Length", b"5")
        request.write(written[:2])
        request.write(written[2:])
        request.finish()
        return NOT_DONE_YET

    protocol, wire = connect(site_for(Page(miscount)))
    protocol.dataReceived(GET)
    assert wire.value().endswith(b"\r\n\r\n" + written[:5])
    assert wire.disconnecting


def test_an_answer_of_unknown_length_ends_with_a_connection_of_http_1_0() -> None:
    def endless(request: Any) -> int:
        request.write(b"abc")
        request.finish()
        return NOT_DONE_YET

    protocol, wire = connect(site_for(Page(endless)))
    protocol.dataReceived(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert b"\r\nConnection: close\r\n" in wire.value()
    assert wire.value().endswith(b"\r\n\r\nabc")
    assert wire.disconnecting


def test_a_resource_may_end_the_connection() -> None:
    def last(request: Any) -> bytes:
        request.setHeader(b"Connection", b"close")
        return b"abc"

    protocol, wire = connect(site_for(Page(last)))
    protocol.dataReceived(GET)
    assert wire.value().endswith(b"abc")
    assert wire.disconnecting


def test_a_malformed_form_is_a_bad_request() -> None:
    protocol, wire = connect(site_for(Page(lambda request: b"")))
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    protocol.dataReceived(request_bytes("/", "POST", head, b"--y") + GET)
    first, rest = read_answer(wire)
    assert (first.status, "Date" in first.headers) == (400, True)
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
