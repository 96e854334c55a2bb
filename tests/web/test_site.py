from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from proto.errors import PeerError
from proto.metrics import Metrics
from proto.web.accesslog import AccessLog
from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from proto.web.visits import Visits
from tests.support import connect
from tests.web.wire import DATE, ask, clock_now, hang_up, request_bytes, site_of

GET = request_bytes("/", "GET", {}, b"")


def logged(path: Path, raw: bytes, handlers: Handlers | None = None) -> str:
    """The part of the access log line that follows the time."""
    clock = clock_now()
    log = AccessLog(path / "access.log", clock)
    site = ProtoSite(build_tree(path, clock, handlers=handlers), clock, access_log=log)
    protocol, _ = connect(site, host="::ffff:192.0.2.9")
    protocol.dataReceived(raw)
    hang_up(protocol)
    site.stopFactory()
    (line,) = (path / "access.log").read_text().splitlines()
    start, _, rest = line.partition("] ")
    assert start.startswith("192.0.2.9 - ")
    return rest


def test_a_refusal_is_a_whole_answer() -> None:
    assert site_of().refusal(PeerError("Too many connections.")) == (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Date: " + DATE.encode() + b"\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 22\r\n"
        b"Retry-After: 10\r\n"
        b"Connection: close\r\n"
        b"\r\n"
        b"Too many connections.\n"
    )


def test_farewell_closes_idle_connections_and_lets_answers_finish() -> None:
    waiting: Deferred[str] = Deferred()
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    site = site_of(handlers=handlers)
    _, idle = connect(site)
    busy_protocol, busy = connect(site)
    busy_protocol.dataReceived(GET)
    site.farewell()
    assert idle.disconnecting
    assert not busy.disconnecting
    waiting.callback("done")
    assert b"\r\nConnection: close\r\n" in busy.value()
    assert busy.value().endswith(b"\r\n\r\ndone")
    assert busy.disconnecting


def test_a_request_that_arrives_during_the_farewell_is_the_last() -> None:
    site = site_of()
    protocol, wire = connect(site)
    protocol.dataReceived(GET[:20])
    site.farewell()
    protocol.dataReceived(GET[20:])
    assert b"\r\nConnection: close\r\n" in wire.value()
    assert wire.disconnecting


def test_a_site_can_be_started_again_after_a_farewell() -> None:
    site = site_of()
    site.farewell()
    site.stopFactory()
    site.startFactory()
    assert "Connection" not in ask(site, "/").headers


def test_answers_are_counted_by_method_and_status(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    clock, metrics = clock_now(), Metrics()
    site = ProtoSite(build_tree(tmp_path, clock), clock, metrics=metrics)
    for method, path in [("GET", "/a"), ("HEAD", "/a"), ("GET", "/a"), ("BREW", "/a")]:
        ask(site, path, method)
    ask(site, "/a", Range="bytes=1-2")
    text = metrics.render().decode()
    assert 'proto_web_requests_total{method="GET",status="2xx"} 3.0' in text
    assert 'proto_web_requests_total{method="HEAD",status="2xx"} 1.0' in text
    assert 'proto_web_requests_total{method="other",status="5xx"} 1.0' in text
    assert "proto_web_request_seconds_count 5.0" in text
    page = len(ask(site, "/a", "BREW").body)
    assert metrics.tally("web_bytes_sent", "").value == 5 + 5 + 2 + 2 * page


def test_the_time_of_an_answer_begins_with_its_request() -> None:
    waiting: Deferred[str] = Deferred()
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    clock, metrics = clock_now(), Metrics()
    site = ProtoSite(build_tree(None, clock, handlers=handlers), clock, metrics=metrics)
    protocol, _ = connect(site)
    protocol.dataReceived(GET)
    clock.advance(3)
    waiting.callback("")
    assert b"proto_web_request_seconds_sum 3.0\n" in metrics.render()


@pytest.mark.parametrize(
    ("method", "headers", "told"),
    [
        ("GET", {}, '"GET /a HTTP/1.1" 200 5 "-" "-" "-"'),
        ("HEAD", {}, '"HEAD /a HTTP/1.1" 200 0 "-" "-" "-"'),
        ("GET", {"Range": "bytes=0-1"}, '"GET /a HTTP/1.1" 206 2 "-" "-" "-"'),
        ("GET", {"If-None-Match": "*"}, '"GET /a HTTP/1.1" 304 0 "-" "-" "-"'),
        (
            "GET",
            {"Referer": 'http://x/"', "User-Agent": "a\xe9", "X-Forwarded-For": "10.0.0.1"},
            r'"GET /a HTTP/1.1" 200 5 "http://x/\x22" "a\xE9" "10.0.0.1"',
        ),
    ],
)
def test_the_access_log_tells_what_was_sent(
    tmp_path: Path, method: str, headers: dict[str, str], told: str
) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert logged(tmp_path, request_bytes("/a", method, headers, b"")) == told


def test_the_access_log_names_the_user(tmp_path: Path) -> None:
    clock = clock_now()
    log = AccessLog(tmp_path / "log", clock)
    site = ProtoSite(build_tree(None, clock), clock, access_log=log)
    ask(site, "/", Authorization="Basic YW5uOnNlY3JldA==")
    ask(site, "/", Authorization="Basic ////")
    site.stopFactory()
    first, second = (tmp_path / "log").read_text().splitlines()
    assert first.startswith("192.0.2.1 - ann [")
    assert second.startswith("192.0.2.1 - - [")
    assert "secret" not in first


def test_a_peer_that_left_before_its_answer_is_logged_as_499(tmp_path: Path) -> None:
    handlers = Handlers()
    handlers.register("/", lambda request: Deferred())
    assert logged(tmp_path, GET, handlers) == '"GET / HTTP/1.1" 499 0 "-" "-" "-"'


def logged_after(folder: Path, data: bytes, seconds: float = 0) -> str:
    """What the log has of a peer that sends this, waits so long, and leaves."""
    clock = clock_now()
    log = AccessLog(folder / "log", clock)
    site = ProtoSite(build_tree(None, clock), clock, access_log=log)
    protocol, wire = connect(site)
    protocol.dataReceived(data)
    clock.advance(seconds)
    assert wire.disconnected == bool(seconds)
    hang_up(protocol)
    site.stopFactory()
    return (folder / "log").read_text()


def test_a_request_whose_head_never_arrived_is_not_logged(tmp_path: Path) -> None:
    assert logged_after(tmp_path, GET[:-2]) == ""


def test_a_request_whose_body_never_arrived_is_logged(tmp_path: Path) -> None:
    post = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    assert '"POST /x HTTP/1.1" 499 0' in logged_after(tmp_path, post)
    assert '"POST /x HTTP/1.1" 408 0' in logged_after(tmp_path, post + b"slow", 3600)


def test_stopping_writes_what_is_not_written_yet(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b"</body>")
    clock = Clock()
    visits = Visits(tmp_path / "visits", clock)
    log = AccessLog(tmp_path / "log", clock)
    root = build_tree(tmp_path, clock, visits=visits)
    site = ProtoSite(root, clock, access_log=log, visits=visits)
    site.startFactory()
    ask(site, "/a.html")
    site.stopFactory()
    assert (tmp_path / "visits").read_bytes() == b"1\n"
    assert '"GET /a.html HTTP/1.1" 200' in (tmp_path / "log").read_text()
    assert not clock.getDelayedCalls()


def test_headers_can_be_added_to_every_answer() -> None:
    clock = clock_now()
    site = ProtoSite(build_tree(None, clock), clock, add_headers=[("X-A", "1"), ("Server", "mine")])
    protocol, wire = connect(site)
    protocol.dataReceived(GET)
    assert b"\r\nX-A: 1\r\n" in wire.value()
    assert b"\r\nServer: proto\r\nServer: mine\r\n" in wire.value()
