from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proto.web.proxy.asking import expects_continue, framed, head_of, length_of, may_repeat
from proto.web.proxy.messages import Ask
from proto.web.response import HTTPError


async def body() -> AsyncIterator[bytes]:
    yield b"abc"


def test_a_head_is_written_as_it_is() -> None:
    ask = Ask(b"GET", b"/x?y", [(b"Host", b"a"), (b"Accept", b"*/*")])
    assert head_of(ask, b"", False) == b"GET /x?y HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"


def test_a_server_may_be_told_its_own_name() -> None:
    ask = Ask(b"GET", b"/", [(b"Host", b"a"), (b"Accept", b"*/*")])
    assert head_of(ask, b"b:1", False) == b"GET / HTTP/1.1\r\nHost: b:1\r\nAccept: */*\r\n\r\n"


def test_chunks_are_announced() -> None:
    head = head_of(Ask(b"PUT", b"/", [(b"Host", b"a")], body()), b"", True)
    assert head == b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert framed(b"abc", True) == b"3\r\nabc\r\n"
    assert framed(b"abc", False) == b"abc"


def test_nothing_is_no_chunk_for_that_would_be_the_last() -> None:
    assert framed(b"", True) == framed(b"", False) == b""


@pytest.mark.parametrize("value", [b"a\r\nB: c", b"a\nB: c", b"a\rB", b"a\0"])
def test_nothing_that_would_end_a_line_is_sent(value: bytes) -> None:
    for ask in (Ask(b"GET", b"/", [(b"A", value)]), Ask(b"GET", b"/" + value, [])):
        with pytest.raises(HTTPError) as caught:
            head_of(ask, b"", False)
        assert caught.value.status == 400


def test_the_length_is_what_the_request_says() -> None:
    assert length_of(Ask(b"PUT", b"/", [(b"content-length", b"12")])) == 12
    assert length_of(Ask(b"PUT", b"/", [])) is None


def test_only_a_request_with_a_body_expects_to_be_asked_for_it() -> None:
    fields = [(b"Expect", b"100-continue")]
    assert expects_continue(Ask(b"PUT", b"/", fields, body()))
    assert not expects_continue(Ask(b"PUT", b"/", fields))
    assert not expects_continue(Ask(b"PUT", b"/", [], body()))


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"])
def test_what_does_the_same_twice_may_be_repeated(method: bytes) -> None:
    assert may_repeat(Ask(method, b"/", []), True, False)
    assert not may_repeat(Ask(method, b"/", []), True, True)


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"PROPFIND"])
def test_anything_else_only_if_nothing_was_sent(method: bytes) -> None:
    assert not may_repeat(Ask(method, b"/", []), True, False)
    assert may_repeat(Ask(method, b"/", []), False, False)
