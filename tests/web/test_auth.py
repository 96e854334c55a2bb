from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from argon2.low_level import verify_secret
from twisted.internet.defer import Deferred, execute
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from proto.errors import StartError
from proto.metrics import Metrics
from proto.web.auth import (
    AT_ONCE,
    MOST_REMEMBERED,
    MOST_WAITING,
    REMEMBERED_SECONDS,
    TRIES,
    BasicAuth,
    Verifications,
)
from proto.web.gate import Gate
from proto.web.passwords import Passwords, Verify
from proto.web.prefix import Prefix
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.support import connect
from tests.web.test_passwords import CHEAP
from tests.web.wire import Answer, ask, clock_now, greeting, hang_up, read_answer, request_bytes

PAGE: Final = "/hello/you"


def basic(user: str, password: str, encoding: str = "utf-8", scheme: str = "Basic") -> str:
    return f"{scheme} " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()


@dataclass
class Threads:
    """Threads that finish when a test says so, or at once."""

    at_once: bool = True
    calls: int = 0
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def __call__(self, function: Callable[[], bool]) -> Deferred[bool]:
        self.calls += 1
        if self.at_once:
            return execute(function)
        result: Deferred[bool] = Deferred()
        self.waiting.append(lambda: result.callback(function()))
        return result

    def finish(self) -> None:
        self.waiting.pop(0)()


@dataclass
class Locked:
    """A site whose handlers need a password."""

    threads: Threads = field(default_factory=Threads)
    clock: Clock = field(default_factory=clock_now)
    users: dict[str, str] = field(default_factory=lambda: {"ann": CHEAP.hash("secret")})
    metrics: Metrics = field(default_factory=Metrics)
    verify: Verify = verify_secret
    path: str = "/hello"

    def __post_init__(self) -> None:
        verifications = Verifications(self.threads, self.clock.seconds)
        self.auth = BasicAuth(self.path, self.read, verifications, self.metrics)
        tree = build_tree(None, self.clock, handlers=greeting())
        gate = Gate(tree, nearest=[(Prefix.parse("/hello"), self.auth)])
        self.site = ProtoSite(gate, self.clock)

    def read(self) -> Passwords:
        if not self.users:
            raise StartError("nobody is in the file")
        return Passwords(self.users, self.verify)

    def ask(self, authorization: str | None = None, **options: Any) -> Answer:
        fields: dict[str, Any] = {} if authorization is None else {"Authorization": authorization}
        return ask(self.site, PAGE, **options, **fields)

    def send(self, authorization: str, host: str = "192.0.2.1") -> tuple[Protocol, StringTransport]:
        protocol, wire = connect(self.site, host)
        protocol.dataReceived(request_bytes(PAGE, "GET", {"Authorization": authorization}, b""))
        return protocol, wire


def test_without_a_password_one_is_asked_for_and_nothing_is_computed() -> None:
    locked = Locked()
    answer = locked.ask()
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="/hello", charset="UTF-8"'
    assert locked.threads.calls == 0


def test_the_right_password_opens_and_a_wrong_one_asks_again() -> None:
    locked = Locked()
    assert b"Hello, you!" in locked.ask(basic("ann", "secret")).body
    for wrong in (basic("ann", "Secret"), basic("ann", ""), basic("eve", "secret")):
        answer = locked.ask(wrong)
        assert (answer.status, "WWW-Authenticate" in answer.headers) == (401, True)
        assert b"Hello" not in answer.body


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "TRACE"])
def test_no_method_comes_in_without_a_password(method: str) -> None:
    assert Locked().ask(method=method).status == 401


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc", "Basic  "])
def test_the_scheme_is_read_whatever_its_case(scheme: str) -> None:
    assert Locked().ask(basic("ann", "secret", scheme=scheme)).status == 200


def test_names_and_passwords_may_be_utf_8_or_latin_1_and_have_colons() -> None:
    locked = Locked(users={"jos\u00e9": CHEAP.hash("p\u00e4ss:word")})
    assert locked.ask(basic("jos\u00e9", "p\u00e4ss:word")).status == 200
    assert locked.ask(basic("jos\u00e9", "p\u00e4ss:word", "latin-1")).status == 200
    assert locked.ask(basic("jos\u00e9", "pass:word")).status == 401


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YW5uOnNlY3JldA",
        "Basic YW5uOnNlY3JldA=",
        "Basic YW5uOnNlY3JldA== x",
        "Basic YW5u\u0660OnNlY3JldA==",
        "Bearer YW5uOnNlY3JldA==",
        "YW5uOnNlY3JldA==",
        "Basic YW5uOnNlY3JldA==, Basic YW5uOnNlY3JldA==",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"ann:secret\n").decode(),
        "Basic " + base64.b64encode(b"ann\0:secret").decode(),
        "Basic " + base64.b64encode(b"ann:" + b"x" * 2000).decode(),
    ],
)
def test_a_header_that_makes_no_sense_opens_nothing_and_costs_nothing(authorization: str) -> None:
    locked = Locked()
    if authorization.isascii():
        assert locked.ask(authorization).status == 401
    assert locked.threads.calls == 0


def test_two_headers_open_nothing() -> None:
    locked = Locked()
    protocol, wire = connect(locked.site)
    line = f"Authorization: {basic('ann', 'secret')}\r\n"
    head = f"GET {PAGE} HTTP/1.1\r\nHost: x\r\n{line}{line}\r\n"
    protocol.dataReceived(head.encode())
    assert read_answer(wire)[0].status == 401


def test_a_password_that_fitted_is_remembered_for_a_while() -> None:
    locked = Locked()
    for _ in range(3):
        assert locked.ask(basic("ann", "secret")).status == 200
    assert locked.threads.calls == 1
    locked.clock.advance(REMEMBERED_SECONDS)
    assert locked.ask(basic("ann", "secret")).status == 200
    assert locked.threads.calls == 2


def test_a_remembered_password_opens_for_nobody_else() -> None:
    locked = Locked(users={"ann": CHEAP.hash("b:c"), "ann:b": CHEAP.hash("x")})
    assert locked.ask(basic("ann", "b:c")).status == 200
    assert locked.ask(basic("ann", "b:C")).status == 401
    assert locked.ask(basic("eve", "b:c")).status == 401


def test_a_wrong_password_is_verified_each_time() -> None:
    locked = Locked()
    for _ in range(3):
        locked.ask(basic("ann", "wrong"))
    assert locked.threads.calls == 3


def test_only_so_many_are_remembered_and_the_oldest_go() -> None:
    fits = CHEAP.hash("x")
    locked = Locked(users={f"user{number}": fits for number in range(MOST_REMEMBERED + 1)})
    for number in range(MOST_REMEMBERED + 1):
        locked.clock.advance(0.001)
        _, wire = locked.send(basic(f"user{number}", "x"), f"10.0.{number % 250}.{number // 250}")
        assert wire.value().startswith(b"HTTP/1.1 200 ")
    before = locked.threads.calls
    locked.ask(basic("user1", "x"))
    assert locked.threads.calls == before
    locked.ask(basic("user0", "x"))
    assert locked.threads.calls == before + 1


def test_what_a_browser_asks_six_times_at_once_is_verified_once() -> None:
    locked = Locked(Threads(at_once=False))
    wires = [locked.send(basic("ann", "secret"))[1] for _ in range(6)]
    assert (locked.threads.calls, [wire.value() for wire in wires]) == (1, [b""] * 6)
    locked.threads.finish()
    assert [read_answer(wire)[0].status for wire in wires] == [200] * 6


def test_only_so_many_are_verified_at_once() -> None:
    locked = Locked(Threads(at_once=False))
    wires = [locked.send(basic("ann", f"wrong{number}"))[1] for number in range(5)]
    assert len(locked.threads.waiting) == AT_ONCE
    for _ in range(5):
        locked.threads.finish()
        assert len(locked.threads.waiting) <= AT_ONCE
    assert [read_answer(wire)[0].status for wire in wires] == [401] * 5


def test_when_too_many_wait_the_next_is_told_to_come_again() -> None:
    locked = Locked(Threads(at_once=False))
    for number in range(MOST_WAITING):
        locked.send(basic("ann", "secret"), f"10.0.0.{number % 250}")
    _, wire = locked.send(basic("ann", "secret"))
    answer, _ = read_answer(wire)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    locked.threads.finish()
    assert locked.ask(basic("ann", "secret")).status == 200


def test_one_address_has_only_so_many_tries() -> None:
    locked = Locked()
    for _ in range(TRIES):
        assert locked.ask(basic("ann", "wrong")).status == 401
    refused = locked.ask(basic("ann", "secret"))
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert locked.threads.calls == TRIES
    _, wire = locked.send(basic("ann", "secret"), "192.0.2.99")
    assert wire.value().startswith(b"HTTP/1.1 200 ")
    assert locked.ask(basic("ann", "secret")).status == 200  # it is remembered now
    locked.clock.advance(1)
    assert locked.ask(basic("ann", "wrong")).status == 401


def test_a_verification_that_fails_is_an_error_of_ours_and_stops_nobody() -> None:
    def broken(encoded: bytes, secret: bytes, kind: object) -> bool:
        raise MemoryError

    locked = Locked(verify=broken)
    for _ in range(AT_ONCE + 1):
        assert locked.ask(basic("ann", "secret")).status == 500
    locked.verify = verify_secret
    locked.auth.reload()
    assert locked.ask(basic("ann", "secret")).status == 200


def test_a_peer_that_leaves_while_its_password_is_verified_harms_nobody() -> None:
    locked = Locked(Threads(at_once=False))
    protocol, wire = locked.send(basic("ann", "secret"))
    hang_up(protocol)
    locked.threads.finish()
    assert wire.value() == b""
    assert locked.ask(basic("ann", "secret")).status == 200


def test_a_new_file_counts_at_once_for_those_who_were_let_in() -> None:
    locked = Locked()
    assert locked.ask(basic("ann", "secret")).status == 200
    locked.users = {"ann": CHEAP.hash("other")}
    locked.auth.reload()
    assert locked.ask(basic("ann", "secret")).status == 401
    assert locked.ask(basic("ann", "other")).status == 200


def test_what_is_verified_while_the_file_changes_is_not_remembered() -> None:
    locked = Locked(Threads(at_once=False))
    _, first = locked.send(basic("ann", "secret"))
    locked.users = {"ann": CHEAP.hash("other")}
    locked.auth.reload()
    locked.threads.finish()
    assert first.value().startswith(b"HTTP/1.1 200 ")
    _, second = locked.send(basic("ann", "secret"))
    locked.threads.finish()
    assert second.value().startswith(b"HTTP/1.1 401 ")


def test_a_file_that_became_wrong_leaves_everything_as_it_was() -> None:
    locked = Locked()
    locked.users = {}
    with capturedLogs() as logged:
        locked.auth.reload()
    assert "the passwords stay as they were: nobody" in logged[0]["log_format"].format(**logged[0])
    assert locked.ask(basic("ann", "secret")).status == 200


def test_right_and_wrong_passwords_are_counted() -> None:
    locked = Locked()
    locked.ask(basic("ann", "secret"))
    locked.ask(basic("ann", "wrong"))
    told = locked.metrics.render().decode()
    assert 'proto_web_passwords_total{result="right"} 1.0' in told
    assert 'proto_web_passwords_total{result="wrong"} 1.0' in told


def test_a_realm_is_plain_ascii() -> None:
    answer = Locked(path='/caf\u00e9"x').ask()
    assert 'realm="/caf%C3%A9%22x"' in answer.headers["WWW-Authenticate"]
