from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from proto.web.wsgi.exchange import FULL
from proto.web.wsgi.streams import BodyRefused, PeerGone
from tests.web.wire import hang_up
from tests.web.wsgi.stage import DEADLINE, Stage, chunks_of

TEXT = [("Content-Type", "text/plain")]
HEAD = b"%b / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n"


def producer_of(wire: StringTransport) -> Any:
    assert wire.producer is not None
    return wire.producer


class Endless:
    """A body that has no end, and says how much of it was taken and when it was closed."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = Event()

    def __call__(self, environ: Any, start_response: Any) -> Endless:
        start_response("200 OK", TEXT)
        return self

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.given += 1
            yield b"x" * 16_384

    def close(self) -> None:
        self.closed.set()


def test_a_thread_waits_while_its_peer_does_not_read() -> None:
    body = Endless()
    with Stage(body) as stage:
        wire = stage.send(HEAD % (b"GET", b"X: y"))
        producer_of(wire).pauseProducing()
        stage.until(lambda: body.given > FULL // 16_384)
        given = body.given
        for _ in range(5):
            stage.until(lambda: True)
        assert body.given <= given + 1
        producer_of(wire).resumeProducing()
        stage.until(lambda: body.given > 3 * given)
        hang_up(stage._wires[0][0])
        wire.connected = False
        stage.until(body.closed.is_set)


def test_a_peer_that_stalls_is_dropped_and_its_thread_is_free() -> None:
    body = Endless()
    with Stage(body, threads=1, waiting=0) as stage:
        protocol, wire = stage.connect()
        protocol.dataReceived(HEAD % (b"GET", b"X: y"))
        producer_of(wire).pauseProducing()
        stage.until(lambda: body.given > FULL // 16_384)
        for _ in range(20):
            stage.clock.advance(10)
            if wire.disconnecting or wire.disconnected:
                break
        assert wire.disconnected
        hang_up(protocol)
        stage.until(body.closed.is_set)
        stage.until(lambda: stage.pool.workers.busy == 0)


def test_a_body_that_is_too_large_is_refused_whatever_the_application_says() -> None:
    raised: list[BaseException] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            raised.append(error)
        start_response("200 OK", TEXT)
        return [b"fine"]

    with Stage(app, max_body=10) as stage:
        wire = stage.send(HEAD % (b"POST", b"Transfer-Encoding: chunked") + b"b\r\n01234567890\r\n")
        stage.until(lambda: b"\r\n\r\n" in wire.value())
        assert wire.value().startswith(b"HTTP/1.1 413 ")
        assert isinstance(raised[0], BodyRefused)


def test_a_body_that_is_malformed_is_refused_and_not_logged() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        return [environ["wsgi.input"].read()]

    with capturedLogs() as events, Stage(app) as stage:
        wire = stage.send(HEAD % (b"POST", b"Transfer-Encoding: chunked") + b"zz\r\n")
        stage.until(lambda: b"\r\n\r\n" in wire.value())
        assert wire.value().startswith(b"HTTP/1.1 400 ")
    assert not [event for event in events if "log_failure" in event]


def test_a_peer_that_leaves_ends_who_reads_its_body() -> None:
    raised: list[BaseException] = []
    begun = Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        begun.set()
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            raised.append(error)
            raise
        return []

    with capturedLogs() as events, Stage(app) as stage:
        protocol, wire = stage.connect()
        protocol.dataReceived(HEAD % (b"POST", b"Content-Length: 10") + b"12345")
        stage.until(begun.is_set)
        hang_up(protocol)
        wire.connected = False
        stage.until(lambda: raised)
    assert isinstance(raised[0], PeerGone)
    assert not [event for event in events if "log_failure" in event]


def test_100_continue_is_sent_when_the_application_reads() -> None:
    read = Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        assert read.wait(DEADLINE)
        start_response("200 OK", TEXT)
        return [environ["wsgi.input"].read()]

    with Stage(app) as stage:
        protocol, wire = stage.connect()
        protocol.dataReceived(HEAD % (b"POST", b"Expect: 100-continue\r\nContent-Length: 2"))
        stage.until(lambda: stage.pool.workers.busy)
        assert wire.value() == b""
        read.set()
        stage.until(lambda: wire.value())
        assert wire.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
        protocol.dataReceived(b"ok")
        stage.until(lambda: wire.value().endswith(b"\r\n\r\nok"))


def test_who_answers_without_reading_never_asks_for_the_body() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("403 Forbidden", TEXT)
        return [b"no"]

    with Stage(app) as stage:
        wire = stage.send(HEAD % (b"POST", b"Expect: 100-continue\r\nContent-Length: 2"))
        stage.until(lambda: wire.value())
        assert wire.value().startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"Connection: close\r\n" in wire.value()


def test_a_failure_in_the_middle_breaks_the_answer_off_and_is_logged() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"one"
        raise RuntimeError("boom")

    with capturedLogs() as events, Stage(app) as stage:
        wire = stage.send(HEAD % (b"GET", b"X: y"))
        stage.until(lambda: wire.disconnecting)
        assert wire.value().endswith(b"\r\n\r\n3\r\none\r\n")  # and no last chunk
    told = [event["log_failure"].value.args for event in events if "log_failure" in event]
    assert told == [("boom",)]


def test_a_failure_before_the_answer_is_a_page_with_a_number_that_is_in_the_log() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise RuntimeError("secret")

    with capturedLogs() as events, Stage(app) as stage:
        head, body = stage.ask(Accept="text/html")
    incidents = [event["incident"] for event in events if "incident" in event]
    assert head.startswith(b"HTTP/1.1 500 ")
    assert incidents[0].encode() in body
    assert b"secret" not in body


def test_fields_that_come_twice_are_sent_twice_and_ours_give_way() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        fields = [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("SERVER", "mine"), ("etag", '"x"')]
        start_response("200 Fine", fields)
        return [b"x"]

    with Stage(app) as stage:
        head, body = stage.ask()
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 Fine"
    assert [line for line in lines if line.startswith(b"Set-Cookie")] == [
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2",
    ]
    assert b"Server: mine" in lines
    assert b"Server: proto" not in lines
    assert b'ETag: "x"' in lines
    assert not [line for line in lines if line.startswith(b"Content-Type")]
    assert body == b"x"


def test_what_the_application_complains_of_is_logged_with_its_request() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.errors"].write("one\nforged: \x1b[2J")
        environ["wsgi.errors"].flush()
        start_response("200 OK", TEXT)
        return [b"x"]

    with capturedLogs() as events, Stage(app) as stage:
        stage.ask("/x")
    lines = [event["line"] for event in events if "line" in event]
    assert lines == ["one", "forged: \\x1b[2J"]


def test_a_long_body_arrives_whole() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        for number in range(100):
            yield b"%05d" % number * 2_000

    with Stage(app, threads=1) as stage:
        _, body = stage.ask()
    assert chunks_of(body) == b"".join(b"%05d" % number * 2_000 for number in range(100))
