from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.web.resource import EncodingResourceWrapper, IResource, Resource
from twisted.web.server import GzipEncoderFactory

from proto.web.gate import Check, Gate
from proto.web.handlers import Handlers
from proto.web.prefix import Prefix
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from proto.web.websocket import WebSocketResource
from tests.support import connect
from tests.web.sockets import UPGRADE, Witness
from tests.web.wire import ask, clock_now, greeting, hang_up, read_answer, request_bytes, site_for

PRIVATE = Prefix.parse("/private")


def closed(request: WebRequest) -> None:
    raise HTTPError(403, "Closed.")


def named(passed: list[str], name: str) -> Check:
    def check(request: WebRequest) -> None:
        passed.append(name)

    return check


def whole_site(tmp_path: Path, gate: Callable[[IResource], Gate]) -> ProtoSite:
    """Files, handlers, resources and a WebSocket, some of each below /private."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "a.txt").write_text("secret")
    (tmp_path / "b.txt").write_text("public")
    handlers = greeting()
    handlers.register("/private/post/<name>", lambda request, name: "secret", ["POST"])
    handlers.register("/private/handler", lambda request: "secret")
    handlers.not_found(lambda request: "a page of our own")
    clock = clock_now()
    tree = build_tree(tmp_path, clock, handlers=handlers)
    mounted = Resource()
    mounted.putChild(b"socket", WebSocketResource(clock, lambda request: Witness()))
    tree.putChild(b"mounted", mounted)
    return site_for(gate(tree))


@pytest.mark.parametrize(
    ("target", "method"),
    [
        ("/private/a.txt", "GET"),
        ("/private/a.txt", "HEAD"),
        ("/private/a.txt", "OPTIONS"),
        ("/private/a.txt", "DELETE"),
        ("/private/a.txt", "BREW"),
        ("/private/handler", "GET"),
        ("/private/handler", "OPTIONS"),
        ("/private/post/a", "POST"),
        ("/private", "GET"),
        ("/private/", "GET"),
        ("/private/nothing/there", "GET"),
        ("//private/a.txt", "GET"),
        ("/private//a.txt", "GET"),
        ("/private%2fa.txt", "GET"),
        ("/%70rivate/a.txt", "GET"),
        ("/PRIVATE/a.txt", "GET"),
        ("http://localhost/private/a.txt", "GET"),
    ],
)
def test_nothing_below_the_path_is_reached_past_its_check(
    tmp_path: Path, target: str, method: str
) -> None:
    site = whole_site(tmp_path, lambda tree: Gate(tree, every=[(PRIVATE, closed)]))
    answer = ask(site, target, method)
    assert answer.status == 403
    assert b"secret" not in answer.body


@pytest.mark.parametrize("target", ["/%2e/private/a.txt", "/x/%2e%2e/private/a.txt", "/./private"])
def test_a_dot_segment_is_no_way_around(tmp_path: Path, target: str) -> None:
    site = whole_site(tmp_path, lambda tree: Gate(tree, every=[(PRIVATE, closed)]))
    assert ask(site, target).status == 400


def test_everything_else_is_as_without_a_gate(tmp_path: Path) -> None:
    site = whole_site(tmp_path, lambda tree: Gate(tree, every=[(PRIVATE, closed)]))
    assert ask(site, "/b.txt").body == b"public"
    assert b"Hello, Ann!" in ask(site, "/hello/Ann").body
    assert ask(site, "/nowhere").body == b"a page of our own"
    assert ask(site, "/b.txt", "POST").status == 405


def test_a_websocket_is_behind_the_gate_as_well(tmp_path: Path) -> None:
    mounted = Prefix.parse("/mounted")
    site = whole_site(tmp_path, lambda tree: Gate(tree, every=[(mounted, closed)]))
    assert ask(site, "/mounted/socket", "GET", b"", **UPGRADE).status == 403


def test_a_websocket_opens_when_its_check_passes_late(tmp_path: Path) -> None:
    waiting: Deferred[None] = Deferred()
    mounted = Prefix.parse("/mounted")
    site = whole_site(tmp_path, lambda tree: Gate(tree, nearest=[(mounted, lambda _: waiting)]))
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes("/mounted/socket", "GET", UPGRADE, b""))
    assert wire.value() == b""
    waiting.callback(None)
    assert wire.value().startswith(b"HTTP/1.1 101 ")
    hang_up(protocol)


def test_a_request_waits_for_its_check_and_then_finds_its_way(tmp_path: Path) -> None:
    for target, body in (("/private/a.txt", b"secret"), ("/private/handler", b"secret")):
        waiting: Deferred[None] = Deferred()

        def gate(tree: IResource, waiting: Deferred[None] = waiting) -> Gate:
            return Gate(tree, every=[(PRIVATE, lambda request: waiting)])

        folder = tmp_path / target.rpartition("/")[2]
        folder.mkdir()
        protocol, wire = connect(whole_site(folder, gate))
        protocol.dataReceived(request_bytes(target, "GET", {}, b""))
        assert wire.value() == b""
        waiting.callback(None)
        assert read_answer(wire)[0].body == body


def test_a_late_refusal_is_its_page(tmp_path: Path) -> None:
    waiting: Deferred[None] = Deferred()
    site = whole_site(tmp_path, lambda tree: Gate(tree, every=[(PRIVATE, lambda _: waiting)]))
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes("/private/a.txt", "GET", {}, b""))
    waiting.errback(HTTPError(401, "Who are you?", [("X-Why", "1")]))
    answer, _ = read_answer(wire)
    assert (answer.status, answer.headers["X-Why"]) == (401, "1")


def test_nothing_happens_when_the_peer_left_before_its_check_passed() -> None:
    called: list[WebRequest] = []
    waiting: Deferred[None] = Deferred()
    handlers = Handlers()
    handlers.register("/private", lambda request: called.append(request))
    gate = Gate(
        build_tree(None, clock_now(), handlers=handlers), every=[(PRIVATE, lambda _: waiting)]
    )
    protocol, wire = connect(site_for(gate))
    protocol.dataReceived(request_bytes("/private", "GET", {}, b""))
    hang_up(protocol)
    waiting.callback(None)
    assert (called, wire.value()) == ([], b"")


def test_every_check_is_asked_in_order_and_of_the_nearest_only_the_longest() -> None:
    passed: list[str] = []
    late: Deferred[None] = Deferred()

    def wait(request: WebRequest) -> Deferred[None]:
        passed.append("late")
        return late

    gate = Gate(
        build_tree(None, clock_now(), handlers=greeting()),
        every=[
            (Prefix.parse("/"), wait),
            (Prefix.parse("/hello"), named(passed, "hello")),
            (Prefix.parse("/other"), named(passed, "other")),
        ],
        nearest=[
            (Prefix.parse("/"), named(passed, "far")),
            (Prefix.parse("/hello/ann"), named(passed, "near")),
        ],
    )
    protocol, wire = connect(site_for(gate))
    protocol.dataReceived(request_bytes("/hello/ann", "GET", {}, b""))
    assert passed == ["late"]
    late.callback(None)
    assert passed == ["late", "hello", "near"]
    assert b"Hello, ann!" in read_answer(wire)[0].body


class Told(Resource):
    """What Twisted's traversal left for a resource."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return repr((request.prepath, request.postpath)).encode()


@pytest.mark.parametrize("late", [False, True])
def test_somebody_elses_root_sees_the_path_as_without_a_gate(late: bool) -> None:
    passing: Deferred[None] | None = None
    if late:
        passing = Deferred()
        passing.callback(None)
    branch = Resource()
    branch.putChild(b"a", Told())
    anything = Prefix.parse("/")
    site = site_for(Gate(branch, every=[(anything, lambda request: passing)]))
    assert ask(site, "/a/b%2fc").body == b"([b'a'], [b'b/c'])"
    again: Deferred[None] | None = None
    if late:
        again = Deferred()
        again.callback(None)
    leaf = site_for(Gate(Told(), every=[(anything, lambda request: again)]))
    assert ask(leaf, "/a/b").body == b"([], [b'a', b'b'])"


@pytest.mark.parametrize("late", [False, True])
def test_a_resource_that_is_encoded_still_is(late: bool) -> None:
    passing: Deferred[None] | None = None
    if late:
        passing = Deferred()
        passing.callback(None)
    encoded = EncodingResourceWrapper(Told(), [GzipEncoderFactory()])
    site = site_for(Gate(encoded, every=[(Prefix.parse("/"), lambda request: passing)]))
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes("/", "GET", {"Accept-Encoding": "gzip"}, b""))
    assert b"content-encoding: gzip" in wire.value().lower()


def test_the_names_in_these_tests_are_there_without_a_gate(tmp_path: Path) -> None:
    site = whole_site(tmp_path, lambda tree: Gate(tree))
    assert ask(site, "/private/a.txt").body == b"secret"
    assert ask(site, "/private/handler").body == b"secret"
    assert ask(site, "/private/post/a", "POST").body == b"secret"


@pytest.mark.parametrize("late", [False, True])
def test_a_handler_that_reads_its_body_as_it_comes_is_behind_the_gate_as_well(late: bool) -> None:
    got: list[bytes] = []

    async def take(request: WebRequest) -> str:
        assert request.body is not None
        got.append(await request.body.read())
        return "taken"

    answer: Deferred[None] = Deferred()

    def check(request: WebRequest) -> Deferred[None] | None:
        if late:
            return answer
        raise HTTPError(403, "Closed.")

    handlers = Handlers()
    handlers.register("/private/up", take, ["POST"], streaming=True)
    gate = Gate(build_tree(None, clock_now(), handlers=handlers), every=[(PRIVATE, check)])
    site = site_for(gate, streams=handlers.streams)
    protocol, wire = connect(site)
    protocol.dataReceived(request_bytes("/private/up", "POST", {}, b"all of it"))
    if late:
        assert (wire.value(), got) == (b"", [])
        answer.callback(None)
        assert (read_answer(wire)[0].body, got) == (b"taken", [b"all of it"])
    else:
        assert (read_answer(wire)[0].status, got) == (403, [])
    hang_up(protocol)


BETWEEN = ["/", "//", "%2f", "/./", "/%2e/", "/x/../", "/x/%2e%2E/", ";/", "/%5c", "?/", "/%00"]
FOLDER = ["private", "%70rivate", "privat%65", "PRIVATE", "Private", "private.", "private%20"]


def test_no_spelling_of_a_path_leads_around_the_gate(tmp_path: Path) -> None:
    open_site = whole_site(tmp_path, lambda tree: Gate(tree))
    tree = build_tree(tmp_path, clock_now())
    closed_site = site_for(Gate(tree, every=[(PRIVATE, closed)]))
    found = 0
    for origin, first, folder, then, name in itertools.product(
        ["", "http://localhost"], BETWEEN, FOLDER, BETWEEN, ["a.txt", "a%2etxt"]
    ):
        target = f"{origin}{first}{folder}{then}{name}"
        found += b"secret" in ask(open_site, target).body
        assert b"secret" not in ask(closed_site, target).body, target
    assert found >= 2 * 3 * 2
