from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.incoming import BodyLost, IncomingBody
from proto.web.response import HTTPError
from proto.web.wsgi.handover import Handover
from proto.web.wsgi.streams import (
    FILE_CHUNK,
    FULL,
    LINES_WAITING,
    LONGEST_LINE,
    BodyRefused,
    Errors,
    FileWrapper,
    Input,
    PeerGone,
)
from tests.web.wsgi.stage import DEADLINE, Turns


class Peer:
    """A body on its way, and how often its sender was held."""

    def __init__(self, *chunks: bytes, is_awaited: bool = False) -> None:
        self.turns = Turns()
        self.told: list[str] = []
        self.body = IncomingBody(*(self._teller(word) for word in ("hold", "go on", "wanted")))
        post = Handover(self.turns.call).post
        self.input = Input(self.body, post, is_awaited=is_awaited)
        for chunk in chunks:
            self.body.put(chunk)

    def _teller(self, word: str) -> Callable[[], None]:
        return lambda: self.told.append(word)

    def in_thread(self, read: Callable[[Input], object]) -> list[Any]:
        """What this gives or raises, when it does."""
        results: list[Any] = []

        def run() -> None:
            try:
                results.append(read(self.input))
            except OSError as error:
                results.append(error)

        Thread(target=run, daemon=True).start()
        return results

    def read(self, read: Callable[[Input], object]) -> Any:
        results = self.in_thread(read)
        self.turns.until(lambda: results)
        return results[0]


def whole(*chunks: bytes) -> Peer:
    peer = Peer(*chunks)
    peer.body.end()
    return peer


@pytest.mark.parametrize(
    ("read", "result"),
    [
        (lambda body: body.read(), b"one\ntwo\nthree"),
        (lambda body: body.read(None), b"one\ntwo\nthree"),
        (lambda body: body.read(0), b""),
        (lambda body: [body.read(5), body.read(5), body.read(5)], [b"one\nt", b"wo\nth", b"ree"]),
        (lambda body: [body.read(99), body.read(1)], [b"one\ntwo\nthree", b""]),
        (lambda body: list(body), [b"one\n", b"two\n", b"three"]),
        (lambda body: body.readlines(), [b"one\n", b"two\n", b"three"]),
        (lambda body: body.readlines(5), [b"one\n", b"two\n"]),
        (lambda body: [body.readline(2), body.readline(), body.read(1)], [b"on", b"e\n", b"t"]),
        (lambda body: [body.readline(0), body.readline(-1)], [b"", b"one\n"]),
        (lambda body: [body.readline(4), body.readline(None)], [b"one\n", b"two\n"]),
    ],
)
def test_a_body_reads_like_a_file(read: Callable[[Any], object], result: object) -> None:
    assert read(BytesIO(b"one\ntwo\nthree")) == result
    assert whole(b"on", b"e\ntwo", b"\nth", b"ree").read(read) == result


@given(
    chunks=st.lists(st.text("ab\n", min_size=1, max_size=9), max_size=9),
    asked=st.lists(st.tuples(st.sampled_from(["read", "readline"]), st.integers(-1, 9))),
)
def test_however_a_body_comes_it_reads_the_same(
    chunks: list[str], asked: list[tuple[str, int]]
) -> None:
    pieces = [chunk.encode() for chunk in chunks]
    file, body = BytesIO(b"".join(pieces)), whole(*pieces).input
    for name, size in [*asked, ("read", -1), ("read", 1)]:
        assert getattr(body, name)(size) == getattr(file, name)(size)


def test_who_reads_waits_for_what_comes() -> None:
    peer = Peer()
    results = peer.in_thread(lambda body: body.read(4))
    peer.body.put(b"on")
    peer.body.put(b"e!")
    peer.turns.until(lambda: results)
    assert results == [b"one!"]


def test_a_peer_that_waits_to_be_asked_is_asked_when_somebody_reads() -> None:
    peer = Peer(is_awaited=True)
    peer.turns.clock.advance(1)
    assert peer.told == []
    results = peer.in_thread(lambda body: body.read(1))
    peer.turns.until(lambda: peer.told == ["wanted"])
    peer.body.put(b"x")
    peer.turns.until(lambda: results)
    assert results == [b"x"]


def test_the_peer_is_held_while_nobody_reads_and_goes_on_when_somebody_does() -> None:
    piece = b"x" * (FULL // 2)
    peer = Peer()
    for _ in range(6):
        if "hold" not in peer.told:
            peer.body.put(piece)
    assert peer.told[-1] == "hold"
    held = peer.in_thread(lambda body: len(body.read(6 * len(piece))))
    peer.turns.until(lambda: peer.told[-1] == "go on")
    peer.body.end()
    peer.turns.until(lambda: held)
    assert held[0] in range(4 * len(piece), 6 * len(piece) + 1)


def test_a_large_body_arrives_as_it_was_sent() -> None:
    peer = Peer()
    sent = bytes(range(256)) * 4096
    results = peer.in_thread(lambda body: body.read())
    at = 0
    while at < len(sent):
        if peer.told.count("hold") == peer.told.count("go on"):
            peer.body.put(sent[at : at + 30_000])
            at += 30_000
        peer.turns.until(lambda: True)
        if peer.told.count("hold") > peer.told.count("go on"):
            peer.turns.until(lambda: peer.told.count("hold") == peer.told.count("go on"))
    peer.body.end()
    peer.turns.until(lambda: results)
    assert results == [sent]


def test_who_reads_a_body_that_was_refused_is_told_why() -> None:
    peer = Peer(b"abc")
    peer.body.fail(HTTPError(413, "Too much."))
    told = peer.read(lambda body: body.read())
    assert isinstance(told, BodyRefused)
    assert told.refusal.status == 413


def test_what_has_come_can_be_read_before_the_loss_is_told() -> None:
    peer = Peer(b"abc")
    peer.body.fail(BodyLost("the peer has left"))
    assert peer.read(lambda body: body.read(3)) == b"abc"
    assert isinstance(peer.read(lambda body: body.read(1)), PeerGone)


def test_who_waits_when_the_request_ends_is_told() -> None:
    peer = Peer()
    results = peer.in_thread(lambda body: body.read())
    peer.turns.until(lambda: peer.told == ["wanted"])
    peer.input.lose()
    peer.turns.until(lambda: results)
    assert isinstance(results[0], PeerGone)


def errors(*calls: tuple[str, object]) -> list[str]:
    turns, lines = Turns(), list[str]()
    errors = Errors(lines.append, Handover(turns.call).post)
    for name, argument in calls:
        getattr(errors, name)(*(() if argument is None else (argument,)))
    done: list[bool] = []
    turns.call(lambda: done.append(True))
    turns.until(lambda: done)
    return lines


def test_lines_of_complaint_are_told_whole_and_escaped() -> None:
    assert errors(("write", "one\ntw"), ("write", "o\n")) == ["one", "two"]
    assert errors(("write", "half")) == []
    assert errors(("write", "half"), ("flush", None)) == ["half"]
    assert errors(("writelines", ["a\n", "b\n"])) == ["a", "b"]
    assert errors(("write", "\x1b[1m\r caf\xe9\n")) == ["\\x1b[1m\\r caf\\xe9"]


def test_a_line_without_an_end_is_cut() -> None:
    lines = errors(("write", "x" * (LONGEST_LINE + 1)))
    assert [len(line) for line in lines] == [LONGEST_LINE, 1]


def test_errors_take_text() -> None:
    with pytest.raises(TypeError, match="bytes"):
        errors(("write", b"x"))


def test_who_complains_without_end_waits_for_the_log() -> None:
    turns, lines = Turns(), list[str]()
    complaints = Errors(lines.append, Handover(turns.call).post)
    written: list[int] = []

    def complain() -> None:
        for number in range(4 * LINES_WAITING):
            complaints.write("x\n")
            written.append(number)

    thread = Thread(target=complain, daemon=True)
    thread.start()
    end = time.monotonic() + DEADLINE
    while len(written) < LINES_WAITING and time.monotonic() < end:
        thread.join(0.01)
    assert len(written) == LINES_WAITING
    turns.until(lambda: len(lines) == 4 * LINES_WAITING)
    thread.join(DEADLINE)
    assert len(written) == 4 * LINES_WAITING


def test_a_file_is_sent_in_chunks_and_closed() -> None:
    file = BytesIO(b"x" * (FILE_CHUNK + 1))
    wrapper = FileWrapper(file, 10)
    assert [len(chunk) for chunk in wrapper] == [FILE_CHUNK, 1]
    wrapper.close()
    assert file.closed
