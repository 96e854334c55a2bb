from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, execute

from proto.errors import StartError
from proto.metrics import Metrics
from proto.web.auth import TRIES, Verifications
from proto.web.passwords import Passwords
from proto.webapi.tokens import CHALLENGE, Tokens
from tests.web.test_passwords import CHEAP
from tests.web.wire import NOW
from tests.webapi.sites import TASKS, ApiSite

RIGHT = "Bearer bot.s3cret.with.dots"


class Locked:
    """The API with one token, and what happens to its file."""

    def __init__(self, where: str) -> None:
        self.known = {"bot": CHEAP.hash("s3cret.with.dots")}
        self.calls = 0
        self.tokens = Tokens(self._read, Verifications(self._in_thread, lambda: NOW), Metrics())
        self.api = ApiSite(where, check=self.tokens.check)

    def status(self, authorization: str | None) -> int:
        named = {} if authorization is None else {"Authorization": authorization}
        told = self.api.ask(TASKS, **named)
        if told.status == 401:
            assert told.headers["WWW-Authenticate"] == CHALLENGE
            assert (told.json["code"], told.fields) == (
                "unauthorized",
                [("header", "Authorization")],
            )
        return told.status

    def _read(self) -> Passwords:
        if not self.known:
            raise StartError("nobody is in it")
        return Passwords(self.known)

    def _in_thread(self, function: Callable[[], bool]) -> Deferred[bool]:
        self.calls += 1
        return execute(function)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Locked]:
    locked = Locked(str(tmp_path / "state"))
    with locked.api:
        yield locked


def test_a_token_is_a_name_and_its_secret(locked: Locked) -> None:
    assert locked.status(RIGHT) == 200
    basic = base64.b64encode(b"bot:s3cret.with.dots").decode()
    assert locked.status(f"Basic {basic}") == 200
    assert locked.status("bearer  bot.s3cret.with.dots") == 200
    assert locked.calls == 1  # it is remembered, in whatever form it comes


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer bot",
        "Bearer bot.",
        "Bearer .s3cret.with.dots",
        "Bearer bot.s3cret",
        "Bearer eve.s3cret.with.dots",
        "Bearer bot.s3cret.with.dots x",
        "Bearer bot.s3cret.with.dots\xe9",
        "Digest bot.s3cret.with.dots",
        "Basic Ym90",
        "Bearer " + "x" * 4000,
    ],
)
def test_nobody_else_is_let_in(locked: Locked, authorization: str | None) -> None:
    assert locked.status(authorization) == 401


def test_too_many_tries_are_refused_for_a_while(locked: Locked) -> None:
    told = [locked.status(f"Bearer bot.{number}") for number in range(TRIES + 1)]
    assert told == [401] * TRIES + [429]
    last = locked.api.ask(TASKS, Authorization="Bearer bot.x")
    assert (last.json["code"], int(last.headers["Retry-After"]) > 0) == ("too_many_requests", True)


def test_the_file_is_read_again_when_it_is_right(locked: Locked) -> None:
    assert locked.status(RIGHT) == 200
    locked.known = {}
    locked.tokens.reload()
    assert locked.status(RIGHT) == 200
    locked.known = {"bot": CHEAP.hash("new")}
    locked.tokens.reload()
    assert (locked.status(RIGHT), locked.status("Bearer bot.new")) == (401, 200)
