from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.ranges import Span, Unsatisfiable, length_of, multipart, parse_ranges


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-0", (Span(0, 1),)),
        ("bytes=2-4", (Span(2, 3),)),
        ("bytes=9-", (Span(9, 1),)),
        ("bytes=0-99999999999999999999999", (Span(0, 10),)),
        ("bytes=-3", (Span(7, 3),)),
        ("bytes=-20", (Span(0, 10),)),
        ("bytes=0-1,4-5", (Span(0, 2), Span(4, 2))),
        ("bytes= 0-1 ,, -2 ", (Span(0, 2), Span(8, 2))),
        ("bytes=8-9,50-60", (Span(8, 2),)),
        ("BYTES=0000000000000000000000001-1", (Span(1, 1),)),
    ],
)
def test_ranges_of_ten_bytes(header: str, spans: tuple[Span, ...]) -> None:
    assert parse_ranges(header, 10) == spans


@pytest.mark.parametrize(
    "header",
    [
        "",
        "lines=0-1",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1-0",
        "bytes=0-1,1-0",
        "bytes=+1-2",
        "bytes=1 - 2",
        "bytes=²-3",
        "bytes=" + ",".join(["0-0"] * 17),
        "bytes=0-9,0-0",
        "bytes=0-,-10",
    ],
)
def test_the_whole_file_is_the_better_answer(header: str) -> None:
    assert parse_ranges(header, 10) is None


def test_sixteen_ranges_are_not_too_many() -> None:
    assert parse_ranges("bytes=" + ",".join(["0-0"] * 16), 16) == (Span(0, 1),) * 16


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=-5", 0),
        ("bytes=" + "9" * 5000 + "-", 10),
    ],
)
def test_what_lies_behind_the_end_is_unsatisfiable(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        parse_ranges(header, size)


def test_content_range_counts_from_zero_and_includes_the_last() -> None:
    assert Span(2, 3).content_range(10) == "bytes 2-4/10"


def test_several_ranges_are_framed_as_multipart() -> None:
    pieces = multipart((Span(0, 2), Span(8, 2)), 10, "text/plain", "XX")
    assert pieces == (
        b"--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n",
        Span(0, 2),
        b"\r\n--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n",
        Span(8, 2),
        b"\r\n--XX--\r\n",
    )
    assert length_of(pieces) == sum(map(len, pieces[0::2])) + 4


@given(
    st.text(max_size=40) | st.text("0123456789-, ", max_size=40).map("bytes=".__add__),
    st.integers(0, 30),
)
def test_any_header_gives_spans_inside_the_file_or_none(header: str, size: int) -> None:
    try:
        spans = parse_ranges(header, size)
    except Unsatisfiable:
        return
    for span in spans or ():
        assert 0 <= span.start < span.start + span.length <= size
    assert length_of(spans or ()) <= size
