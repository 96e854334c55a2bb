"""What was answered is repeated to who sends the same head within a second, and only that."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import IResource
from zope.interface import implementer

from proto.metrics import Metrics
from proto.web.accesslog import AccessLog
from proto.web.gate import Gate
from proto.web.handlers import Handlers
from proto.web.known import LARGEST, LONGEST_HEAD
from proto.web.prefix import Prefix
from proto.web.request import WebRequest
from proto.web.site import ProtoSite
from proto.web.static import build_files
from proto.web.tree import Tree, build_tree
from proto.web.visits import Visits
from tests.support import connect
from tests.web.wire import ask, clock_now, hang_up, read_answer, request_bytes, split_answer

GET = request_bytes("/a.txt", "GET", {}, b"")


@pytest.fixture
def clock() -> Clock:
    return clock_now()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(b"before")
    (tmp_path / "a.html").write_bytes(b"<body></body>")
    return tmp_path


@pytest.fixture
def site(folder: Path, clock: Clock) -> ProtoSite:
    return ProtoSite(build_tree(folder, clock), clock, repeat_seconds=1)


def body(site: ProtoSite, target: str = "/a.txt", method: str = "GET", **headers: str) -> bytes:
    return ask(site, target, method, b"", **headers).body


def test_a_changed_file_is_shown_after_a_second_at_most(
    site: ProtoSite, folder: Path, clock: Clock
) -> None:
    assert body(site) == b"before"
    (folder / "a.txt").write_bytes(b"after!")
    assert body(site) == b"before"
    clock.advance(1)
    assert body(site) == b"after!"


def test_each_byte_of_the_head_counts(site: ProtoSite, folder: Path) -> None:
    assert body(site) == b"before"
    (folder / "a.txt").write_bytes(b"after!")
    assert body(site, X="y") == b"after!"
    assert body(site, "/a.txt?") == b"after!"
    assert body(site, Range="bytes=0-1") == b"af"
    assert ask(site, "/a.txt", "HEAD").headers["Content-Length"] == "6"
    assert body(site) == b"before"


@pytest.mark.parametrize("size", [0, 1, 70_000, LARGEST, LARGEST + 1])
def test_what_is_repeated_is_whole_and_only_so_large(
    site: ProtoSite, folder: Path, size: int
) -> None:
    (folder / "a.txt").write_bytes(b"." * size)
    first = ask(site, "/a.txt")
    os.truncate(folder / "a.txt", size // 2)
    again = ask(site, "/a.txt")
    if size <= LARGEST:
        assert again == first
    else:
        assert len(again.body) == size // 2
    assert len(first.body) == size


def test_a_head_that_comes_in_two_pieces_is_answered_alike(site: ProtoSite) -> None:
    protocol, wire = connect(site)
    for data in (GET, GET[:20], GET[20:], GET + GET):
        protocol.dataReceived(data)
    rest = wire.value()
    for _ in range(4):
        answer, rest = split_answer(rest)
        assert (answer.status, answer.body) == (200, b"before")
    assert rest == b""
    hang_up(protocol)


def test_it_waits_for_its_turn(folder: Path, clock: Clock) -> None:
    handlers = Handlers()
    handlers.register("/slow", slow := Slow())
    site = ProtoSite(build_tree(folder, clock, handlers=handlers), clock, repeat_seconds=1)
    ask(site, "/a.txt")
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes("/slow", "GET", {}, b""))
    protocol.dataReceived(GET)
    assert wire.value() == b""
    slow.answer()
    clock.advance(0)
    first, rest = split_answer(wire.value())
    second, rest = split_answer(rest)
    assert (first.body, second.body, rest) == (b"slow", b"before", b"")
    hang_up(protocol)


class Slow:
    """A handler that answers when it is told."""

    def __init__(self) -> None:
        self._deferred: Deferred[str] = Deferred()

    def __call__(self, request: WebRequest) -> object:
        return self._deferred

    def answer(self) -> None:
        self._deferred.callback("slow")


def test_a_repeated_answer_is_logged_and_counted_like_any_other(
    folder: Path, clock: Clock, tmp_path: Path
) -> None:
    metrics = Metrics()
    log = AccessLog(tmp_path / "access.log", clock)
    site = ProtoSite(
        build_tree(folder, clock), clock, access_log=log, metrics=metrics, repeat_seconds=1
    )
    for _ in range(3):
        ask(site, "/a.txt", Referer='a"b')
    log.flush()
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert len(lines) == 3
    assert len(set(lines)) == 1
    assert lines[0].endswith(r'"GET /a.txt HTTP/1.1" 200 6 "a\x22b" "-" "-"')
    told = metrics.render()
    assert b'proto_web_requests_total{method="GET",status="2xx"} 3.0' in told
    assert b"proto_web_bytes_sent_total 18.0" in told
    assert b"proto_web_request_seconds_count 3.0" in told


def test_whoever_may_be_refused_is_asked_each_time(folder: Path, clock: Clock) -> None:
    asked = []
    gate = Gate(
        build_tree(folder, clock), every=[(Prefix.parse("/a.txt"), lambda each: asked.append(each))]
    )
    site = ProtoSite(gate, clock, repeat_seconds=1)
    for _ in range(3):
        assert body(site) == b"before"
    assert len(asked) == 3


def test_visits_are_counted_each_time(folder: Path, clock: Clock, tmp_path: Path) -> None:
    visits = Visits(tmp_path / "visits", clock)
    site = ProtoSite(build_tree(folder, clock, visits=visits), clock, repeat_seconds=1)
    for number in (1, 2, 3):
        assert b"Visits: %d" % number in body(site, "/a.html")
    visits.close()


def test_handlers_are_called_each_time(clock: Clock) -> None:
    numbers = count(1)
    handlers = Handlers()
    handlers.register("/", lambda request: str(next(numbers)))
    site = ProtoSite(build_tree(None, clock, handlers=handlers), clock, repeat_seconds=1)
    assert [body(site, "/") for _ in range(3)] == [b"1", b"2", b"3"]


def test_whatever_may_have_changed_something_ends_it(folder: Path, clock: Clock) -> None:
    handlers = Handlers()
    handlers.register(
        "/change", lambda request: str((folder / "a.txt").write_bytes(b"after!")), methods=("POST",)
    )
    site = ProtoSite(build_tree(folder, clock, handlers=handlers), clock, repeat_seconds=1)
    assert body(site) == b"before"
    ask(site, "/change", "POST")
    assert body(site) == b"after!"


def test_a_site_that_leaves_says_so(site: ProtoSite) -> None:
    protocol, wire = connect(site)
    protocol.dataReceived(GET + GET[:1])
    wire.clear()
    site.farewell()
    protocol.dataReceived(GET[1:])
    answer, rest = read_answer(wire)
    assert (answer.headers["Connection"], rest) == ("close", b"")
    hang_up(protocol)


def test_with_no_seconds_nothing_is_repeated(folder: Path, clock: Clock) -> None:
    site = ProtoSite(build_tree(folder, clock), clock, repeat_seconds=0)
    assert body(site) == b"before"
    (folder / "a.txt").write_bytes(b"after!")
    assert body(site) == b"after!"


def test_a_long_head_is_answered_each_time(site: ProtoSite, folder: Path) -> None:
    long = "x" * LONGEST_HEAD
    assert body(site, X=long) == b"before"
    (folder / "a.txt").write_bytes(b"after!")
    assert body(site, X=long) == b"after!"


@pytest.mark.parametrize("framing", ["Content-Length: {}", "Transfer-Encoding: chunked"])
def test_a_body_is_never_taken_for_a_request(site: ProtoSite, framing: str) -> None:
    body = b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n"
    if "chunked" in framing:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = f"GET /a.txt HTTP/1.1\r\nHost: x\r\n{framing.format(len(body))}\r\n\r\n".encode()
    for _ in range(2):
        protocol, wire = connect(site)
        protocol.dataReceived(head)
        assert wire.value() == b""
        protocol.dataReceived(body)
        answer, rest = read_answer(wire)
        assert (answer.body, rest) == (b"before", b"")
        hang_up(protocol)


def test_a_cookie_is_for_one_alone(folder: Path, clock: Clock) -> None:
    class Cookies(Tree):
        def getChildWithDefault(self, path: bytes, request: WebRequest) -> IResource:
            request.addCookie("session", str(next(numbers)))
            return super().getChildWithDefault(path, request)

    numbers = count(1)
    site = ProtoSite(Cookies(Handlers(), build_files(folder, clock)), clock, repeat_seconds=1)
    for number in ("1", "2"):
        assert ask(site, "/a.txt").headers["Set-Cookie"] == f"session={number}"


def test_what_was_said_over_tls_is_not_repeated_without(folder: Path, clock: Clock) -> None:
    site = ProtoSite(build_tree(folder, clock), clock, hsts=9, repeat_seconds=1)
    address = IPv4Address("TCP", "192.0.2.1", 1)
    protocol = cast(Protocol, site.buildProtocol(address))
    wire = Secure(peerAddress=address)
    protocol.makeConnection(wire)
    protocol.dataReceived(GET)
    assert "Strict-Transport-Security" in read_answer(wire)[0].headers
    hang_up(protocol)
    assert "Strict-Transport-Security" not in ask(site, "/a.txt").headers


@implementer(ISSLTransport)
class Secure(StringTransport):  # type: ignore[misc]  # of TLS only that it is there is asked
    """A wire that is said to be encrypted."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """It has no packets."""
