from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.bodies import CHUNKS_AT_ONCE, Body, ChunkedBody, LengthBody, body_of
from proto.web.http1 import BadRequest
from tests.web.refused import CHUNKS


def read(body: Body, *segments: bytes) -> tuple[bytes, bytes]:
    """What came of the body, and what came behind it."""
    got, behind = b"", b""
    for segment in segments:
        if body.done:
            behind += segment
            continue
        piece, used = body.feed(segment)
        got += piece
        behind += segment[used:]
    return got, behind


def bytewise(raw: bytes) -> list[bytes]:
    return [raw[at : at + 1] for at in range(len(raw))]


def test_a_body_with_a_length_ends_there() -> None:
    body = LengthBody(3)
    assert body.announced == 3
    assert [body.feed(b"ab"), body.done] == [(b"ab", 2), False]
    assert [body.feed(b"cde"), body.done] == [(b"c", 1), True]
    assert LengthBody(0).done


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"003\r\nabc\r\n000\r\n\r\n", b"abc"),
        (b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", b"01234567890123456789a"),
        (b'3;a="b;c" ;d\r\nabc\r\n0;e\r\n\r\n', b"abc"),
        (b"3 ;a\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"3\r\nabc\r\n0\r\nX-Sum: 5\r\nHosts: y\r\n\r\n", b"abc"),
    ],
)
def test_chunks_are_joined_and_trailers_dropped(raw: bytes, content: bytes) -> None:
    assert read(ChunkedBody(), raw + b"GET") == (content, b"GET")
    assert read(ChunkedBody(), *bytewise(raw + b"GET")) == (content, b"GET")


@pytest.mark.parametrize(("raw", "status"), [r[1:] for r in CHUNKS], ids=[r[0] for r in CHUNKS])
def test_chunks_that_are_not_to_the_letter_are_refused(raw: bytes, status: int) -> None:
    for segments in ([raw], bytewise(raw)):
        body = ChunkedBody()
        with pytest.raises(BadRequest) as refusal:
            read(body, *segments)
        assert refusal.value.status == status
        assert not body.done


def test_a_chunk_announces_its_size_before_it_comes() -> None:
    body = ChunkedBody()
    body.feed(b"3\r\nabc\r\nFFFF\r\n")
    assert body.announced == 3 + 0xFFFF


def test_a_head_without_length_has_chunks() -> None:
    assert isinstance(body_of(None), ChunkedBody)
    assert isinstance(body_of(3), LengthBody)


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    st.lists(st.integers(0, 500), max_size=8),
)
def test_chunks_in_any_segments_give_the_same_body(chunks: list[bytes], places: list[int]) -> None:
    raw = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n+"
    ends = sorted({place % (len(raw) + 1) for place in places} | {len(raw)})
    segments = [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert read(ChunkedBody(), *segments) == (b"".join(chunks), b"+")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_body_or_refused(raw: bytes) -> None:
    try:
        got, behind = read(ChunkedBody(), raw)
    except BadRequest:
        return
    assert len(got) + len(behind) <= len(raw)


def test_so_many_chunks_are_taken_at_once_and_no_more() -> None:
    body = ChunkedBody()
    data = b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n"
    got = b""
    turns = 0
    while not body.done:
        piece, used = body.feed(data)
        assert 0 < len(piece) <= CHUNKS_AT_ONCE or body.done
        got, data, turns = got + piece, data[used:], turns + 1
    assert (got, data) == (b"x" * 1000, b"")
    assert turns >= 1000 // CHUNKS_AT_ONCE
