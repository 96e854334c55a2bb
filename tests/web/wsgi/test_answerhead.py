from __future__ import annotations

import pytest

from proto.web.wsgi.answerhead import AnswerHead, BadAnswer, read_head


def test_a_head_is_read() -> None:
    headers = [("Content-Type", "text/plain"), ("Content-Length", "3"), ("X-A", " \xe9 ")]
    head = read_head("404 Not Here", headers)
    fields = [(b"Content-Type", b"text/plain"), (b"X-A", b"\xe9")]
    assert head == AnswerHead(404, b"Not Here", fields, 3)
    assert head.has_body


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    assert not read_head(f"{status} x", []).has_body


def test_204_says_no_length() -> None:
    assert read_head("204 No Content", [("Content-Length", "0")]).length is None
    assert read_head("304 Not Modified", [("Content-Length", "5")]).length == 5


@pytest.mark.parametrize("status", ["200", "200 ", "599 Odd", "200 \xe9"])
def test_a_status_that_can_be_sent(status: str) -> None:
    assert read_head(status, []).status == int(status[:3])


@pytest.mark.parametrize(
    "status",
    [
        *("", "OK", "99 x", "100 Continue", "101 Switching Protocols", "600 x", "2000 x", "200OK"),
        *("200 a\r\nX: y", "200 \u20ac", "20\u0660 x", 200, b"200 OK", None),
    ],
)
def test_a_status_that_cannot_be_sent_is_told(status: object) -> None:
    with pytest.raises(BadAnswer, match="status"):
        read_head(status, [])


@pytest.mark.parametrize(
    "headers",
    [
        (("X-A", "1"),),
        None,
        {"X-A": "1"},
        [("X-A",)],
        ["X-A"],
        [("X-A", "1", "2")],
        [("X A", "1")],
        [("", "1")],
        [("X-A:", "1")],
        [("X-\xe9", "1")],
        [(b"X-A", "1")],
        [("X-A", b"1")],
        [("X-A", 1)],
        [("X-A", None)],
        [("X-A", "a\r\nSet-Cookie: b")],
        [("X-A", "a\nb")],
        [("X-A", "a\rb")],
        [("X-A", "a\0b")],
        [("X-A", "\x7f")],
        [("X-A", "\u20ac")],
        [("Content-Length", "3"), ("content-length", "3")],
        [("Content-Length", "-1")],
        [("Content-Length", "")],
        [("Content-Length", "+3")],
        [("Content-Length", "9" * 19)],
        [("Content-Length", "\xb3")],
        [("Connection", "close")],
        [("connection", "keep-alive")],
        [("Keep-Alive", "x")],
        [("Transfer-Encoding", "chunked")],
        [("Trailer", "x")],
        [("TE", "x")],
        [("Upgrade", "x")],
        [("Proxy-Authenticate", "x")],
        [("Proxy-Connection", "x")],
    ],
)
def test_a_header_that_cannot_be_sent_is_told(headers: object) -> None:
    with pytest.raises(BadAnswer) as told:
        read_head("200 OK", headers)
    assert "\n" not in str(told.value)
