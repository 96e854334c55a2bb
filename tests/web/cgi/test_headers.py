from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.cgi.headers import MAX_FIELDS, MAX_HEAD, Head, HeadReader, Malformed, parse_head

TYPE = b"Content-Type: text/plain\n"


def read(*pieces: bytes) -> tuple[Head | None, bytes]:
    reader = HeadReader()
    for place, piece in enumerate(pieces, 1):
        head = reader.feed(piece)
        if head is not None:
            return head, reader.rest + b"".join(pieces[place:])
    return None, b""


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_head_ends_at_an_empty_line(end: bytes) -> None:
    raw = b"Content-Type: text/html" + end + b"X-A: 1" + end + end + b"\nbody"
    head = Head(200, b"OK", ((b"X-A", b"1"),), b"text/html", None)
    assert read(raw) == (head, b"\nbody")
    assert read(*(raw[place : place + 1] for place in range(len(raw)))) == (head, b"\nbody")


def test_ends_of_lines_may_be_mixed() -> None:
    head, rest = read(b"A: 1\r\nContent-Type: x/y\n\r\nbody")
    assert head is not None
    assert (head.fields, head.content_type, rest) == (((b"A", b"1"),), b"x/y", b"body")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Content-Type:text/plain", (200, b"OK", b"text/plain", None, False, None)),
        (b"Status: 404", (404, b"Not Found", None, None, False, None)),
        (b"Status: 404 Gone fishing", (404, b"Gone fishing", None, None, False, None)),
        (b"status: 299", (299, b"Answer", None, None, False, None)),
        (b"Content-Length: 5\nStatus: 200 OK", (200, b"OK", None, 5, False, None)),
        (b"Location: http://a/b#c", (302, b"Found", None, None, True, None)),
        (b"Location: x.html", (302, b"Found", None, None, True, None)),
        (b"Location: //a/b", (302, b"Found", None, None, True, None)),
        (b"Location: /a#b", (302, b"Found", None, None, True, None)),
        (b"Location: /a?b=/../c", (302, b"Found", None, None, True, b"/a?b=/../c")),
        (b"LOCATION: /\nX-CGI-A: 1\nDate: x", (302, b"Found", None, None, True, b"/")),
        (b"Location: /a\nSet-Cookie: b=c", (302, b"Found", None, None, True, None)),
        (b"Location: /a\nContent-Type: a/b", (302, b"Found", b"a/b", None, True, None)),
        (b"Status: 303 See\nLocation: /a", (303, b"See", None, None, True, None)),
        (b"Status: 201 Made\nLocation: /a", (201, b"Made", None, None, False, None)),
    ],
)
def test_what_a_head_says(raw: bytes, expected: tuple[Any, ...]) -> None:
    head = parse_head(raw)
    found = (head.status, head.phrase, head.content_type, head.length, head.is_redirect, head.local)
    assert found == expected


def test_fields_are_passed_on_in_their_order_but_for_those_that_are_not_its_business() -> None:
    head = parse_head(
        b"Set-Cookie: a=1\nConnection: close\nKeep-Alive: 1\nServer: x\nDate: y\nTE: x\n"
        b"Trailer: x\nUpgrade: h2c\nProxy-Connection: x\nX-CGI-Cache: z\nSet-Cookie: b=2\n"
        b"X-Empty:\nX-Tab:\ta\tb \nX-Latin: \xe9"
    )
    assert head.fields == (
        (b"Set-Cookie", b"a=1"),
        (b"Set-Cookie", b"b=2"),
        (b"X-Empty", b""),
        (b"X-Tab", b"a\tb"),
        (b"X-Latin", b"\xe9"),
    )


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "no field"),
        (b"hello", "is no field"),
        (b"HTTP/1.1 200 OK\nA: b", "is no field"),
        (b"A: b\n folded", "is no field"),
        (b"A : b", "is no field"),
        (b": b", "is no field"),
        (b"A b: c", "is no field"),
        (b"\xe9: c", "is no field"),
        (b"A\r: b", "is no field"),
        (b"A: b\rB: c", "control character"),
        (b"A: b\r\r", "control character"),
        (b"A: \0", "control character"),
        (b"A: \x07", "control character"),
        (b"A: \x7f", "control character"),
        (b"Status: 200\nStatus: 200", "status twice"),
        (b"Location: /\nlocation: /", "location twice"),
        (TYPE + TYPE.strip(), "content-type twice"),
        (b"Content-Length: 1\nContent-Length: 1", "content-length twice"),
        (b"Transfer-Encoding: chunked", "Transfer-Encoding"),
        (b"Status: 100", "Status"),
        (b"Status: 101 Switching", "Status"),
        (b"Status: 600", "Status"),
        (b"Status: 99", "Status"),
        (b"Status: 2000", "Status"),
        (b"Status: OK", "Status"),
        (b"Status:", "Status"),
        (b"Status: 200OK", "Status"),
        (b"Status: 200 \xe9", "Status"),
        (b"Content-Length: -1", "Content-Length"),
        (b"Content-Length: +1", "Content-Length"),
        (b"Content-Length: 1, 1", "Content-Length"),
        (b"Content-Length: 0x1", "Content-Length"),
        (b"Content-Length:", "Content-Length"),
        (b"Content-Length: " + b"9" * 19, "Content-Length"),
        (b"Content-Type:", "Content-Type is empty"),
        (b"Location:", "no URI"),
        (b"Location: a b", "no URI"),
        (b"Location: /\xe9", "no URI"),
        (b"Location: /../x", "no path"),
        (b"Location: /%zz", "no path"),
        (b"Location: /%00", "no path"),
    ],
)
def test_what_is_no_head(raw: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse_head(raw)


def test_a_head_has_so_many_fields() -> None:
    assert len(parse_head(b"\n".join([b"A: b"] * MAX_FIELDS)).fields) == MAX_FIELDS
    with pytest.raises(Malformed, match="more than 100 fields"):
        parse_head(b"\n".join([b"A: b"] * (MAX_FIELDS + 1)))


def test_a_head_has_so_many_bytes() -> None:
    longest = b"A: " + b"x" * (MAX_HEAD - 5) + b"\n\n"
    assert len(longest) == MAX_HEAD
    assert read(longest + b"y") != (None, b"")
    with pytest.raises(Malformed, match="longer than"):
        read(b"A" + longest)
    with pytest.raises(Malformed, match="longer than"):
        read(b"x" * MAX_HEAD, b"x")


def test_a_script_that_ends_too_early() -> None:
    reader = HeadReader()
    assert str(reader.end()) == "it said nothing"
    assert reader.feed(TYPE) is None
    assert "before the empty line" in str(reader.end())


def outcome(pieces: Sequence[bytes]) -> tuple[object, bytes]:
    try:
        return read(*pieces)
    except Malformed as malformed:
        return str(malformed), b""


LIKELY = st.sampled_from(
    [b"Content-Type: a/b", b"Status: 404 No", b"Location: /x", b"A: b", b":", b"\n", b"\r", b"\r\n"]
)


@given(
    st.lists(st.one_of(st.binary(max_size=40), LIKELY), max_size=12).map(b"".join),
    st.lists(st.integers(0, 300), max_size=8),
)
def test_any_split_of_any_bytes_is_understood_alike(raw: bytes, places: list[int]) -> None:
    cuts = [0, *sorted(min(place, len(raw)) for place in places), len(raw)]
    pieces = [raw[start:end] for start, end in pairwise(cuts)]
    assert outcome(pieces) == outcome([raw])
