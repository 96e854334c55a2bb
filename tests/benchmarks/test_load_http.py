"""The load of requests, against a server that says what each test wants it to say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import pytest

from benchmarks.load.http import Requests
from benchmarks.load.sockets import LoadFailed

HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length:  3\r\nX: Content-Length: 9\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = bytes(range(256)) * 2000
LARGE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE)
SECONDS = 0.05
LONG = 20.0
"""Seconds of a round that ends much sooner, by a failure."""
Answer = Sequence[bytes]
"""What is sent, piece by piece; then the connection is closed if the last piece is empty."""


@dataclass
class Scripted:
    """A server's port, and what it was asked."""

    port: int
    folder: Path
    requests: list[bytes]

    def memory(self) -> int:
        return 1

    def worked(self) -> float:
        return 0.0


@contextmanager
def serving(folder: Path, *answers: Answer) -> Iterator[Scripted]:
    """Give these answers to the requests as they come, the last one to all that follow."""
    following = chain(answers[:-1], repeat(answers[-1]))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = Scripted(listener.getsockname()[1], folder, [])

        def serve() -> None:
            with suppress(OSError):  # the test has closed the listener
                while True:
                    peer, _ = listener.accept()
                    with peer, suppress(ConnectionError):  # the load goes when it has seen enough
                        answer_all(peer)

        def answer_all(peer: socket.socket) -> None:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while asked := peer.recv(65536):
                target.requests.append(asked)
                for piece in (answer := next(following)):
                    peer.sendall(piece)
                if answer[-1] == b"":
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield target
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def bytewise(data: bytes) -> Answer:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        ([HEAD + b"abc"], 3),
        ([HEAD, b"abc"], 3),
        ([HEAD + b"a", b"bc"], 3),
        (bytewise(HEAD + b"abc"), 3),
        ([HEAD + b"abc"], None),
        ([b"HTTP/1.0 200 Fine\r\nContent-Length: 0\r\n\r\n"], 0),
        ([CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"], 3),
        ([CHUNKED, b"03\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"], None),
        (bytewise(CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\nTrailer: x\r\n\r\n"), 3),
        ([LARGE_HEAD + LARGE], len(LARGE)),
        ([LARGE_HEAD, LARGE[:300_000], LARGE[300_000:]], None),
    ],
)
def test_answers_are_heard_in_whichever_pieces_they_come(
    tmp_path: Path, answer: Answer, size: int | None
) -> None:
    with serving(tmp_path, answer) as target:
        sample = Requests("/some/thing?x", size, 1)(target, SECONDS)
    assert len(target.requests) == sample.amount + sample.before
    assert set(target.requests) == {b"GET /some/thing?x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"}
    assert sample.before == 1
    assert sample.p50 is not None
    assert sample.p99 is not None
    assert 0 < sample.p50 <= sample.p99 < sample.seconds


FIRST = [HEAD + b"abc"]


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ([[HEAD + b"ab", b""]], "the server hung up"),
        ([FIRST, FIRST, [HEAD + b"ab", b""]], "the server hung up"),
        ([FIRST, [HEAD + b"abcd"]], "1 bytes came after the end of the answer"),
        ([FIRST, [HEAD.replace(b"3", b"2") + b"ab"]], "2 bytes are announced, not 3"),
        ([[HEAD.replace(b"3", b"4") + b"abcd"]], "4 bytes are announced, not 3"),
        ([FIRST, [HEAD + b"abd"]], "the body is not the same as that of the first answer"),
        ([[HEAD.replace(b"content-length", b"content-size") + b"abc"]], "does not say how long"),
        ([[HEAD.replace(b" 3", b" x") + b"abc"]], "does not say how long"),
        ([[HEAD.replace(b"200 OK", b"404 Not Found") + b"abc"]], "was: HTTP/1.1 404 Not Found$"),
        ([[b"HTTP/2 200 OK\r\nContent-Length: 3\r\n\r\nabc"]], "the answer was: HTTP/2 200 OK$"),
        ([[b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000]], "the head is longer than 16384 bytes"),
        ([[CHUNKED + b"2\r\nab\r\n0\r\n\r\n"]], "2 bytes came, not 3"),
        ([[CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n"]], "more than 3 bytes came"),
        ([[CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"]], "a chunk is longer than its size says"),
        ([[CHUNKED + b"\r\nabc\r\n0\r\n\r\n"]], "a chunk has no size"),
        ([[CHUNKED + b"x\r\nabc\r\n0\r\n\r\n"]], "a chunk has no size that can be read"),
        ([[CHUNKED + b"ffffffffffffffffffff\r\n"]], "a chunk has no size that can be read"),
        ([FIRST, [HEAD + b"abc", b""]], "the server hung up|Broken pipe|Connection reset"),
    ],
)
def test_an_answer_that_is_not_right_is_told(
    tmp_path: Path, answers: Sequence[Answer], trouble: str
) -> None:
    with serving(tmp_path, *answers) as target, pytest.raises(LoadFailed, match=trouble):
        Requests("/", 3, 1)(target, LONG)


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ([[LARGE_HEAD + LARGE], [LARGE_HEAD + LARGE[:-1], b""]], "the server hung up"),
        ([[LARGE_HEAD + LARGE], [LARGE_HEAD + LARGE + b"x"]], "came after|was: xHTTP"),
        ([[LARGE_HEAD + LARGE[:-1], b""]], "the server hung up"),
    ],
)
def test_the_bytes_of_a_large_body_are_counted(
    tmp_path: Path, answers: Sequence[Answer], trouble: str
) -> None:
    with serving(tmp_path, *answers) as target, pytest.raises(LoadFailed, match=trouble):
        Requests("/", len(LARGE), 1)(target, LONG)


def test_each_request_may_have_a_connection_of_its_own(tmp_path: Path) -> None:
    with serving(tmp_path, [HEAD + b"abc", b""]) as target:
        sample = Requests("/", 3, 1, keep_alive=False)(target, SECONDS)
    assert len(target.requests) == sample.amount + 1
    assert sample.amount > 1
    assert b"\r\nConnection: close\r\n" in target.requests[-1]


def test_where_nobody_listens_the_reason_is_told(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        target = Scripted(nobody.getsockname()[1], tmp_path, [])
        with pytest.raises(LoadFailed, match=r"^connect: Connection refused$"):
            Requests("/", 3, 1)(target, LONG)


MADE = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b"


def test_what_is_posted_may_be_answered_differently_each_time(tmp_path: Path) -> None:
    made = [[MADE % (len(body), body)] for body in (b"", b"1", b"22", b"333")]
    with serving(tmp_path, *made) as target:
        sample = Requests("/things", None, 1, posted='{"a":1}')(target, SECONDS)
    assert len(target.requests) == sample.amount + 1
    assert set(target.requests) == {
        b"POST /things HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b'Content-Length: 7\r\n\r\n{"a":1}'
    }


def test_a_post_that_makes_nothing_is_told(tmp_path: Path) -> None:
    with (
        serving(tmp_path, [HEAD + b"abc"]) as target,
        pytest.raises(LoadFailed, match=r"the answer was: HTTP/1\.1 200 OK$"),
    ):
        Requests("/things", None, 1, posted="{}")(target, LONG)
