"""The page of the API in a headless Chromium that reaches nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.browser import Browser, chromium
from tests.system.programs import Twistd
from tests.system.test_web_gate import make_line


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all: each test has a port of its own, and so a fresh origin."""
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def open_page(browser: Browser, port: int) -> None:
    browser.driver.get(f"http://127.0.0.1:{port}/api/")
    browser.wait("$$('details').length")


def answer(browser: Browser, name: str, status: str) -> str:
    """The body of the answer that the operation shows, when it has that status."""
    browser.wait(
        "$(`#${arguments[0]} .answer:not([hidden]) .status`)?.textContent.startsWith(arguments[1])",
        name,
        status,
    )
    return str(browser.run("return $(`#${arguments[0]} .body`).textContent", name))


def test_operations_are_listed_and_can_be_tried(tmp_path: Path, browser: Browser) -> None:
    with Twistd("web", "-p", "0", "--api", cwd=tmp_path) as server:
        port = server.port("web")
        open_page(browser, port)
        assert browser.run("return $$('details').length") == 14
        browser.shows("#tag-users", "users")

        browser.clicks("#add_task summary")
        browser.writes('{"title": "from <b>the page</b>"}', "#add_task-body")
        browser.clicks("#add_task button")
        made = json.loads(answer(browser, "add_task", "201"))
        assert made["title"] == "from <b>the page</b>"
        assert browser.run("return $$('.answer b').length") == 0

        browser.clicks("#get_task summary")
        browser.writes(str(made["id"]), "#get_task-id")
        browser.clicks("#get_task button")
        assert json.loads(answer(browser, "get_task", "200")) == made

        # The version that was read is there for who changes it.
        browser.clicks("#replace_task summary")
        browser.wait("$('#replace_task-If-Match').value === '\"1\"'")
        browser.writes(str(made["id"]), "#replace_task-id")
        browser.clicks("#replace_task button")
        assert json.loads(answer(browser, "replace_task", "200"))["version"] == 2
        browser.clicks("#list_tasks summary")
        browser.writes("101", "#list_tasks-limit")
        browser.clicks("#list_tasks button")
        assert json.loads(answer(browser, "list_tasks", "422"))["details"][0]["field"] == "limit"
        assert browser.leaves() == []


def test_a_token_is_sent_once_it_is_told(tmp_path: Path, browser: Browser) -> None:
    (tmp_path / "tokens").write_text(make_line(tmp_path, "bot", "s3cret"))
    with Twistd("web", "-p", "0", "--api", "--api-tokens", "tokens", cwd=tmp_path) as server:
        open_page(browser, server.port("web"))
        browser.clicks("#list_users summary")
        browser.clicks("#list_users button")
        assert json.loads(answer(browser, "list_users", "401"))["code"] == "unauthorized"
        browser.writes("bot.s3cret", "#token")
        browser.clicks("#list_users button")
        assert json.loads(answer(browser, "list_users", "200"))["total"] == 0
        assert browser.leaves() == []


def test_a_small_screen_needs_no_scrolling_sideways(tmp_path: Path, browser: Browser) -> None:
    with Twistd("web", "-p", "0", "--api", cwd=tmp_path) as server:
        browser.resizes(360, 740)
        open_page(browser, server.port("web"))
        browser.run("$$('details').forEach((each) => { each.open = true; })")
        assert browser.run("return document.documentElement.scrollWidth") <= 360
        names = [name for role, name in browser.accessible() if role in ("textbox", "combobox")]
        assert names
        assert all(names)
        assert browser.leaves() == []
