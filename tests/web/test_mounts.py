from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.web.handlers import Handlers
from proto.web.mounts import Mounts, names_of
from proto.web.outgoing import Outgoing
from proto.web.request import WebRequest
from proto.web.response import Response
from proto.web.site import ProtoSite
from proto.web.tree import add_greeting, build_tree
from tests.support import connect
from tests.web.wire import ask, clock_now, hang_up, read_answer


class Place(Resource):
    """Says where it stands, and what it was asked for."""

    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def render(self, request: WebRequest) -> bytes:
        assert request.prepath is not None
        assert request.postpath is not None
        parts = [b"/".join(request.prepath), b"/".join(request.postpath)]
        return f"{self._name}:".encode() + b"|".join(parts)


def site_with(mounts: Mounts) -> ProtoSite:
    clock = clock_now()
    handlers = Handlers()
    add_greeting(handlers)
    tree = build_tree(None, clock, handlers=handlers, mounts=mounts, ready=dict)
    return ProtoSite(tree, clock, streams=tree.streams)


def mounted(*paths: str) -> ProtoSite:
    mounts = Mounts()
    for path in paths:
        mounts.add(path, Place(path))
    return site_with(mounts)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/app", b"/app:app|"),
        ("/app/", b"/app:app|"),
        ("/app/x/y", b"/app:app|x/y"),
        ("/app/deep", b"/app/deep:app/deep|"),
        ("/app/deep/x", b"/app/deep:app/deep|x"),
        ("/app/deeper", b"/app:app|deeper"),
        ("/%61pp/%2f", b"/app:app|/"),
        ("/app//x", b"/app:app|/x"),
    ],
)
def test_the_longest_path_answers_for_all_below_it(target: str, body: bytes) -> None:
    assert ask(mounted("/app", "/app/deep"), target).body == body


@pytest.mark.parametrize("target", ["/", "/ap", "/apple", "/APP", "//app"])
def test_other_paths_are_not_answered(target: str) -> None:
    assert ask(mounted("/app"), target).status == 404


def test_what_is_mounted_at_the_root_answers_whatever_nobody_else_does() -> None:
    site = mounted("/", "/app")
    assert ask(site, "/").body == b"/:|"
    assert ask(site, "/x/y").body == b"/:|x/y"
    assert ask(site, "/app/x").body == b"/app:app|x"
    assert ask(site, "/hello/you").body.startswith(b"<!doctype")
    assert ask(site, "/health").headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", ["app", "", "/a?b", "/a//b", "/%zz", "/a/../b", "//"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"/|a"):
        names_of(path)


def test_two_cannot_stand_at_one_path() -> None:
    mounts = Mounts()
    mounts.add("/app", Place("one"))
    with pytest.raises(ValueError, match="/app/ is given twice"):
        mounts.add("/app/", Place("two"))


class Copy(Resource):
    """Answers with the body as it comes."""

    isLeaf = True

    def render(self, request: WebRequest) -> int:
        Deferred.fromCoroutine(self._copy(request)).addErrback(request.fail)
        return NOT_DONE_YET

    async def _copy(self, request: WebRequest) -> None:
        assert request.body is not None
        outgoing = Outgoing(request)
        request.begin(Response(200), 6)
        async for chunk in request.body:
            await outgoing.write(chunk)
        outgoing.finish()


def test_a_body_is_read_as_it_comes_where_that_is_wanted() -> None:
    mounts = Mounts()
    mounts.add("/copy", Copy(), max_body=6)
    mounts.add("/", Place("rest"))
    protocol, wire = connect(site_with(mounts))
    protocol.dataReceived(b"POST /copy HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
    assert wire.value().endswith(b"\r\n\r\nabc")
    protocol.dataReceived(b"def")
    assert read_answer(wire)[0].body == b"abcdef"
    hang_up(protocol)


def test_a_mounted_resource_may_take_as_much_as_it_says() -> None:
    mounts = Mounts()
    mounts.add("/copy", Copy(), max_body=6)
    assert ask(site_with(mounts), "/copy", "POST", b"1234567").status == 413


def test_a_body_for_others_is_whole_first() -> None:
    mounts = Mounts()
    mounts.add("/copy", Copy(), max_body=0)
    mounts.add("/", Place("rest"))
    protocol, wire = connect(site_with(mounts))
    for path, status in ((b"/x", 200), (b"/hello/you", 405), (b"/%zz", 400)):
        protocol.dataReceived(
            b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na"
        )
        assert wire.value() == b""
        protocol.dataReceived(b"b")
        assert read_answer(wire)[0].status == status
        wire.clear()
    hang_up(protocol)
