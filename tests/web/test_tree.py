from __future__ import annotations

from pathlib import Path

import pytest

from proto.metrics import Metrics
from proto.web.handlers import Handlers
from tests.web.wire import ask, greeting, site_of


def test_hello_greets_by_name() -> None:
    answer = ask(site_of(handlers=greeting()), "/hello/you")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<h1>Hello, you!</h1>" in answer.body


def test_hello_escapes_what_it_greets() -> None:
    body = ask(site_of(handlers=greeting()), "/hello/%3Cscript%3E%22").body
    assert b"<script>" not in body
    assert b"<h1>Hello, &lt;script&gt;&#34;!</h1>" in body


@pytest.mark.parametrize("path", ["/hello", "/hello/", "/hello/a/b", "/hello/%ff"])
def test_hello_greets_nobody_else(path: str) -> None:
    assert ask(site_of(handlers=greeting()), path).status == 404


def test_what_was_registered_comes_before_the_rest(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file")
    (tmp_path / "x").write_text("a file")
    handlers = Handlers()
    handlers.register("/x", lambda request: "handled")
    site = site_of(tmp_path, handlers=handlers, metrics=Metrics())
    assert ask(site, "/x").body == b"handled"
    assert ask(site, "/metrics").body != b"a file"
    assert ask(site_of(tmp_path), "/metrics").body == b"a file"


def test_a_part_that_is_not_wanted_is_not_there() -> None:
    for path in ("/", "/health", "/metrics", "/hello/you"):
        assert ask(site_of(), path).status == 404


def test_the_static_folder_of_the_project_is_served() -> None:
    folder = Path(__file__).parents[2] / "static"
    site = site_of(folder, handlers=greeting(), metrics=Metrics(), ready=dict)
    page = ask(site, "/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    links = [part.partition(b'"')[0] for part in page.body.split(b'href="')[1:]]
    assert b"hello/you" in links
    for link in links:
        assert ask(site, b"/" + link).status == 200, link
    for inline in (b"<style", b"style=", b"onclick=", b"http://", b"https://"):
        assert inline not in page.body
