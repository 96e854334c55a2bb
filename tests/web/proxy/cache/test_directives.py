from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.proxy.cache.directives import (
    MOST,
    members,
    names_in,
    number_of,
    parse_directives,
    seconds,
)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"max-age=5"], 5),
        ([b"MaX-AgE=5"], 5),
        ([b" max-age=5 ,,"], 5),
        ([b'max-age="5"'], 5),
        ([b"max-age=005"], 5),
        ([b"max-age=2147483647"], 2147483647),
        ([b"max-age=2147483648"], MOST),
        ([b"max-age=99999999999999999999999"], MOST),
        ([b"max-age=" + b"9" * 8000], MOST),
        ([b"max-age=1800, max-age=1"], 1),
        ([b"max-age=1", b"max-age=1800"], 1),
        ([b"max-age=1, max-age=x"], 0),
        ([b'extension="max-age=3600", max-age=1'], 1),
        ([b'max-age=1, extension="max-age=3600"'], 1),
        ([b'extension="\\"max-age=3600", max-age=1'], 1),
        # No number: as good as stale.
        ([b"max-age"], 0),
        ([b"max-age="], 0),
        ([b"max-age=-5"], 0),
        ([b"max-age=3600.0"], 0),
        ([b"max-age=a3600"], 0),
        ([b"max-age=3600a"], 0),
        ([b"max-age='3600'"], 0),
        ([b"max-age =3600"], 0),
        ([b"max-age= 3600"], 0),
        ([b"max-age=\xb2"], 0),
        # None at all.
        ([], None),
        ([b""], None),
        ([b"xmax-age=5, =5, max-age2=5"], None),
        ([b'extension="max-age=5"'], None),
    ],
)
def test_a_number_of_seconds_is_read_as_the_rfc_has_it(
    lines: list[bytes], expected: int | None
) -> None:
    assert seconds(parse_directives(lines), b"max-age") == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"private", frozenset()),
        (b"Private=", frozenset()),
        (b'private=""', frozenset()),
        (b'private="Set-Cookie"', {b"set-cookie"}),
        (b"private=Set-Cookie", {b"set-cookie"}),
        (b'private="a, B"', {b"a", b"b"}),
        (b'private="a", private="b"', {b"a", b"b"}),
        (b'private="a", private', frozenset()),
        (b'private="a, b, max-age=5', {b"a"}),  # the quote is never closed
        (b"max-age=5", None),
    ],
)
def test_private_is_of_all_or_of_the_fields_that_it_names(
    line: bytes, expected: frozenset[bytes] | None
) -> None:
    assert names_in(parse_directives([line]), b"private") == expected


def test_an_open_quote_hides_no_directive() -> None:
    assert b"no-store" in parse_directives([b'ext="x, no-store'])


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_whatever_comes_is_read(lines: list[bytes]) -> None:
    found = parse_directives(lines)
    for name in found:
        assert name == name.lower()
        told = seconds(found, name)
        assert told is not None
        assert 0 <= told <= MOST


@given(
    st.lists(
        st.from_regex(rb'[a-z]+(="[a-z, \\]*")?', fullmatch=True).filter(
            lambda each: b"\\" not in each
        ),
        max_size=5,
    )
)
def test_members_come_back_as_they_were_joined(parts: list[bytes]) -> None:
    assert members(b" , ".join(parts)) == parts


def test_a_long_line_of_quotes_is_read_in_no_time() -> None:
    assert members(b'"\\' * 100_000) == [b'"\\' * 100_000]


@given(st.integers(0, 2**40))
def test_numbers_end_at_the_largest(number: int) -> None:
    assert number_of(b"%d" % number) == min(number, MOST)
