from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.target import BadTarget, Target, parse_target


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        (b"/", (b"",)),
        (b"/a", (b"a",)),
        (b"/a/", (b"a", b"")),
        (b"/a/b.txt", (b"a", b"b.txt")),
        (b"/a%20b", (b"a b",)),
        (b"/%252e%252e/x", (b"%2e%2e", b"x")),
        (b"/a\\..\\b", (b"a\\..\\b",)),
        (b"/%5c..%5c", (b"\\..\\",)),
        (b"/%c0%ae", (b"\xc0\xae",)),
        (b"/%ff", (b"\xff",)),
        (b"//evil", (b"", b"evil")),
        (b"/...", (b"...",)),
        (b"/a%2Fb", (b"a/b",)),
    ],
)
def test_segments_are_decoded_exactly_once(raw: bytes, segments: tuple[bytes, ...]) -> None:
    assert parse_target(raw).segments == segments


def test_the_query_is_kept_as_it_came() -> None:
    assert parse_target(b"/a%20b?x=%2e%2e&y?") == Target(b"/a%20b", b"x=%2e%2e&y?", (b"a b",))


@pytest.mark.parametrize(
    "raw",
    [
        b"/../x",
        b"/a/..",
        b"/%2e%2e/x",
        b"/%2E./x",
        b"/..%2fetc",
        b"/a%2f..%2fb",
        b"/./x",
        b"/..;/x",
        b"/a/..;x=1/b",
        b"/.;",
        b"/%2e%2e%3Bx",
        b"/%00",
        b"/x%00.html",
        b"/%zz",
        b"/%",
        b"/%4",
        b"",
        b"x",
        b"*",
        b"example.org:443",
        b"ftp://host/x",
        b"http:/x",
    ],
)
def test_what_is_malformed_or_climbs_is_refused(raw: bytes) -> None:
    with pytest.raises(BadTarget):
        parse_target(raw)


@pytest.mark.parametrize(
    ("raw", "path", "query"),
    [
        (b"http://host/a?b", b"/a", b"b"),
        (b"HTTPS://user@host:1/a", b"/a", b""),
        (b"http://host", b"/", b""),
        (b"http://host?q=1", b"/", b"q=1"),
    ],
)
def test_an_absolute_target_loses_its_authority(raw: bytes, path: bytes, query: bytes) -> None:
    target = parse_target(raw)
    assert (target.path, target.query) == (path, query)


@given(st.binary(max_size=40) | st.text("/.%02eEfF5cC\\?a", max_size=30).map(str.encode))
def test_any_bytes_are_decoded_or_refused_and_never_climb(raw: bytes) -> None:
    try:
        target = parse_target(raw)
    except BadTarget:
        return
    for segment in target.segments:
        assert b"\0" not in segment
        assert not {b".", b".."} & set(segment.split(b"/"))
