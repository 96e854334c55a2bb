from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.h2heads import Field, check_trailers, parse_head, request_line
from proto.web.response import HTTPError

GET: Sequence[Field] = (
    (b":method", b"GET"),
    (b":path", b"/"),
    (b":scheme", b"https"),
    (b":authority", b"example.org"),
)
POST = ((b":method", b"POST"), *GET[1:])


def but(**changed: bytes | None) -> list[Field]:
    """GET with other pseudo-fields, or without them."""
    told: dict[bytes, bytes | None] = dict(GET)
    told |= {b":" + name.encode(): value for name, value in changed.items()}
    return [(name, value) for name, value in told.items() if value is not None]


def status_of(headers: Sequence[Field], ended: bool = True) -> int:
    with pytest.raises(HTTPError) as caught:
        parse_head(headers, ended)
    return caught.value.status


def test_a_request_is_what_http_1_would_have_said() -> None:
    head = parse_head([*GET, (b"accept", b"*/*")], True)
    assert (head.method, head.target, head.length) == (b"GET", b"/", 0)
    assert head.fields == [(b"host", b"example.org"), (b"accept", b"*/*")]
    assert not head.expects_continue


def test_host_stands_for_the_authority_when_there_is_none() -> None:
    head = parse_head([*but(authority=None), (b"host", b"a:8080")], True)
    assert head.fields == [(b"host", b"a:8080")]


def test_the_host_is_told_once() -> None:
    assert parse_head([*GET, (b"host", b"example.org")], True).fields == [(b"host", b"example.org")]


@pytest.mark.parametrize(
    "headers",
    [
        but(method=None),
        but(path=None),
        but(scheme=None),
        but(authority=None),
        but(path=b""),
        but(path=b"x"),
        but(path=b"*"),
        but(path=b"/a b"),
        but(path=b"https://example.org/"),
        but(scheme=b"ftp"),
        but(authority=b"a b"),
        but(authority=b"me@example.org"),
        but(authority=b""),
        but(method=b"G T"),
        but(status=b"200"),
        but(protocol=b"websocket"),
        but(other=b"x"),
        [*GET, GET[0]],
        [*GET[1:], (b"accept", b"*/*"), GET[0]],
        [*GET, (b"host", b"other.example")],
        [*GET, (b"Accept", b"*/*")],
        [*GET, (b"", b"x")],
        [*GET, (b"a b", b"x")],
        [*GET, (b"a(", b"x")],
        [*GET, (b"a", b"x\r\ny: z")],
        [*GET, (b"a", b"x\0")],
        [*GET, (b"a", b"\x07")],
        [*GET, (b"a", b"\x7f")],
        [*GET, (b"connection", b"close")],
        [*GET, (b"transfer-encoding", b"chunked")],
        [*GET, (b"upgrade", b"h2c")],
        [*GET, (b"te", b"gzip")],
        [*POST, (b"content-length", b"+3")],
        [*POST, (b"content-length", b"3, 3")],
        [*POST, (b"content-length", b"")],
        [*POST, (b"content-length", b"9" * 5000)],
        [*POST, (b"content-length", b"3"), (b"content-length", b"3")],
        [*POST, (b"content-length", b"3")],  # and no body follows
    ],
    ids=repr,
)
def test_a_malformed_request_is_a_bad_request(headers: Sequence[Field]) -> None:
    assert status_of(headers) == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b":method", b"CONNECT"), (b":authority", b"a:443")], 405),
        (but(method=b"BREW"), 501),
        (but(method=b"get"), 501),
        (but(path=b"/" + b"x" * 8192), 414),
        ([*GET, (b"a", b"x" * 8192)], 431),
        ([*GET, *[(b"a", b"x")] * 97], 431),
        ([*GET, *[(b"a%d" % n, b"x" * 8000) for n in range(5)]], 431),
        ([*GET, (b"expect", b"tea")], 417),
    ],
)
def test_what_is_refused_has_the_status_of_http_1(headers: Sequence[Field], status: int) -> None:
    assert status_of(headers) == status


def test_as_many_and_as_long_fields_as_may_be_are_taken() -> None:
    parse_head([*but(path=b"/" + b"x" * 8191), *[(b"a", b"x")] * 96], True)
    parse_head([*GET, *[(b"a", b"x" * 8000)] * 3], True)


def test_the_length_of_a_body_is_known_or_not() -> None:
    assert parse_head([*POST, (b"content-length", b"3")], False).length == 3
    assert parse_head(POST, False).length is None
    assert parse_head(POST, True).length == 0


def test_a_body_can_wait_to_be_asked_for() -> None:
    assert parse_head([*POST, (b"expect", b"100-Continue")], False).expects_continue


def test_options_may_ask_for_the_server_itself() -> None:
    assert parse_head(but(method=b"OPTIONS", path=b"*"), True).target == b"*"


@pytest.mark.parametrize("name", [b":path", b"host", b"content-length", b"transfer-encoding"])
def test_a_trailer_must_not_change_the_request(name: bytes) -> None:
    with pytest.raises(HTTPError) as caught:
        check_trailers([(b"x-sum", b"1"), (name, b"3")])
    assert caught.value.status == 400


def test_other_trailers_are_dropped() -> None:
    check_trailers([(b"x-sum", b"1")])


def test_the_log_gets_what_is_known_of_a_request_line() -> None:
    assert request_line(but(method=b"BREW", path=b"/pot")) == (b"BREW", b"/pot")
    assert request_line([(b":method", b"CONNECT"), (b":authority", b"a:1")]) == (b"CONNECT", b"a:1")
    assert request_line([]) == (b"-", b"-")
    assert len(request_line(but(path=b"x" * 100_000))[1]) == 8192


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b":method", b":path", b":scheme", b":authority", b"host", b"expect"])
            | st.binary(max_size=6),
            st.sampled_from([b"GET", b"/", b"https", b"a"]) | st.binary(max_size=9),
        )
    ),
    st.booleans(),
)
def test_nothing_else_is_raised(headers: list[Field], ended: bool) -> None:
    request_line(headers)
    with suppress(HTTPError):
        parse_head(headers, ended)
