from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.cgi.stage import PLAIN, Stage, shell
from tests.web.wire import hang_up


def go_to(folder: Path, name: str, target: str) -> None:
    shell(folder, name, f"cat >/dev/null; echo 'Location: {target}'; echo")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    folder = tmp_path / "cgi-bin"
    folder.mkdir()
    go_to(folder, "to-script", "/cgi-bin/show/a%20b?c=d%20e")
    go_to(folder, "to-file", "/page.html")
    go_to(folder, "to-greeting", "/hello/you")
    go_to(folder, "to-nothing", "/none")
    go_to(folder, "in-circles", "/cgi-bin/in-circles")
    for count in range(11):
        go_to(folder, f"hop{count}", f"/cgi-bin/hop{count - 1}" if count else "/cgi-bin/show")
    names = "$REQUEST_METHOD $PATH_INFO $QUERY_STRING $HTTP_X_A"
    shell(folder, "show", PLAIN + f'echo "{names} $CONTENT_TYPE$CONTENT_LENGTH."')
    shell(folder, "rude", "touch ran; echo 'Location: /cgi-bin/show'; echo")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "page.html").write_text("a page")
    return Stage(folder, path=tmp_path / "files")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_another_script_is_asked_without_the_body(stage: Stage, method: str) -> None:
    body = b"" if method == "GET" else b"body"
    got = stage.ask("/to-script", method, body, X_A="kept", Content_Type="text/plain")
    assert (got.status, got.read()) == (200, b"GET /a b c=d%20e kept .\n")
    assert got.headers["Location"] is None


def test_a_head_stays_a_head(stage: Stage) -> None:
    got = stage.ask("/to-script", "HEAD")
    assert (got.status, got.headers["Content-Type"]) == (200, "text/plain")


def test_whatever_is_in_the_tree_may_answer(stage: Stage) -> None:
    assert stage.ask("/to-file").read() == b"a page"
    assert stage.ask("/to-file", "POST", b"x" * 100_000).read() == b"a page"
    assert b"Hello, you!" in stage.ask("/to-greeting").read()
    assert stage.ask("/to-nothing").status == 404


@pytest.mark.parametrize("name", [b"hop1", b"rude"])
def test_a_body_that_no_script_has_read_is_not_the_next_request(stage: Stage, name: bytes) -> None:
    raw = b"POST /cgi-bin/" + name + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 29\r\n\r\n"
    again = b"GET /cgi-bin/show?again HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    protocol, wire = stage.open(raw)
    if name == b"rude":
        stage.turns.until(lambda: stage.value("web_cgi_seconds_count") == "1.0")
    protocol.dataReceived(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n.")
    protocol.dataReceived(again)
    stage.turns.until(lambda: wire.disconnecting)
    assert wire.value().count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b"GET  again  .\n" in wire.value()
    hang_up(protocol)
    stage.turns.until(lambda: not stage.scene.places.running)


def test_a_client_that_leaves_before_its_body_has_come_is_sent_nowhere(stage: Stage) -> None:
    raw = b"POST /cgi-bin/rude HTTP/1.1\r\nHost: x\r\nContent-Length: 29\r\n\r\n"
    protocol, wire = stage.open(raw)
    stage.turns.until(lambda: stage.value("web_cgi_seconds_count") == "1.0")
    hang_up(protocol)
    assert wire.value() == b""
    assert stage.value("web_cgi_seconds_count") == "1.0"


def test_what_a_file_says_is_not_repeated_for_the_script(stage: Stage) -> None:
    stage.site.known.start()
    protocol, wire = stage.open(b"")
    for count in (1, 2):
        protocol.dataReceived(b"GET /cgi-bin/to-file HTTP/1.1\r\nHost: x\r\n\r\n")
        stage.turns.until(lambda: wire.value().endswith(b"a page"))
        stage.turns.until(lambda: not stage.scene.places.running)
        assert stage.value("web_cgi_seconds_count") == f"{count}.0"
        wire.clear()
    hang_up(protocol)
    stage.site.known.stop()


def test_ten_are_followed_and_no_more(stage: Stage) -> None:
    assert stage.ask("/hop9").read() == b"GET    .\n"
    assert stage.ask("/hop10").status == 502
    assert stage.ask("/in-circles").status == 502
