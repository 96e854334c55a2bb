from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proto.web.wsgi.answerhead import AnswerHead, BadAnswer
from proto.web.wsgi.call import AT_ONCE, PIECE, Call
from proto.web.wsgi.streams import PeerGone

TEXT = [("Content-Type", "text/plain")]
FIELDS = [(b"Content-Type", b"text/plain")]


class Recorder:
    """A peer that writes down what it is sent."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.is_gone = False
        self.done: list[tuple[Any, ...]] = []
        self._room = room

    def answer(self, head: AnswerHead, length: int | None, body: bytes) -> None:
        self.done.append(("answer", head.status, length, body))

    def begin(self, head: AnswerHead, length: int | None) -> None:
        self.done.append(("begin", head.status, length))

    def send(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0:
            raise PeerGone("gone")
        self.done.append(("send", data))

    def end(self) -> None:
        self.done.append(("end",))

    def fail(self, error: BaseException) -> None:
        self.done.append(("fail", type(error)))


def run(application: Any, method: str = "GET", peer: Recorder | None = None) -> list[Any]:
    peer = peer or Recorder()
    Call(application, {"REQUEST_METHOD": method}, peer).run()
    return peer.done


def giving(*parts: Any, status: str = "200 OK", headers: Any = TEXT) -> Callable[..., Any]:
    def app(environ: Any, start_response: Any) -> list[Any]:
        start_response(status, headers)
        return list(parts)

    return app


class Parts:
    """A body that counts how often it is closed, and may fail on its way."""

    def __init__(self, *parts: Any) -> None:
        self._parts = iter(parts)
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        part = next(self._parts)
        if isinstance(part, Exception):
            raise part
        return part

    def close(self) -> None:
        self.closed += 1


def test_one_part_is_a_whole_answer_with_its_length() -> None:
    assert run(giving(b"hello")) == [("answer", 200, 5, b"hello")]


def test_nothing_is_a_whole_answer_too() -> None:
    assert run(giving()) == [("answer", 200, 0, b"")]
    assert run(giving(b"")) == [("answer", 200, 0, b"")]


def test_several_parts_are_sent_as_they_come() -> None:
    assert run(giving(b"a", b"", b"b")) == [
        ("begin", 200, None),
        ("send", b"a"),
        ("send", b"b"),
        ("end",),
    ]


def test_a_body_of_known_length_is_whole_when_it_is_all_here() -> None:
    parts = Parts(b"hello", b"")

    def app(environ: Any, start_response: Any) -> Parts:
        start_response("200 OK", [("Content-Length", "5")])
        return parts

    assert run(app) == [("answer", 200, 5, b"hello")]
    assert parts.closed == 1


def test_a_large_body_is_sent_in_pieces() -> None:
    body = b"x" * (AT_ONCE + PIECE + 1)
    begun, *sent, end = run(giving(body))
    assert begun == ("begin", 200, len(body))
    assert [len(piece) for _, piece in sent] == [PIECE, PIECE, 1]
    assert end == ("end",)


def test_an_application_may_write() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"a")
        return [b"b"]

    assert run(app) == [("begin", 200, None), ("send", b"a"), ("send", b"b"), ("end",)]


def test_a_generator_starts_the_answer_when_it_is_asked_for_the_first_part() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "1")])
        yield b"a"

    assert run(app) == [("answer", 200, 1, b"a")]


@pytest.mark.parametrize(
    ("application", "length"),
    [
        (giving(b"hello"), 5),
        (giving(b"he", b"llo"), None),
        (giving(), None),
        (giving(headers=[("Content-Length", "7")]), 7),
    ],
)
def test_head_has_no_body_and_the_length_that_get_would_have(
    application: Any, length: int | None
) -> None:
    assert run(application, "HEAD") == [("answer", 200, length, b"")]


def test_a_body_without_an_end_ends_for_head() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        while True:
            yield b"x"

    assert run(app, "HEAD") == [("answer", 200, None, b"")]


@pytest.mark.parametrize(("status", "length"), [("204 x", None), ("304 x", 5)])
def test_some_statuses_have_no_body(status: str, length: int | None) -> None:
    headers = [("Content-Length", "5")]
    assert run(giving(b"hello", status=status, headers=headers)) == [
        ("answer", int(status[:3]), length, b"")
    ]


def raising(environ: Any, start_response: Any) -> Any:
    raise RuntimeError("boom")


def exiting(environ: Any, start_response: Any) -> Any:
    sys.exit("boom")


def silent(environ: Any, start_response: Any) -> Any:
    return [b"hello"]


def nothing(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", TEXT)


def twice(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)
    return [b"x"]


def catching(environ: Any, start_response: Any) -> Any:
    with pytest.raises(BadAnswer):
        start_response("200 OK", [("X-A", "a\r\nb")])
    return [b"x"]


def text(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", TEXT)
    return "hello"


@pytest.mark.parametrize(
    ("application", "error"),
    [
        (raising, RuntimeError),
        (exiting, SystemExit),
        (silent, BadAnswer),
        (nothing, TypeError),
        (twice, BadAnswer),
        (catching, BadAnswer),
        (text, BadAnswer),
        (lambda: None, TypeError),
        (giving("hello"), BadAnswer),
        (giving(bytearray(b"x")), BadAnswer),
        (giving(None), BadAnswer),
        (giving(b"x", headers=[("X-A", "\u20ac")]), BadAnswer),
        (giving(b"hello", headers=[("Content-Length", "4")]), BadAnswer),
        (giving(b"hel", headers=[("Content-Length", "4")]), BadAnswer),
        (giving(headers=[("Content-Length", "4")]), BadAnswer),
    ],
)
def test_what_goes_wrong_before_anything_is_sent_is_only_a_failure(
    application: Any, error: type[BaseException]
) -> None:
    told = [each for each in run(application) if each[0] not in ("begin", "send")]
    assert told == [("fail", error)]


@pytest.mark.parametrize("length", ["4", "5"])
def test_nothing_of_an_answer_that_is_too_long_is_sent_beyond_its_length(length: str) -> None:
    sent = run(giving(b"he", b"llo!", headers=[("Content-Length", length)]))
    assert sent == [("begin", 200, int(length)), ("send", b"he"), ("fail", BadAnswer)]


def test_what_comes_behind_a_whole_answer_is_a_failure() -> None:
    sent = run(giving(b"he", b"llo", headers=[("Content-Length", "2")]))
    assert sent == [("answer", 200, 2, b"he"), ("fail", BadAnswer)]


def failing_after(count: int) -> tuple[Parts, Any]:
    parts = Parts(*[b"x"] * count, RuntimeError("boom"))

    def app(environ: Any, start_response: Any) -> Parts:
        start_response("200 OK", TEXT)
        return parts

    return parts, app


@pytest.mark.parametrize("count", [0, 2])
def test_a_body_that_fails_is_closed_once(count: int) -> None:
    parts, app = failing_after(count)
    assert run(app)[-1] == ("fail", RuntimeError)
    assert parts.closed == 1


def test_the_body_is_closed_when_the_peer_has_left_and_nothing_is_logged() -> None:
    parts = Parts(b"ab", b"cd", b"ef")

    def app(environ: Any, start_response: Any) -> Parts:
        start_response("200 OK", TEXT)
        return parts

    peer = Recorder(room=3)
    assert run(app, peer=peer) == [("begin", 200, None), ("send", b"ab")]
    assert parts.closed == 1


def test_an_application_is_not_called_for_who_has_left() -> None:
    peer = Recorder()
    peer.is_gone = True
    assert run(raising, peer=peer) == []


def test_a_close_that_fails_is_told_after_the_answer() -> None:
    class Bad(list[bytes]):
        def close(self) -> None:
            raise RuntimeError("boom")

    def app(environ: Any, start_response: Any) -> Bad:
        start_response("200 OK", TEXT)
        return Bad([b"x"])

    assert run(app) == [("answer", 200, 1, b"x"), ("fail", RuntimeError)]


def excusing(after: bytes) -> Any:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        try:
            yield after
            raise RuntimeError("boom")
        except RuntimeError:
            start_response("500 Sorry", TEXT, sys.exc_info())
            yield b"sorry"

    return app


def test_an_application_may_change_its_mind_until_something_is_sent() -> None:
    assert run(excusing(b"")) == [("begin", 500, None), ("send", b"sorry"), ("end",)]
    assert run(excusing(b"x")) == [
        ("begin", 200, None),
        ("send", b"x"),
        ("fail", RuntimeError),
    ]
