from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.python.usage import UsageError

from proto.errors import StartError
from proto.metrics import Metrics
from proto.tap.options import ProcessSettings
from proto.tap.process import Process
from proto.tap.service import Part
from proto.tap.web import Options, WebSettings
from proto.tap.webapi import ApiSettings, check, mount
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.web.test_passwords import HASH
from tests.web.wire import ask, clock_now
from tests.webchat.sites import ChatSite
from tests.weblog.sites import LogSite


def settings(*arguments: str) -> WebSettings:
    options = Options()
    options.parseOptions(list(arguments))
    result = options.read(WebSettings)
    assert isinstance(result, WebSettings)
    return result


class Running:
    """A process with the API in it, but for its doors."""

    def __init__(self, given: ApiSettings, *others: Callable[..., None]) -> None:
        self.calls: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()
        clock = clock_now()
        reactor = SimpleNamespace(
            callFromThread=lambda call, *args: self.calls.put((call, args)),
            seconds=clock.seconds,
            callLater=clock.callLater,
        )
        self.process = Process(reactor, ProcessSettings(), None)
        self.process.mounts.extend(others)
        handlers, mounts = Handlers(), Mounts()
        self.parts = mount(given, self.process, mounts, handlers)
        self.is_mounted = bool(mounts)
        tree = build_tree(None, clock, handlers=handlers, mounts=mounts)
        for each in self.process.mounts:
            each(tree, handlers)
        self.site = ProtoSite(tree, clock, streams=tree.streams)

    def document(self) -> Any:
        return json.loads(ask(self.site, "/api/openapi.json").body)


def test_it_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    running = Running(settings())
    assert (running.parts, running.is_mounted) == ((), False)


def test_the_document_is_there_before_the_store_is_open(tmp_path: Path) -> None:
    given = settings("--api", "--api-db", str(tmp_path / "state"))
    check(given)
    assert not (tmp_path / "state").exists()
    running = Running(given)
    assert running.is_mounted
    told = running.document()
    assert "/api/v1/tasks" in told["paths"]
    assert "securitySchemes" not in told["components"]
    assert [each["name"] for each in told["tags"]] == ["tasks", "users"]


def test_its_store_opens_and_closes_with_the_service(tmp_path: Path) -> None:
    running = Running(settings("--api", "--api-db", str(tmp_path / "state")))
    (part,) = running.parts
    part.start()
    closed = part.close()
    assert isinstance(closed, Deferred)
    while not closed.called:
        call, args = running.calls.get(timeout=20)
        call(*args)
    assert (tmp_path / "state").is_dir()


def test_the_chat_and_the_log_are_in_the_document_where_they_are_in_the_process(
    tmp_path: Path,
) -> None:
    given = settings("--api", "--api-db", str(tmp_path / "state"))
    chat, log = ChatSite(), LogSite(tmp_path / "log")
    running = Running(given, chat.doors.mount, log.doors.mount)
    told = running.document()
    assert [each["name"] for each in told["tags"]] == ["tasks", "users", "chat", "log"]
    assert ask(running.site, "/api/v1/chat/rooms").status == 200
    assert ask(running.site, "/api/v1/log/door").status == 204
    # A child of the tree, and not a handler, as the WebSocket is.
    assert ask(running.site, "/api/v1/chat/socket").status == 426
    assert ask(running.site, "/api/v1/none").headers["Content-Type"] == "application/problem+json"


def test_with_tokens_somebody_unknown_sees_the_document_alone(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"bot:{HASH}\n")
    given = settings("--api", "--api-db", str(tmp_path / "s"), "--api-tokens", str(tokens))
    check(given)
    running = Running(given)
    assert "securitySchemes" in running.document()["components"]
    assert ask(running.site, "/api/v1/tasks").status == 401
    part: Part = running.parts[0]
    tokens.write_text("")  # a file that is wrong changes nothing
    part.reopen()
    assert ask(running.site, "/api/v1/tasks").status == 401


def test_origins_may_be_given_more_than_once() -> None:
    given = settings("--api", "--api-origin", "https://a.example", "--api-origin", "http://b:8080")
    assert given.api_origin == ("https://a.example", "http://b:8080")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--api-origin", "*"),
        ("--api-origin", "example.org"),
        ("--api-origin", "https://example.org/app"),
        ("--api-db", "mysql://x/y"),
        ("--api-db", ""),
    ],
)
def test_a_wrong_value_names_the_option_and_what_was_expected(arguments: tuple[str, str]) -> None:
    with pytest.raises((SystemExit, UsageError)) as caught:
        settings("--api", *arguments)
    assert arguments[0] in str(caught.value)
    assert "expected a" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--api-db", "other"], r"--api-db: this is for --api, which is off; add --api"),
        (["--api-tokens", "x"], r"--api-tokens: this is for --api"),
        (["--api-origin", "https://a.example"], r"--api-origin: this is for --api"),
        (["--api", "--api-tokens", "none-there"], r"--api-tokens: none-there cannot be read"),
        (["--api", "--api-db", "file-there"], r"--api-db: .*file-there"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file-there").write_text("")
    with pytest.raises(StartError, match=why) as caught:
        check(settings(*arguments))
    assert "\n" not in str(caught.value)


def test_the_store_tells_its_figures(tmp_path: Path) -> None:
    running = Running(settings("--api", "--api-db", str(tmp_path / "state")))
    metrics: Metrics = running.process.metrics
    ask(running.site, "/api/none")
    assert b'proto_api_requests_total{operation="none",status="4xx"} 1.0' in metrics.render()
