from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.prefix import Prefix, parts_of
from proto.web.target import BadTarget, parse_target


def covers(prefix: str, target: bytes) -> bool:
    return Prefix.parse(prefix).covers(parts_of(parse_target(target).segments))


@pytest.mark.parametrize(
    "target",
    [
        b"/private",
        b"/private/",
        b"/private?x=1",
        b"/private/a/b",
        b"//private/a",
        b"///private//a",
        b"/%70rivate",
        b"/private%2fa",
        b"/%2fprivate",
        b"/%2f%2Fprivate%2f",
        b"/PRIVATE/a",
        b"/Private",
        b"http://host/private",
        b"HTTPS://host//private/a",
        b"/private;x/a",
        b"/private;x=1",
        b"/private%3Bx",
        b"/private\\a",
        b"\\private".replace(b"\\", b"/%5c"),
        b"/private%20/a",
        b"/private./a",
    ],
)
def test_a_path_is_covered_whatever_way_it_is_spelt(target: bytes) -> None:
    assert covers("/private", target)


@pytest.mark.parametrize(
    "target", [b"/", b"/privat", b"/privateer", b"/a/private", b"/private%00x", b"/;private"]
)
def test_other_paths_are_not_covered(target: bytes) -> None:
    try:
        assert not covers("/private", target)
    except BadTarget:
        assert b"%00" in target


def test_the_root_covers_everything() -> None:
    assert all(covers("/", target) for target in (b"/", b"//", b"/a", b"/a/b/", b"/%ff"))


def test_letters_that_are_written_in_two_ways_are_one() -> None:
    for target in ("/caf\u00e9", "/cafe\u0301", "/CAF\u00c9", "/CAFE\u0301/x"):
        assert covers("/caf\u00e9", target.encode())
    assert covers("/caf%C3%A9", "/caf\u00e9".encode())
    assert covers("/stra\u00dfe", b"/STRASSE")


def test_bytes_that_are_no_utf_8_can_be_covered_too() -> None:
    assert covers("/%ff", b"/%FF/x")
    assert not covers("/%ff", b"/%fe")


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=4))
def test_a_path_covers_itself_and_what_is_below_it(segments: list[bytes]) -> None:
    parts = parts_of(segments)
    prefix = Prefix("any", parts)
    assert prefix.covers(parts)
    assert prefix.covers(parts_of([*segments, b"more"]))
    assert prefix.covers(parts_of([b"", *segments, b""]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin with a slash"),
        ("private", "begin with a slash"),
        ("/a/../b", "dot segments"),
        ("/%zz", "percent sign"),
        ("/a?b", "query"),
        ("/a?", "query"),
        ("/%00", "NUL"),
    ],
)
def test_a_path_that_makes_no_sense_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Prefix.parse(text)
