from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs

from proto.web.dav import XML_BYTES, DavResource, Relay, dav_application
from proto.web.response import HTTPError
from tests.web.wire import hang_up
from tests.web.wsgi.stage import Stage

METHODS: Final = (
    *("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "BREW"),
    *("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"),
)
ANN: Final = {"Authorization": "Basic YW5uOnRlYQ=="}  # ann:tea
BOB: Final = {"Authorization": "Basic Ym9iOnRlYQ=="}
LOCK: Final = (
    b'<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    b"<D:locktype><D:write/></D:locktype></D:lockinfo>"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("one\n")
    return tmp_path / "root"


def needs_a_password(request: Any) -> Deferred[None]:
    if not request.header("Authorization"):
        raise HTTPError(401, "Who are you?", [("WWW-Authenticate", "Basic")])
    return succeed(None)


def share(
    root: Path, check: Any = None, read_only: bool = False, max_body: int = 1000, path: str = "/dav"
) -> Stage:
    def make(application: Any, pool: Any) -> DavResource:
        return DavResource(application, pool, check)

    application = dav_application(root, path, read_only=read_only)
    return Stage(application, make=make, path=path, max_body=max_body)


def status(stage: Stage, target: str, method: str, body: bytes = b"", **headers: str) -> int:
    return int(stage.ask(target, method, body, **headers)[0].split(b" ")[1])


def test_a_file_is_put_listed_moved_and_deleted(root: Path) -> None:
    with share(root) as stage:
        assert status(stage, "/dav/b%20c", "PUT", b"two\n") == 201
        assert status(stage, "/dav/b%20c", "PUT", b"three\n") == 204
        assert (root / "b c").read_text() == "three\n"
        head, body = stage.ask("/dav/", "PROPFIND", Depth="1")
        assert head.startswith(b"HTTP/1.1 207 ")
        assert b">/dav/b%20c<" in body
        assert status(stage, "/dav/b%20c", "MOVE", Destination="/dav/d") == 201
        assert stage.ask("/dav/d")[1] == b"three\n"
        assert status(stage, "/dav/d", "COPY", Destination="http://localhost/dav/e") == 201
        assert status(stage, "/dav/d", "DELETE") == 204
        assert sorted(path.name for path in root.iterdir()) == ["a.txt", "e"]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_what_is_put_in_the_place_of_a_folder_that_holds_it_is_refused(
    root: Path, method: str
) -> None:
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "b").write_text("b\n")
    with share(root) as stage:
        for source in ("/dav/deep/er/b", "/dav/deep/er", "/dav/deep/er/"):
            for place in ("/dav/deep", "/dav/deep/"):
                assert status(stage, source, method, Destination=place) == 409
    assert (root / "deep" / "er" / "b").read_text() == "b\n"


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_file_takes_the_place_of_another_with_its_properties(root: Path, method: str) -> None:
    change = (
        b'<D:propertyupdate xmlns:D="DAV:" xmlns:u="urn:u"><D:set><D:prop><u:%b>v</u:%b></D:prop>'
        b"</D:set></D:propertyupdate>"
    )
    (root / "b").write_text("two\n")
    with share(root) as stage:
        assert status(stage, "/dav/a.txt", "PROPPATCH", change % (b"new", b"new")) == 207
        assert status(stage, "/dav/b", "PROPPATCH", change % (b"old", b"old")) == 207
        assert status(stage, "/dav/a.txt", method, Destination="/dav/b", Overwrite="F") == 412
        assert (root / "b").read_text() == "two\n"
        assert status(stage, "/dav/a.txt", method, Destination="/dav/b") == 204
        told = stage.ask("/dav/b", "PROPFIND", Depth="0")[1]
    assert (root / "b").read_text() == "one\n"
    assert (root / "a.txt").exists() == (method == "COPY")
    assert b"new" in told
    assert b"old" not in told


def test_a_folder_may_be_all_that_there_is(root: Path) -> None:
    with share(root, path="/") as stage:
        assert stage.ask("/a.txt")[1] == b"one\n"
        assert b">/a.txt<" in stage.ask("/", "PROPFIND", Depth="1")[1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", ["/dav", "/dav/", "/dav/a.txt", "/dav//a.txt", "/dav/none/x"])
def test_nothing_is_answered_without_a_password(root: Path, method: str, target: str) -> None:
    with share(root, needs_a_password) as stage:
        assert status(stage, target, method) == 401
        assert status(stage, target, method, b"x") == 401


def test_what_one_has_locked_another_cannot_change(root: Path) -> None:
    with share(root, needs_a_password) as stage:
        head, _ = stage.ask("/dav/a.txt", "LOCK", LOCK, **ANN)
        token = next(
            line[12:].decode() for line in head.split(b"\r\n") if line.startswith(b"Lock-Token: ")
        )
        assert status(stage, "/dav/a.txt", "PUT", b"two\n", **BOB) == 423
        assert status(stage, "/dav/a.txt", "PUT", b"two\n", **BOB, If=f"({token})") == 412
        assert (root / "a.txt").read_text() == "one\n"
        assert status(stage, "/dav/a.txt", "PUT", b"two\n", **ANN, If=f"({token})") == 204


def test_a_file_that_is_broken_off_leaves_the_old_one(root: Path) -> None:
    with share(root) as stage:
        for name in (b"a.txt", b"new"):
            protocol, wire = stage.connect()
            protocol.dataReceived(b"PUT /dav/" + name + b" HTTP/1.1\r\nHost: x\r\n")
            protocol.dataReceived(b"Content-Length: 9\r\n\r\nhalf")
            stage.until(lambda: list(root.glob(".upload-*")))
            hang_up(protocol)
            wire.connected = False
            stage.until(lambda: stage.pool.workers.busy == 0)
        assert [path.name for path in root.iterdir()] == ["a.txt"]
        assert (root / "a.txt").read_text() == "one\n"


def test_a_file_that_is_too_large_leaves_the_old_one(root: Path) -> None:
    with share(root, max_body=10) as stage:
        assert status(stage, "/dav/a.txt", "PUT", b"x" * 11) == 413
        wire = stage.send(
            b"PUT /dav/a.txt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n"
        )
        stage.until(lambda: wire.value())
        assert wire.value().startswith(b"HTTP/1.1 413 ")
        stage.until(lambda: stage.pool.workers.busy == 0)
        assert [path.name for path in root.iterdir()] == ["a.txt"]
        assert (root / "a.txt").read_text() == "one\n"


@pytest.mark.parametrize("depth", [{}, {"Depth": "infinity"}, {"Depth": "2"}])
def test_nobody_lists_everything_at_once(root: Path, depth: dict[str, str]) -> None:
    with share(root) as stage:
        head, body = stage.ask("/dav/", "PROPFIND", b"", **depth)
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"propfind-finite-depth" in body


Asked = tuple[str, str, bytes, dict[str, str]]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (("PUT", "/dav/.new", b"x", {}), 404),
        (("PUT", "/dav/none/x", b"x", {}), 409),
        (("PUT", "/dav/", b"x", {}), 405),
        (("PUT", "/dav/a.txt", b"x", {"Content-Range": "bytes 0-1/9"}), 400),
        (("PUT", "/dav/a%00", b"x", {}), 400),
        (("PUT", "/dav/%ff", b"x", {}), 404),
        (("MKCOL", "/dav/.d", b"", {}), 404),
        (("MKCOL", "/dav/d", b"x", {}), 415),
        (("DELETE", "/dav/", b"", {}), 403),
        (("MOVE", "/dav/", b"", {"Destination": "/dav/d"}), 403),
        (("MOVE", "/dav/a.txt", b"", {"Destination": "/dav/.d"}), 404),
        (("MOVE", "/dav/a.txt", b"", {"Destination": "/dav/../../d"}), 400),
        (("COPY", "/dav/a.txt", b"", {"Destination": "/dav/%2e%2e/d"}), 502),
        (("COPY", "/dav/a.txt", b"", {"Destination": "http://else/dav/d"}), 502),
        (("COPY", "/dav/a.txt", b"", {"Destination": "/other/d"}), 502),
        (("COPY", "/dav/a.txt", b"", {}), 400),
        (("PROPFIND", "/dav/", b"<x", {"Depth": "0"}), 400),
        (("PROPFIND", "/dav/", b"x" * (XML_BYTES + 1), {"Depth": "0"}), 413),
        (
            (
                "PROPFIND",
                "/dav/",
                b'<!DOCTYPE x [<!ENTITY a "b">]><propfind xmlns="DAV:"><prop>&a;</prop></propfind>',
                {"Depth": "0"},
            ),
            400,
        ),
        (("LOCK", "/dav/a.txt", b"", {}), 400),
        (("UNLOCK", "/dav/a.txt", b"", {}), 400),
        (("BREW", "/dav/a.txt", b"", {}), 405),
        (("GET", "/dav/", b"", {}), 403),
        (("GET", "/dav/none", b"", {}), 404),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    root: Path, asked: Asked, code: int
) -> None:
    method, target, body, headers = asked
    with capturedLogs() as events, share(root, max_body=1 << 20) as stage:
        given = {name.replace("-", "_"): value for name, value in headers.items()}
        head, told = stage.ask(target, method, body, **given)
    assert int(head.split(b" ")[1]) == code
    assert str(root).encode() not in head + told
    assert b"http://" not in told.replace(b"http://www.w3.org", b"")
    assert [path.name for path in root.iterdir()] == ["a.txt"]
    assert (root / "a.txt").read_text() == "one\n"
    assert not [event for event in events if "log_failure" in event]


def test_a_body_of_unknown_length_is_only_for_files(root: Path) -> None:
    head = b" HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
    with share(root) as stage:
        wire = stage.send(b"PROPFIND /dav/" + head + b"1\r\nx\r\n0\r\n\r\n")
        stage.until(lambda: wire.value())
        assert wire.value().startswith(b"HTTP/1.1 411 ")
        wire = stage.send(b"PUT /dav/a.txt" + head + b"4\r\ntwo\n\r\n0\r\n\r\n")
        stage.until(lambda: wire.value())
        assert wire.value().startswith(b"HTTP/1.1 204 ")
    assert (root / "a.txt").read_text() == "two\n"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH", "LOCK"])
def test_who_may_only_read_changes_nothing(root: Path, method: str) -> None:
    with share(root, read_only=True) as stage:
        target = "/dav/new" if method == "MKCOL" else "/dav/a.txt"
        assert status(stage, target, method, Destination="/dav/b") == 405
        assert stage.ask("/dav/a.txt")[1] == b"one\n"
    assert [path.name for path in root.iterdir()] == ["a.txt"]


def test_wsgidav_tells_our_log_and_nobody_forges_a_line() -> None:
    def call(function: Callable[..., None], *args: Any) -> None:
        function(*args)

    relay = Relay(call)
    source = logging.getLogger("wsgidav.somewhere")
    relay.start()
    with capturedLogs() as events:
        source.warning("one\ntwo %s", "\x1b[2J")
        source.info("not of interest")
    relay.stop()
    assert [event["line"] for event in events] == ["one\\ntwo \\x1b[2J"]
    assert relay not in logging.getLogger("wsgidav").handlers
