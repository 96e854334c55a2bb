from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred, fail

from proto.web.aside import AtOnce, Unwanted
from proto.web.cgi.door import METHODS, Rules
from proto.web.cgi.running import Deadlines, start
from tests.web.cgi.stage import PLAIN, PYTHON, Stage, logged, shell, write_script
from tests.web.wire import hang_up

T = TypeVar("T")
SHOW = (
    PYTHON + "import os, sys\n"
    "print('Content-Type: text/plain\\n')\n"
    "for name in sorted(os.environb):\n"
    "    print(ascii(name)[2:-1] + '=' + ascii(os.environb[name])[2:-1])\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cgi-bin"
    folder.mkdir()
    return folder


@pytest.fixture
def errors() -> Iterator[list[str]]:
    with logged("why") as told:
        yield told


def test_the_environment_is_this_and_nothing_else(folder: Path) -> None:
    os.environ["SECRET_OF_OURS"] = "x"
    try:
        write_script(folder, "show", SHOW)
        rules = Rules(
            extra=((b"LANG", b"C.UTF-8"),),
            translate=lambda names: b"/srv/" + b"/".join(names),
            user_of=lambda request: b"ann",
        )
        got = Stage(folder, rules).exchange(
            b"PUT /cgi-bin/show/a%20b/%ff?c=%20d HTTP/1.1\r\nHost: example.org:8080\r\n"
            b"Content-Length: 2\r\nContent-Type: text/x\r\nAccept: a\r\nAccept: b\r\n"
            b"Proxy: evil\r\nAuthorization: Basic eA==\r\nX_Y: no\r\nConnection: close\r\n\r\nab"
        )
    finally:
        del os.environ["SECRET_OF_OURS"]
    assert got.read().decode().splitlines() == [
        "AUTH_TYPE=Basic",
        "CONTENT_LENGTH=2",
        "CONTENT_TYPE=text/x",
        "GATEWAY_INTERFACE=CGI/1.1",
        "HTTP_ACCEPT=a, b",
        "HTTP_HOST=example.org:8080",
        "LANG=C.UTF-8",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        r"PATH_INFO=/a b/\xff",
        r"PATH_TRANSLATED=/srv/a b/\xff",
        "QUERY_STRING=c=%20d",
        "REMOTE_ADDR=192.0.2.1",
        "REMOTE_HOST=192.0.2.1",
        "REMOTE_USER=ann",
        "REQUEST_METHOD=PUT",
        "SCRIPT_NAME=/cgi-bin/show",
        "SERVER_NAME=example.org",
        "SERVER_PORT=12345",
        "SERVER_PROTOCOL=HTTP/1.1",
        "SERVER_SOFTWARE=proto",
    ]


def test_a_query_is_never_an_argument(folder: Path) -> None:
    shell(folder, "args", PLAIN + "echo $#")
    assert Stage(folder).ask("/args?-s+x").read() == b"0\n"


@pytest.mark.parametrize("method", METHODS)
def test_the_script_is_asked_with_every_usual_method(folder: Path, method: str) -> None:
    shell(folder, "method", "echo Status: 299; echo X-Method: $REQUEST_METHOD; echo")
    got = Stage(folder).ask("/method", method)
    assert (got.status, got.headers["X-Method"]) == (299, method)


@pytest.mark.parametrize(("method", "status"), [("TRACE", 405), ("BREW", 501), ("PROPFIND", 501)])
def test_other_methods_are_refused(folder: Path, method: str, status: int) -> None:
    shell(folder, "method", PLAIN)
    assert Stage(folder).ask("/method", method).status == status


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("", 404),
        ("/", 404),
        ("/none", 404),
        ("/deep", 404),
        ("/deep/", 404),
        ("/%2e%2e/outside", 400),
        ("/../outside", 400),
        ("/..%2foutside", 400),
        ("/run%00", 400),
        ("/run/%00", 400),
        ("/run/..", 400),
        ("/run/a%2fb", 404),
        ("/deep%2frun", 404),
        ("/.hidden", 404),
        ("/nph-run", 404),
        ("/data", 403),
    ],
)
def test_what_is_no_script_is_refused(folder: Path, target: str, status: int) -> None:
    (folder / "deep").mkdir()
    for place in (folder, folder / "deep"):
        shell(place, "run", PLAIN)
    shell(folder.parent, "outside", PLAIN)
    shell(folder, ".hidden", PLAIN)
    shell(folder, "nph-run", PLAIN)
    write_script(folder, "data", "x", 0o644)
    assert Stage(folder).ask(target).status == status


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("#!/nowhere/interpreter\n", "No such file"),
        ("#!/etc/passwd\n", "Permission denied"),
        ("nothing that runs\n", "Exec format error"),
    ],
)
def test_what_cannot_be_run_is_told_in_the_log(
    folder: Path, errors: list[str], text: str, why: str
) -> None:
    write_script(folder, "bad", text)
    stage = Stage(folder)
    got = stage.ask("/bad", "POST", b"body")
    assert got.status == 500
    assert [why in told for told in errors] == [True]
    assert str(folder).encode() not in got.read()
    assert stage.scene.places.running == 0


def test_an_environment_that_is_too_long_is_told_in_the_log(
    folder: Path, errors: list[str]
) -> None:
    shell(folder, "run", PLAIN)
    stage = Stage(folder, Rules(extra=((b"A", b"x" * 10**6),)))
    assert stage.ask("/run").status == 500
    assert errors == ["Argument list too long"]


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_a_body_of_known_length_goes_in_as_it_comes(folder: Path, size: int) -> None:
    shell(folder, "count", PLAIN + 'echo "$CONTENT_LENGTH $(wc -c)"')
    raw = b"POST /cgi-bin/count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    got = Stage(folder).exchange(raw + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
    assert got.read() == f"{size} {size}\n".encode()


def test_of_a_body_in_chunks_the_script_is_told_the_length(folder: Path) -> None:
    shell(folder, "count", PLAIN + 'echo "$CONTENT_LENGTH $(wc -c) $HTTP_TRANSFER_ENCODING."')
    stage = Stage(folder)
    chunks = b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in (1, 70_000, 30_000))
    raw = b"POST /cgi-bin/count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    got = stage.exchange(raw + b"Connection: close\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert got.read() == b"100001 100001 .\n"
    assert (stage.site.spools.memory, stage.site.spools.files) == (0, 0)


@pytest.mark.parametrize("coded", [True, False])
def test_a_body_that_is_too_long_is_refused(folder: Path, coded: bool) -> None:
    shell(folder, "count", "touch ran;" + PLAIN)
    raw = b"POST /cgi-bin/count HTTP/1.1\r\nHost: x\r\n"
    how = (
        b"Transfer-Encoding: chunked\r\n\r\n200000\r\n"
        if coded
        else b"Content-Length: 2097152\r\n\r\n"
    )
    protocol, wire = Stage(folder).open(raw + how)
    assert wire.value().startswith(b"HTTP/1.1 413 ")
    hang_up(protocol)
    assert not (folder / "ran").exists()


def test_a_script_that_does_not_read_a_long_body_answers_all_the_same(folder: Path) -> None:
    shell(folder, "deaf", PLAIN + "echo hi")
    got = Stage(folder).ask("/deaf", "POST", b"x" * 1_000_000)
    assert (got.status, got.read()) == (200, b"hi\n")


def test_a_script_that_takes_too_long_is_stopped(folder: Path) -> None:
    shell(folder, "slow", "touch ran; exec sleep 600")
    stage = Stage(folder, Rules(deadlines=Deadlines(5, 60)))
    protocol, wire = stage.open(b"GET /cgi-bin/slow HTTP/1.1\r\nHost: x\r\n\r\n")
    stage.turns.until(lambda: (folder / "ran").exists())
    stage.turns.advance(5)
    assert wire.value().startswith(b"HTTP/1.1 504 ")
    stage.turns.until(lambda: not stage.scene.places.running)
    assert stage.value("web_cgi_late") == "1.0"
    hang_up(protocol)


def test_a_client_that_leaves_stops_its_script(folder: Path) -> None:
    shell(folder, "slow", "touch ran; exec sleep 600")
    stage = Stage(folder)
    protocol, _ = stage.open(b"GET /cgi-bin/slow HTTP/1.1\r\nHost: x\r\n\r\n")
    stage.turns.until(lambda: (folder / "ran").exists())
    assert stage.value("web_cgi_running") == "1.0"
    hang_up(protocol)
    stage.turns.until(lambda: not stage.scene.places.running)
    assert stage.value("web_cgi_running") == "0.0"


def test_so_many_run_at_once_and_the_next_waits(folder: Path) -> None:
    os.mkfifo(folder / "gate")
    shell(folder, "wait", PLAIN + "cat gate")
    shell(folder, "quick", PLAIN + "echo quick")
    stage = Stage(folder, Rules(at_once=1))
    first, answer = stage.open(b"GET /cgi-bin/wait HTTP/1.1\r\nHost: x\r\n\r\n")
    second, other = stage.open(b"GET /cgi-bin/quick HTTP/1.1\r\nHost: x\r\n\r\n")
    stage.turns.until(lambda: b"\r\n\r\n" in answer.value())
    assert stage.value("web_cgi_waiting") == "1.0"
    assert other.value() == b""
    (folder / "gate").write_text("go")
    stage.turns.until(lambda: b"quick" in other.value())
    assert b"go" in answer.value()
    third, refused = stage.open(b"GET /cgi-bin/wait HTTP/1.1\r\nHost: x\r\n\r\n")
    fourth, late = stage.open(b"GET /cgi-bin/quick HTTP/1.1\r\nHost: x\r\n\r\n")
    stage.turns.until(lambda: b"\r\n\r\n" in refused.value())
    stage.turns.advance(10)
    assert late.value().startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 5\r\n" in late.value()
    assert stage.value("web_cgi_refused") == "1.0"
    for protocol in (first, second, third, fourth):
        hang_up(protocol)
    stage.turns.until(lambda: not stage.scene.places.running)


def test_closing_ends_what_runs(folder: Path) -> None:
    shell(folder, "slow", "trap '' TERM; touch ran; while :; do sleep 0.01; done")
    stage = Stage(folder)
    protocol, _ = stage.open(b"GET /cgi-bin/slow HTTP/1.1\r\nHost: x\r\n\r\n")
    stage.turns.until(lambda: (folder / "ran").exists())
    closing = Deferred.fromCoroutine(stage.scene.close())
    assert not closing.called
    stage.turns.advance(2)
    stage.turns.until(lambda: closing.called)
    assert stage.scene.places.running == 0
    hang_up(protocol)


def test_authorization_is_passed_on_where_that_is_wanted(folder: Path) -> None:
    write_script(folder, "show", SHOW)
    stage = Stage(folder, replace(Rules(), pass_authorization=True))
    assert b"HTTP_AUTHORIZATION=Bearer x\n" in stage.ask("/show", Authorization="Bearer x").read()


def test_a_script_of_python_may_stand_behind_a_link(folder: Path) -> None:
    write_script(
        folder, "real", PYTHON + "import sys\nprint('Status: 204\\nX-It:', sys.argv[0], '\\n')"
    )
    (folder / "link").symlink_to("real")
    got = Stage(folder).ask("/link")
    assert (got.status, got.headers["X-It"]) == (204, str(folder / "link"))


def test_a_client_that_leaves_in_the_middle_of_its_body_stops_the_script(folder: Path) -> None:
    shell(folder, "count", "touch ran; wc -c >count; touch whole")
    stage = Stage(folder)
    raw = b"POST /cgi-bin/count HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"
    protocol, wire = stage.open(raw)
    stage.turns.until(lambda: (folder / "ran").exists())
    hang_up(protocol)
    stage.turns.until(lambda: not stage.scene.places.running)
    assert wire.value() == b""
    assert not (folder / "whole").exists()


class Slow(AtOnce):
    """Starts a script at once, and tells it when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []

    def run(
        self, key: bytes, work: Callable[..., T], *args: Any, unwanted: Unwanted | None = None
    ) -> Deferred[T]:
        if work is not start:
            return super().run(key, work, *args)
        result = work(*args)

        def take_back(_: Deferred[Any]) -> None:
            assert unwanted is not None
            unwanted(result)

        waiting: Deferred[T] = Deferred(take_back)
        self.asked.append(waiting)
        return waiting


def test_a_script_that_nobody_waits_for_any_more_is_stopped_as_soon_as_it_has_begun(
    folder: Path,
) -> None:
    shell(folder, "slow", "exec sleep 600")
    stage = Stage(folder)
    stage.scene.aside = slow = Slow()
    protocol, _ = stage.open(b"GET /cgi-bin/slow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(slow.asked) == 1
    hang_up(protocol)
    assert stage.scene.places.running == 0
    stage.turns.until(lambda: stage.value("web_cgi_seconds_count") == "1.0")


def test_a_script_that_begins_while_the_server_closes_is_stopped(folder: Path) -> None:
    shell(folder, "slow", "exec sleep 600")
    stage = Stage(folder)
    assert Deferred.fromCoroutine(stage.scene.close()).called
    protocol, _ = stage.open(b"GET /cgi-bin/slow HTTP/1.1\r\nHost: x\r\n\r\n")
    stage.turns.until(lambda: stage.value("web_cgi_seconds_count") == "1.0")
    hang_up(protocol)


class Full(AtOnce):
    """There is no descriptor for another script."""

    def run(
        self, key: bytes, work: Callable[..., T], *args: Any, unwanted: Unwanted | None = None
    ) -> Deferred[T]:
        if work is not start:
            return super().run(key, work, *args)
        return fail(OSError(errno.EMFILE, "Too many open files"))


def test_without_a_descriptor_another_try_may_succeed(folder: Path, errors: list[str]) -> None:
    shell(folder, "run", PLAIN)
    stage = Stage(folder)
    stage.scene.aside = Full()
    got = stage.ask("/run")
    assert (got.status, got.headers["Retry-After"]) == (503, "5")
    assert errors == ["Too many open files"]
    assert stage.scene.places.running == 0
