from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.proxy.cache.memcachedwire import (
    MOST_LINE,
    MOST_VALUE,
    Answers,
    BadAnswer,
    Found,
    delete,
    get,
    put,
)


def test_commands_are_written_as_the_protocol_has_them() -> None:
    assert get(b"k") == b"get k\r\n"
    assert put(b"k", b"a\r\nb", 60) == b"set k 0 60 4\r\na\r\nb\r\n"
    assert delete(b"k") == b"delete k\r\n"


def value(data: bytes) -> bytes:
    return b"VALUE k 0 %d\r\n%b\r\nEND\r\n" % (len(data), data)


def test_answers_are_told_apart() -> None:
    sent = b"END\r\nSTORED\r\nSERVER_ERROR object too large for cache\r\n" + value(b"x\r\nEND\r\n")
    sent += b"NOT_FOUND\r\n" + value(b"") + b"DELETED\r\n"
    answers = list(Answers().feed(sent))
    assert answers == [
        b"END", b"STORED", b"SERVER_ERROR", b"x\r\nEND\r\n", b"NOT_FOUND", b"", b"DELETED",
    ]  # fmt: skip
    assert [isinstance(each, Found) for each in answers] == [
        False, False, False, True, False, True, False,
    ]  # fmt: skip


@given(st.lists(st.binary(max_size=30)), st.integers(1, 7))
def test_it_does_not_matter_how_they_are_cut(values: list[bytes], step: int) -> None:
    sent = b"".join(b"STORED\r\n" + value(each) for each in values)
    answers = Answers()
    got = [
        each
        for place in range(0, len(sent), step)
        for each in answers.feed(sent[place : place + step])
    ]
    assert got == [each for data in values for each in (b"STORED", data)]


@pytest.mark.parametrize(
    "sent",
    [
        b"x" * MOST_LINE,
        b"\r\n",
        b"VALUE k 0 1\r\nxx\r\nEND\r\n",
        b"VALUE k 0 1\r\nx\r\nSTORED\r\n",
        b"VALUE k 0 1\r\nx\r\nVALUE k 0 1\r\n",
        b"VALUE k 0 %d\r\n" % (MOST_VALUE + 1),
    ],
)
def test_what_is_no_answer_is_refused(sent: bytes) -> None:
    with pytest.raises(BadAnswer):
        list(Answers().feed(sent))


@given(st.lists(st.binary()))
def test_whatever_comes_is_an_answer_or_none(sent: list[bytes]) -> None:
    answers = Answers()
    with suppress(BadAnswer):
        for each in sent:
            assert all(isinstance(answer, bytes) for answer in answers.feed(each))
