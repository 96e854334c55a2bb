from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from proto.errors import StartError
from proto.web.aside import AtOnce
from proto.web.errorpages import FRESH_SECONDS, MAX_PAGE, ErrorPages
from proto.web.files import Root
from proto.web.response import HTTPError
from proto.web.static import build_files
from proto.web.tree import build_tree
from tests.web.wire import ask, clock_now, site_for

MISSING = HTTPError(404)


@pytest.fixture
def clock() -> Clock:
    return clock_now()


@pytest.fixture
def pages(tmp_path: Path, clock: Clock) -> ErrorPages:
    (tmp_path / "404.html").write_bytes(b"<p>ours</p>")
    pages = ErrorPages(clock, AtOnce())
    pages.show((404, 410), "/404.html", Root(tmp_path), (b"404.html",))
    return pages


def test_a_page_is_shown_for_its_errors_and_no_others(pages: ErrorPages) -> None:
    for status in (404, 410):
        shown = pages.page(HTTPError(status), "text/html")
        assert (shown.status, shown.body) == (status, b"<p>ours</p>")
        assert shown.content_type == "text/html; charset=utf-8"
    assert b"ours" not in pages.page(HTTPError(403), "text/html").body


def test_what_the_error_has_to_say_in_its_head_is_said(pages: ErrorPages) -> None:
    shown = pages.page(HTTPError(404, headers=[("Retry-After", "5")]), "")
    assert shown.headers == [("Vary", "Accept"), ("Retry-After", "5")]


@pytest.mark.parametrize(
    "accept", ["application/json", "application/problem+json, text/html;q=0.9"]
)
def test_programs_get_what_they_can_read(pages: ErrorPages, accept: str) -> None:
    assert pages.page(MISSING, accept).content_type == "application/problem+json"


def test_a_traceback_that_was_asked_for_is_shown(pages: ErrorPages) -> None:
    assert b"Traceback" in pages.page(MISSING, "text/html", "", "Traceback").body


def test_a_page_that_was_changed_is_shown_from_the_next_error_on(
    pages: ErrorPages, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "404.html").write_bytes(b"new")
    assert pages.page(MISSING, "").body == b"<p>ours</p>"
    clock.advance(FRESH_SECONDS)
    pages.page(MISSING, "")
    assert pages.page(MISSING, "").body == b"new"


def test_a_page_that_went_away_is_shown_as_it_was(
    pages: ErrorPages, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "404.html").unlink()
    for _ in range(3):
        clock.advance(FRESH_SECONDS)
        assert pages.page(MISSING, "").body == b"<p>ours</p>"


@pytest.mark.parametrize("name", ["none", "folder", "large", ".hidden", "outside"])
def test_what_cannot_be_shown_keeps_the_service_from_starting(
    tmp_path: Path, clock: Clock, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b" " * (MAX_PAGE + 1))
    (tmp_path / ".hidden").write_bytes(b"H")
    (tmp_path / "outside").symlink_to("/etc/hostname")
    with pytest.raises(StartError, match=f"--error-page /{name} cannot be read"):
        ErrorPages(clock, AtOnce()).show((404,), f"/{name}", Root(tmp_path), (name.encode(),))


def test_a_request_for_nothing_gets_the_page_with_the_status(
    pages: ErrorPages, tmp_path: Path, clock: Clock
) -> None:
    tree = build_tree(None, clock, files=build_files(tmp_path, clock))
    site = site_for(tree, error_pages=pages)
    answer = ask(site, "/none")
    assert (answer.status, answer.body) == (404, b"<p>ours</p>")
    assert "ETag" not in answer.headers
    assert ask(site, "/404.html").status == 200
    assert ask(site, "/none", "HEAD").headers == answer.headers
