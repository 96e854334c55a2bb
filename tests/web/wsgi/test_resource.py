from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.web.wire import hang_up
from tests.web.wsgi.stage import Gatekeeper, Stage, chunks_of

TEXT = [("Content-Type", "text/plain")]


def echo(environ: Any, start_response: Any) -> list[bytes]:
    size = int(environ.get("CONTENT_LENGTH") or -1)
    body = environ["wsgi.input"].read(size)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def telling(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", TEXT)
    names = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "wsgi.multiprocess")
    return [repr([environ[name] for name in names]).encode()]


def streaming(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", TEXT)
    yield b"a"
    environ["wsgi.errors"].write("said\n")
    yield b"b"


@pytest.mark.parametrize(
    ("application", "method", "body", "headers", "answer"),
    [
        (echo, "GET", b"", {}, b""),
        (echo, "POST", b"hello", {"Content_Type": "text/plain"}, b"hello"),
        (echo, "HEAD", b"", {}, b""),
        (
            streaming,
            "GET",
            b"",
            {"X_Cookie": "x", "Cookie": "a=b"},
            b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
        ),
        (streaming, "HEAD", b"", {}, b""),
    ],
)
def test_the_validator_of_the_standard_library_finds_nothing(
    application: Any, method: str, body: bytes, headers: dict[str, str], answer: bytes
) -> None:
    checked: Any = validator(application)
    with Stage(checked) as stage:
        head, given = stage.ask("/x?y", method, body, **headers)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert given == answer


def test_the_validator_finds_nothing_in_a_chunked_request() -> None:
    checked: Any = validator(echo)
    with Stage(checked, path="/app") as stage:
        raw = b"POST /app HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire = stage.send(raw + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        stage.until(lambda: wire.value())
        assert wire.value().startswith(b"HTTP/1.1 200 OK")
        assert wire.value().endswith(b"\r\n\r\nabcde")


def test_an_application_stands_at_its_path() -> None:
    with Stage(telling, path="/app") as stage:
        assert (
            stage.ask("/app/a%20b/?q=%20")[1]
            == repr(["GET", "/app", "/a b/", "q=%20", False]).encode()
        )
        assert stage.ask("/other")[0].startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("method", ["PROPFIND", "BREW", "OPTIONS", "DELETE"])
def test_every_method_is_for_the_application(method: str) -> None:
    with Stage(telling) as stage:
        assert f"['{method}'".encode() in stage.ask("/", method)[1]


def test_trace_is_not() -> None:
    with Stage(telling) as stage:
        head, _ = stage.ask("/", "TRACE")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET, HEAD" in head


def test_one_connection_is_kept_for_several_requests() -> None:
    with Stage(echo) as stage:
        protocol, wire = stage.connect()
        for body in (b"one", b"two"):
            wire.clear()
            lines = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
            protocol.dataReceived(lines + body)
            stage.until(lambda body=body: wire.value().endswith(body))  # type: ignore[misc]
        assert not wire.disconnecting


def misbehaves(status: Any = "200 OK", headers: Any = TEXT, parts: Any = (b"x",)) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, headers)
        return parts

    return app


@pytest.mark.parametrize(
    "application",
    [
        misbehaves("two hundred"),
        misbehaves("100 Continue"),
        misbehaves("200 OK\r\nX-Evil: 1"),
        misbehaves(headers=[("X-A", "a\r\nX-Evil: 1")]),
        misbehaves(headers=[("X-A", "a\nX-Evil: 1")]),
        misbehaves(headers=[("X-A", "\u20ac")]),
        misbehaves(headers=[("X-Evil: 1\r\nX-A", "a")]),
        misbehaves(headers=[("Transfer-Encoding", "chunked")]),
        misbehaves(headers=[("Connection", "close")]),
        misbehaves(headers=[("Content-Length", "-5")]),
        misbehaves(headers=[("Content-Length", "1"), ("Content-Length", "2")]),
        misbehaves(headers={"X-A": "1"}),
        misbehaves(parts="text"),
        misbehaves(parts=["y"]),
        misbehaves(parts=[None]),
        misbehaves(parts=None),
        misbehaves(parts=5),
        misbehaves(headers=[("Content-Length", "1")], parts=[b"long"]),
        misbehaves(headers=[("Content-Length", "9")], parts=[]),
        lambda environ, start_response: [b"x"],
        lambda environ, start_response: 1 / 0,
        lambda: None,
    ],
)
def test_an_application_that_misbehaves_is_a_500_and_others_are_served(application: Any) -> None:
    def both(environ: Any, start_response: Any) -> Any:
        chosen = echo if environ["PATH_INFO"] == "/good" else application
        return chosen(environ, start_response)

    with Stage(both, threads=1) as stage:
        head, body = stage.ask("/bad")
        assert head.startswith(b"HTTP/1.1 500 ")
        assert b"Evil" not in head + body
        assert re.search(rb"[0-9a-f]{16}", body)
        assert stage.ask("/good", "POST", b"fine")[1] == b"fine"


def test_an_answer_that_is_shorter_than_it_says_is_broken_off() -> None:
    with Stage(misbehaves(headers=[("Content-Length", "9")], parts=[b"ab", b"cd"])) as stage:
        head, body = stage.ask()
    assert b"Content-Length: 9" in head
    assert body == b"abcd"


def test_of_200_at_once_those_beyond_threads_and_queue_get_503_and_the_rest_an_answer() -> None:
    gate = Gatekeeper()
    with Stage(gate, threads=4, waiting=8) as stage:
        wires = [stage.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(200)]
        refused = [wire for wire in wires if wire.value()]
        assert len(refused) == 188
        assert all(wire.value().startswith(b"HTTP/1.1 503 ") for wire in refused)
        assert all(b"\r\nRetry-After: 1\r\n" in wire.value() for wire in refused)
        stage.until(lambda: gate.inside == 4)
        told = stage.metrics.render().decode()
        assert "proto_wsgi_threads_busy 4.0" in told
        assert "proto_wsgi_queued 8.0" in told
        assert "proto_wsgi_refused_total 188.0" in told
        gate.let_go.set()
        served = [wire for wire in wires if wire not in refused]
        stage.until(lambda: all(wire.value().endswith(b"\r\n\r\ndone") for wire in served))
        assert gate.inside == 12
        assert stage.ask()[1] == b"done"
    assert "proto_wsgi_seconds_count 13.0" in stage.metrics.render().decode()


def test_readers_that_stall_keep_their_own_threads_and_no_others() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", TEXT)
        if environ["PATH_INFO"] == "/quick":
            return [b"quick"]
        return iter([b"x" * 60_000] * 1_000)

    with Stage(app, threads=16, waiting=0) as stage:
        for _ in range(15):
            wire = stage.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            producer: Any = wire.producer
            producer.pauseProducing()
        stage.until(lambda: stage.pool.workers.busy == 15)
        for _ in range(5):
            assert stage.ask("/quick")[1] == b"quick"
        for protocol, wire in stage._wires[:15]:
            hang_up(protocol)
            wire.connected = False
        stage.until(lambda: stage.pool.workers.busy == 0)


def test_who_has_left_the_queue_is_not_called_for() -> None:
    gate = Gatekeeper()
    with Stage(gate, threads=1, waiting=1) as stage:
        stage.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        stage.until(lambda: gate.inside == 1)
        protocol, wire = stage.connect()
        protocol.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        hang_up(protocol)
        wire.connected = False
        gate.let_go.set()
        stage.until(lambda: stage.pool.workers.busy + stage.pool.workers.queued == 0)
        assert gate.inside == 1


def test_a_pool_that_closes_waits_for_its_threads_but_not_for_ever() -> None:
    gate = Gatekeeper()
    with Stage(gate, threads=1) as stage:
        stage.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        stage.until(lambda: gate.inside == 1)
        ended: list[None] = []
        stage.pool.close().addCallback(ended.append)
        assert not ended
        stage.clock.advance(10)
        assert ended
        assert stage.ask()[0].startswith(b"HTTP/1.1 503 ")
        gate.let_go.set()


def test_a_stream_is_framed_in_chunks_only_when_its_length_is_unknown() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [*TEXT, ("Content-Length", "4")])
        return [b"ab", b"cd"]

    with Stage(app) as stage:
        head, body = stage.ask()
        assert b"Content-Length: 4" in head
        assert body == b"abcd"
    with Stage(streaming) as stage:
        head, body = stage.ask()
        assert b"Transfer-Encoding: chunked" in head
        assert chunks_of(body) == b"ab"
