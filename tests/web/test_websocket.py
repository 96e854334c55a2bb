from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.metrics import Metrics
from proto.web.accesslog import AccessLog
from proto.web.handlers import Handlers
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from proto.web.websocket import Listener, WebSocketResource, text_frame
from tests.support import connect
from tests.web.sockets import UPGRADE, Root, Visit, Witness, masked
from tests.web.wire import Answer, ask, clock_now, hang_up, request_bytes

HELLO = masked(1, b"hello")


def refused_by(request: WebRequest) -> Listener:
    raise HTTPError(429, "Too many of you.", [("Retry-After", "10")])


def fails_for(request: WebRequest) -> Listener:
    raise RuntimeError("a mistake of ours")


def ask_for(
    accept: Any = lambda request: Witness(),
    method: str = "GET",
    origins: tuple[str, ...] = (),
    **changes: str | None,
) -> Answer:
    """The refusal of a handshake with these fields changed; None leaves one out."""
    resource = WebSocketResource(clock_now(), accept, origins=origins)
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    fields: dict[str, Any] = {**UPGRADE, **named}
    fields = {name: value for name, value in fields.items() if value is not None}
    return ask(ProtoSite(Root(resource), clock_now()), "/", method, **fields)


def test_the_handshake_of_the_rfc() -> None:
    site = ProtoSite(Root(WebSocketResource(clock_now(), lambda request: Witness())), clock_now())
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes("/chat", "GET", UPGRADE, b""))
    head, end, rest = wire.value().partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    assert (first, end, rest) == (b"HTTP/1.1 101 Switching Protocols", b"\r\n\r\n", b"")
    assert b"Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in fields
    assert b"Upgrade: websocket" in fields
    assert b"Connection: Upgrade" in fields
    assert not any(
        field.startswith((b"Content-Type", b"Content-Length", b"Transfer-")) for field in fields
    )


def test_a_client_opens_says_something_and_is_answered() -> None:
    visit = Visit(Witness(echo=True))
    assert visit.is_open
    visit.client.send_text("grüß".encode())
    visit.send()
    assert visit.witness.told == ["grüß"]
    assert visit.heard() == [(1, "grüß".encode())]


def test_what_was_read_together_with_the_head_is_heard() -> None:
    visit = Visit(early=HELLO + masked(1, b"there"))
    assert visit.witness.told == ["hello", "there"]


def test_what_came_while_the_answer_was_made_is_heard() -> None:
    clock = clock_now()
    witness = Witness()
    ready: Deferred[str] = Deferred()
    handlers = Handlers()
    handlers.register("/slow", lambda request: ready)
    tree = build_tree(None, clock, handlers=handlers)
    tree.putChild(b"ws", WebSocketResource(clock, lambda request: witness))
    protocol, wire = connect(ProtoSite(tree, clock))
    protocol.dataReceived(request_bytes("/slow", "GET", {}, b""))
    protocol.dataReceived(request_bytes("/ws", "GET", UPGRADE, b"") + HELLO)
    ready.callback("done")
    assert b"101 Switching Protocols" in wire.value()
    assert witness.told == ["hello"]


class Late(Resource):
    """Asks somebody else first, and upgrades when it has the answer."""

    isLeaf = True

    def __init__(self, inner: WebSocketResource) -> None:
        super().__init__()
        self._inner = inner
        self.requests: list[WebRequest] = []

    def render(self, request: WebRequest) -> int:
        self.requests.append(request)
        return NOT_DONE_YET

    def answer(self) -> None:
        (request,) = self.requests
        self._inner.render(request)


def test_a_late_upgrade_hears_what_came_before_it_and_a_silent_peer_has_no_timeout() -> None:
    clock = clock_now()
    witness = Witness()
    late = Late(WebSocketResource(clock, lambda request: witness))
    protocol, wire = connect(ProtoSite(late, clock))
    protocol.dataReceived(request_bytes("/", "GET", UPGRADE, b"") + HELLO[:3])
    protocol.dataReceived(HELLO[3:])
    protocol.dataReceived(masked(2, bytes(20_000)))  # so much that the channel stops reading
    assert wire.producerState == "paused"
    late.answer()
    assert witness.told == ["hello", bytes(20_000)]
    assert wire.producerState == "producing"


def test_a_request_is_over_with_its_upgrade_and_can_have_set_a_cookie() -> None:
    told: list[None] = []

    def accept(request: WebRequest) -> Listener:
        request.addCookie("seen", "1")
        request.when_over().addCallback(told.append)
        return Witness()

    site = ProtoSite(Root(WebSocketResource(clock_now(), accept)), clock_now())
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes("/", "GET", UPGRADE, b""))
    assert b"\r\nSet-Cookie: seen=1\r\n" in wire.value()
    assert told == [None]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=12))
def test_it_makes_no_difference_how_the_bytes_are_cut(cuts: list[int]) -> None:
    clock = clock_now()
    witness = Witness(echo=True)
    site = ProtoSite(Root(WebSocketResource(clock, lambda request: witness)), clock)
    protocol, wire = connect(site)
    raw = request_bytes("/", "GET", UPGRADE, b"") + b"".join(
        (
            HELLO,
            masked(9, b"are you there"),
            masked(1, "grü".encode()[:3], fin=False),
            masked(9, b""),
            masked(0, "grü".encode()[3:] + b"x" * 130),
            masked(2, bytes(300)),
            masked(8, b"\x03\xe8bye"),
        )
    )
    edges = [0, *sorted(min(cut * 3, len(raw)) for cut in cuts), len(raw)]
    for start, end in pairwise(edges):
        if start < end:
            protocol.dataReceived(raw[start:end])
    long = "grü" + "x" * 130
    assert witness.told == ["hello", long, bytes(300), (1000, "bye")]
    said = wire.value().partition(b"\r\n\r\n")[2]
    pong = b"\x8a\x0dare you there"
    assert said.replace(pong, b"", 1).replace(b"\x8a\x00", b"", 1) == (
        text_frame(b"hello")
        + text_frame(long.encode())
        + b"\x82\x7e\x01\x2c"
        + bytes(300)
        + b"\x88\x05\x03\xe8bye"
    )
    assert pong in said
    assert wire.disconnecting


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "DELETE"])
def test_only_get_can_upgrade(method: str) -> None:
    answer = ask_for(method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "changes",
    [{"Upgrade": None}, {"Upgrade": "h2c"}, {"Connection": None}, {"Sec_WebSocket_Version": "8"}],
    ids=str,
)
def test_who_asks_for_something_else_is_told_what_is_here(changes: dict[str, Any]) -> None:
    answer = ask_for(**changes)
    assert answer.status == 426
    assert answer.headers["Upgrade"] == "websocket"
    assert answer.headers["Sec-Websocket-Version"] == "13"


@pytest.mark.parametrize(
    "changes",
    [
        {"Sec_WebSocket_Key": None},
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Version": None},
        {"Sec_WebSocket_Extensions": ";;"},
    ],
    ids=str,
)
def test_a_malformed_handshake_is_a_bad_request(changes: dict[str, Any]) -> None:
    assert ask_for(**changes).status == 400


def test_http_1_0_cannot_upgrade() -> None:
    visit_site = ProtoSite(
        Root(WebSocketResource(clock_now(), lambda request: Witness())), clock_now()
    )
    protocol, wire = connect(visit_site)
    raw = request_bytes("/", "GET", UPGRADE, b"").replace(b"HTTP/1.1", b"HTTP/1.0")
    protocol.dataReceived(raw)
    assert wire.value().startswith(b"HTTP/1.0 426 ")


@pytest.mark.parametrize("origin", ["https://localhost", "http://evil.example", "null", "", "x"])
def test_a_page_of_another_origin_may_not_connect(origin: str) -> None:
    assert ask_for(Origin=origin).status == 403


def test_a_page_of_an_allowed_origin_may_connect() -> None:
    visit = Visit(origins=("https://Chat.example",))
    assert visit.is_open
    raw = request_bytes("/", "GET", {**UPGRADE, "Origin": "https://chat.example:443"}, b"")
    protocol, wire = connect(visit.site)
    protocol.dataReceived(raw)
    assert wire.value().startswith(b"HTTP/1.1 101 ")


def test_an_origin_that_is_none_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no origin"):
        WebSocketResource(clock_now(), refused_by, origins=["chat.example"])


def test_an_application_can_refuse_before_the_upgrade() -> None:
    answer = ask_for(refused_by)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "10")


def test_an_application_that_fails_before_the_upgrade_is_a_500() -> None:
    with capturedLogs() as events:
        assert ask_for(fails_for).status == 500
    (failure,) = (event["log_failure"] for event in events if "log_failure" in event)
    assert failure.check(RuntimeError)


def test_nobody_comes_in_while_the_server_stops() -> None:
    resource = WebSocketResource(clock_now(), lambda request: Witness())
    site = ProtoSite(Root(resource), clock_now())
    protocol, wire = connect(site)
    raw = request_bytes("/", "GET", UPGRADE, b"")
    protocol.dataReceived(raw[:20])
    site.farewell()
    protocol.dataReceived(raw[20:])
    assert wire.value().startswith(b"HTTP/1.1 503 ")
    assert wire.disconnecting


def test_the_first_of_our_subprotocols_that_is_offered_is_taken() -> None:
    witness = Witness()
    resource = WebSocketResource(
        clock_now(), lambda request: witness, subprotocols=["v2.chat", "v1.chat"]
    )
    protocol, wire = connect(ProtoSite(Root(resource), clock_now()))
    fields = {**UPGRADE, "Sec-WebSocket-Protocol": "v0.chat, v1.chat"}
    protocol.dataReceived(request_bytes("/", "GET", fields, b""))
    assert b"\r\nSec-Websocket-Protocol: v1.chat\r\n" in wire.value()
    assert witness.socket.subprotocol == "v1.chat"


def test_the_access_log_tells_of_the_upgrade_once(tmp_path: Path) -> None:
    clock = clock_now()
    log = AccessLog(tmp_path / "log", clock)
    visit = Visit(clock=clock, access_log=log)
    visit.leave()
    visit.site.stopFactory()
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert '"GET / HTTP/1.1" 101 0 ' in line


def test_the_timeouts_of_http_do_not_count() -> None:
    visit = Visit(ping_every=1e6)
    visit.clock.advance(3600)
    assert not visit.wire.disconnecting
    assert visit.is_open


def test_nothing_stays_behind_a_peer_that_left() -> None:
    visit = Visit()
    visit.send(HELLO)
    visit.leave()
    assert visit.witness.told == ["hello", (1006, "")]
    assert not visit.site.connections
    visit.clock.advance(30)  # the last round finds nobody
    assert not visit.clock.getDelayedCalls()


def test_farewell_closes_with_going_away_and_waits_for_the_answer() -> None:
    visit = Visit()
    visit.site.farewell()
    assert visit.heard() == [(8, b"\x03\xe9the server hangs up")]
    assert not visit.wire.disconnecting
    visit.send()
    assert visit.witness.told == [(1001, "the server hangs up")]
    assert visit.wire.disconnecting


def test_a_peer_that_does_not_answer_the_farewell_is_cut_off() -> None:
    visit = Visit()
    visit.site.farewell()
    visit.clock.advance(5)
    assert visit.wire.is_cut()
    visit.leave()
    assert visit.witness.told == [(1006, "did not answer the closing handshake")]


def test_what_happens_is_counted() -> None:
    metrics = Metrics()
    visit = Visit(metrics=metrics)
    visit.send(HELLO + HELLO)
    assert b"proto_web_sockets_open 1.0\n" in metrics.render()
    assert b"proto_web_socket_messages_total 2.0\n" in metrics.render()
    visit.wire.fill()
    visit.socket.send_text("x" * 98)
    assert b"proto_web_socket_queue_bytes 100.0\n" in metrics.render()
    visit.clock.advance(100)
    visit.leave()
    assert b"proto_web_sockets_open 0.0\n" in metrics.render()
    assert b"proto_web_sockets_dropped_total 1.0\n" in metrics.render()


def test_a_request_on_the_same_connection_before_the_upgrade_is_answered() -> None:
    clock = clock_now()
    tree: Resource = build_tree(None, clock)
    tree.putChild(b"ws", WebSocketResource(clock, lambda request: Witness()))
    protocol, wire = connect(ProtoSite(tree, clock))
    protocol.dataReceived(
        request_bytes("/nothing", "GET", {}, b"") + request_bytes("/ws", "GET", UPGRADE, b"")
    )
    assert wire.value().startswith(b"HTTP/1.1 404 ")
    assert b"HTTP/1.1 101 " in wire.value()
    hang_up(protocol)


def test_two_of_a_process_are_counted_apart() -> None:
    metrics = Metrics()
    visits = [Visit(metrics=metrics), Visit(metrics=metrics, counted_as="echo_socket")]
    visits[1].send(HELLO)
    told = metrics.render()
    assert b"proto_web_sockets_open 1.0\n" in told
    assert b"proto_web_socket_messages_total 0.0\n" in told
    assert b"proto_echo_sockets_open 1.0\n" in told
    assert b"proto_echo_socket_messages_total 1.0\n" in told
