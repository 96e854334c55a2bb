from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.send.answers import LONGEST_HEAD, Answer, AnswerInvalid, Answers

CHUNKED = b"HTTP/1.1 503 Busy now\r\nTransfer-Encoding: chunked\r\nRetry-After: 7\r\n\r\n"
STREAM = (
    b"HTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nHTTP"
    + CHUNKED
    + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"
    + b"HTTP/1.1 204\r\nConnection: Close\r\n\r\n"
)


@given(st.data())
def test_answers_are_found_however_they_arrive(data: st.DataObject) -> None:
    answers, found, at = Answers(), list[Answer](), 0
    while at < len(STREAM):
        size = data.draw(st.integers(1, 80))
        found += answers.feed(STREAM[at : at + size])
        at += size
    assert [(each.status, each.reason, each.last) for each in found] == [
        (200, "OK", False),
        (503, "Busy now", False),
        (204, "", True),
    ]
    assert found[1].headers["retry-after"] == "7"


def test_an_answer_of_http_1_0_is_the_last() -> None:
    assert Answers().feed(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")[0].last


@pytest.mark.parametrize(
    "said",
    [
        b"1 rsp 6 200 OK\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * LONGEST_HEAD,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * LONGEST_HEAD + b"\r\n\r\n",
        CHUNKED + b"xyz\r\n",
        CHUNKED + b"3\r\nabcde\r\n",
        CHUNKED + b"3\r\nabc\r\n" * 200_000,
    ],
)
def test_what_is_no_answer_is_told_so(said: bytes) -> None:
    with pytest.raises(AnswerInvalid):
        Answers().feed(said)
