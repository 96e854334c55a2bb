"""Every row of the table in docs/web.md, byte for byte, over real sockets to a real server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from proto.web.response import phrase_of
from tests.system.programs import Twistd, dial, read_all
from tests.web.refused import BODIES, HEADS, Row, get

BODY_LIMIT: Final = 1000
PAGE: Final = b"hello, world"
NEXT: Final = get(b"Accept: text/plain\r\n", target=b"/page.txt")


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "page.txt").write_bytes(PAGE)
    (folder / ".hidden").write_bytes(PAGE)
    (folder / "outside").symlink_to("/etc/hostname")
    options = ["--interface", "127.0.0.1", "--port", "0", "--max-body", str(BODY_LIMIT)]
    options += ["--max-per-minute", "0"]
    with Twistd("web", "--path", str(folder), *options, cwd=Path(folder)) as server:
        yield server.port("web")
        told = server.output
        assert "Traceback" not in told, told[told.index("Traceback") - 200 :][:3000]


Answer = tuple[bytes, dict[bytes, bytes], bytes]
"""The status line, the fields by their names in small letters, and the body."""


def read_head(connection: socket.socket, data: bytes = b"") -> tuple[bytes, bytes]:
    """The next head, and what came behind it."""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        assert chunk, f"the connection ended in a head: {data!r}"
        data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def read_answer(
    connection: socket.socket, data: bytes = b"", has_body: bool = True
) -> tuple[Answer, bytes]:
    """The next answer, and what came behind it."""
    head, rest = read_head(connection, data)
    first, *lines = head.split(b"\r\n")
    lower = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        assert name.lower() not in lower, f"{name!r} came twice"
        lower[name.lower()] = value
    status = first.split(b" ")[1]
    length = int(lower.get(b"content-length", b"0")) if has_body and status != b"204" else 0
    while len(rest) < length:
        chunk = connection.recv(65536)
        assert chunk, "the connection ended in a body"
        rest += chunk
    return (first, lower, rest[:length]), rest[length:]


def status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {phrase_of(status)}".encode()


@pytest.mark.parametrize(
    ("raw", "status"),
    [row[1:] for row in (*HEADS, *BODIES)],
    ids=[row[0] for row in (*HEADS, *BODIES)],
)
def test_what_is_refused_is_told_why_and_hung_up_on(port: int, raw: bytes, status: int) -> None:
    with dial(port) as connection:
        # A second request behind it must never be answered: who knows where it begins?
        connection.sendall(raw)
        answer, rest = read_answer(connection)
        connection.sendall(NEXT)
        assert rest + read_all(connection) == b""
    first, fields, body = answer
    assert first == status_line(status)
    assert fields[b"connection"] == b"close"
    assert fields[b"content-type"] == b"text/html; charset=utf-8"
    assert f"<h1>{status} ".encode() in body
    assert {b"date", b"server", b"content-length", b"content-security-policy"} <= set(fields)


def target(raw: bytes) -> bytes:
    return get(b"", target=raw)


ANSWERED: Final[list[Row]] = [
    ("a dot segment", target(b"/../"), 400),
    ("an encoded dot segment", target(b"/%2e%2e/"), 400),
    ("an encoded slash behind dots", target(b"/..%2fetc"), 400),
    ("NUL in the path", target(b"/%00"), 400),
    ("a broken escape", target(b"/%zz"), 400),
    ("an escape of an escape", target(b"/%252e%252e/"), 404),
    ("a backslash", target(b"/..\\x"), 404),
    ("an encoded backslash", target(b"/%5c..%5c"), 404),
    ("overlong UTF-8", target(b"/%c0%ae"), 404),
    ("a byte that is no UTF-8", target(b"/%ff"), 404),
    ("a dotfile", target(b"/.hidden"), 404),
    ("a symlink that leaves", target(b"/outside"), 404),
    ("an absolute target", get(b"", target=b"http://x/page.txt"), 200),
    ("OPTIONS of the server", get(b"", b"OPTIONS", b"*"), 204),
    ("GET of the server", get(b"", b"GET", b"*"), 400),
    ("TRACE", get(b"", b"TRACE", b"/page.txt"), 405),
    ("POST on a file", get(b"Content-Length: 3\r\n", b"POST", b"/page.txt") + b"abc", 405),
    ("OPTIONS of a file", get(b"", b"OPTIONS", b"/page.txt"), 204),
    ("an unknown method", get(b"", b"BREW", b"/page.txt"), 501),
    ("a method in small letters", get(b"", b"get", b"/page.txt"), 501),
    ("a body with GET", get(b"Content-Length: 3\r\n", target=b"/page.txt") + b"abc", 200),
    (
        "chunks with an extension and a trailer",
        get(b"Transfer-Encoding: chunked\r\n", b"POST", b"/page.txt")
        + b"3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
        405,
    ),
    ("empty lines before", b"\r\n\r\n" + target(b"/page.txt"), 200),
    ("spaces around a value", get(b"A: \t b \t\r\n", target=b"/page.txt"), 200),
]
ALLOW: Final = {405, 204}


@pytest.mark.parametrize(
    ("raw", "status"), [row[1:] for row in ANSWERED], ids=[row[0] for row in ANSWERED]
)
def test_what_is_answered_leaves_the_connection_for_the_next(
    port: int, raw: bytes, status: int
) -> None:
    with dial(port) as connection:
        connection.sendall(raw)
        answer, rest = read_answer(connection)
        connection.sendall(NEXT)
        following, rest = read_answer(connection, rest)
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)
    assert answer[0] == status_line(status)
    assert (b"allow" in answer[1]) is (status in ALLOW)
    assert b"connection" not in answer[1]
    assert (following[0], following[2]) == (b"HTTP/1.1 200 OK", PAGE)


POST: Final = b"POST"
EXPECTS: Final = b"Expect: 100-continue\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        get(b"Content-Length: 1001\r\n", POST),
        get(b"Content-Length: 1001\r\n" + EXPECTS, POST),
        get(b"Content-Length: 999999999999999999\r\n", POST),
        get(b"Transfer-Encoding: chunked\r\n", POST) + b"3E9\r\n",
        get(b"Transfer-Encoding: chunked\r\n", POST) + b"5\r\nabcde\r\n3E8\r\n",
    ],
)
def test_a_body_that_is_too_long_is_refused_before_it_comes(port: int, raw: bytes) -> None:
    with dial(port) as connection:
        connection.sendall(raw)
        answer, rest = read_answer(connection)
        connection.sendall(b"x" * 20_000)  # what a client sends that does not listen
        assert rest + read_all(connection) == b""
    assert answer[0] == status_line(413)
    assert answer[1][b"connection"] == b"close"
    assert b"1000 bytes" in answer[2]


def test_a_continue_comes_before_a_body_that_is_read(port: int) -> None:
    with dial(port) as connection:
        connection.sendall(get(b"Content-Length: 3\r\n" + EXPECTS, POST, b"/page.txt"))
        head, rest = read_head(connection)
        assert (head, rest) == (b"HTTP/1.1 100 Continue", b"")
        connection.sendall(b"abc" + NEXT)
        answer, rest = read_answer(connection)
        following, _ = read_answer(connection, rest)
    assert answer[0] == status_line(405)
    assert following[2] == PAGE


def test_connect_is_refused_and_nothing_behind_it_read(port: int) -> None:
    with dial(port) as connection:
        connection.sendall(b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n" + NEXT)
        answer, rest = read_answer(connection)
        assert rest + read_all(connection) == b""
    assert answer[0] == status_line(405)
    assert answer[1][b"connection"] == b"close"
    assert b"GET" in answer[1][b"allow"]


def test_nothing_is_read_behind_a_request_that_closes(port: int) -> None:
    with dial(port) as connection:
        connection.sendall(get(b"Connection: close\r\n", target=b"/page.txt") + NEXT + b"\0" * 9)
        answer, rest = read_answer(connection)
        assert rest + read_all(connection) == b""
    assert (answer[0], answer[1][b"connection"], answer[2]) == (status_line(200), b"close", PAGE)


def test_requests_sent_at_once_are_answered_in_their_order(port: int) -> None:
    wanted = [target(b"/page.txt"), get(b"", b"HEAD", b"/page.txt"), target(b"/none")] * 50
    with dial(port) as connection:
        connection.sendall(b"".join(wanted))
        rest, statuses = b"", []
        for place in range(len(wanted)):
            answer, rest = read_answer(connection, rest, has_body=place % 3 != 1)
            statuses.append(answer[0])
        connection.shutdown(socket.SHUT_WR)
        assert rest + read_all(connection) == b""
    assert statuses == [status_line(200), status_line(200), status_line(404)] * 50


def test_a_peer_that_says_it_has_no_more_to_say_is_answered(port: int) -> None:
    with dial(port) as connection:
        connection.sendall(NEXT + NEXT)
        connection.shutdown(socket.SHUT_WR)
        first, rest = read_answer(connection)
        second, rest = read_answer(connection, rest)
        assert rest + read_all(connection) == b""
    assert first[2] == second[2] == PAGE


def test_a_request_may_come_a_byte_at_a_time(port: int) -> None:
    raw = get(b"Transfer-Encoding: chunked\r\n", POST, b"/page.txt") + b"1\r\na\r\n0\r\n\r\n" + NEXT
    with dial(port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(raw)):
            connection.sendall(raw[at : at + 1])
        answer, rest = read_answer(connection)
        following, _ = read_answer(connection, rest)
    assert (answer[0], following[2]) == (status_line(405), PAGE)


def test_http_1_0_keeps_a_connection_only_when_asked(port: int) -> None:
    asked = b"GET /page.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    with dial(port) as connection:
        connection.sendall(asked)
        answer, rest = read_answer(connection)
        connection.sendall(b"GET /page.txt HTTP/1.0\r\n\r\n")
        last, rest = read_answer(connection, rest)
        assert rest + read_all(connection) == b""
    assert answer[0] == last[0] == b"HTTP/1.0 200 OK"
    assert answer[1][b"connection"] == b"keep-alive"
    assert last[1][b"connection"] == b"close"


@pytest.mark.parametrize(
    ("fields", "status"), [(b"", 200), (b"If-None-Match: *\r\n", 304)], ids=["HEAD", "304"]
)
def test_an_answer_without_a_body_has_none(port: int, fields: bytes, status: int) -> None:
    method = b"GET" if fields else b"HEAD"
    with dial(port) as connection:
        connection.sendall(get(fields, method, b"/page.txt") + NEXT)
        answer, rest = read_answer(connection, has_body=False)
        following, _ = read_answer(connection, rest)
    assert answer[0] == status_line(status)
    assert following[2] == PAGE
