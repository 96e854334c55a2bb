from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.web.http1 import (
    EMPTY_LINES,
    FIELDS,
    HEAD_BYTES,
    LINE_BYTES,
    BadRequest,
    Head,
    HeadReader,
    parse_head,
)
from tests.web.refused import HEADS, get


def heads_of(*segments: bytes) -> list[Head | int]:
    """The heads that come in these segments, bodies left out, and the status that ends them."""
    reader, found = HeadReader(), list[Head | int]()
    try:
        for segment in segments:
            rest = segment
            while (raw := reader.feed(rest)) is not None:
                found.append(parse_head(raw))
                rest = reader.rest
    except BadRequest as refusal:
        found.append(refusal.status)
    return found


def head_of(raw: bytes) -> Head:
    (head,) = heads_of(raw)
    assert isinstance(head, Head)
    return head


def cut(raw: bytes, *places: int) -> list[bytes]:
    ends = sorted({place % (len(raw) + 1) for place in places} | {len(raw)})
    return [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(("raw", "status"), [row[1:] for row in HEADS], ids=[r[0] for r in HEADS])
def test_what_is_refused_is_refused_however_it_comes(raw: bytes, status: int) -> None:
    assert heads_of(raw) == [status]
    assert heads_of(*(raw[at : at + 1] for at in range(len(raw)))) == [status]
    assert heads_of(*cut(raw, len(raw) // 2)) == [status]


def test_a_head_is_taken_apart() -> None:
    fields = b"Host: x:80\r\nA:  b \t\r\na: \xe4\r\nE:\r\nContent-Length: 07\r\n\r\n"
    head = head_of(b"POST /a?b HTTP/1.1\r\n" + fields)
    assert (head.method, head.target, head.version) == (b"POST", b"/a?b", b"HTTP/1.1")
    assert head.fields == (
        *((b"Host", b"x:80"), (b"A", b"b"), (b"a", b"\xe4"), (b"E", b"")),
        (b"Content-Length", b"07"),
    )
    assert head.values[b"a"] == b"b, \xe4"
    assert head.length == 7
    assert head.keep_alive
    assert not head.expects_continue
    assert not head.upgrade


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        (b"", 0),
        (b"Content-Length: 0\r\n", 0),
        (b"Content-Length: 3\t \r\n", 3),
        (b"content-LENGTH:3\r\n", 3),
        (b"Content-Length: 999999999999999999\r\n", 999999999999999999),
        (b"Transfer-Encoding: chunked\r\n", None),
        (b"transfer-encoding:\tCHUNKED \r\n", None),
        (b"A: Transfer-Encoding: chunked\r\n", 0),
    ],
)
def test_a_head_tells_how_long_its_body_is(fields: bytes, length: int | None) -> None:
    assert head_of(get(fields, b"POST")).length == length


@pytest.mark.parametrize(
    ("version", "fields", "stays"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: Keep-Alive, CLOSE\r\n", False),
        (b"1.1", b"Connection: a\r\nconnection: close\r\n", False),
        (b"1.1", b"Connection: closed\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_a_head_tells_whether_the_connection_stays(
    version: bytes, fields: bytes, stays: bool
) -> None:
    raw = b"GET / HTTP/" + version + b"\r\nHost: x\r\n" + fields + b"\r\n"
    assert head_of(raw).keep_alive is stays


@pytest.mark.parametrize("method", [b"BREW", b"get", b"DESCRIBE", b"M-SEARCH", b"PRI", b"!"])
def test_a_method_may_be_one_that_nobody_knows(method: bytes) -> None:
    assert head_of(get(b"", method=method)).method == method


def test_nothing_follows_connect() -> None:
    head = head_of(b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n")
    assert (head.target, head.keep_alive) == (b"x:443", False)


@pytest.mark.parametrize(
    ("raw", "expects"),
    [
        (get(b"Expect: 100-Continue\r\nContent-Length: 1\r\n"), True),
        (get(b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"), True),
        (get(b"Expect: 100-continue\r\n"), False),
        (b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", False),
        (b"POST / HTTP/1.0\r\nExpect: anything\r\n\r\n", False),
    ],
)
def test_a_continue_is_expected_for_a_body_of_http_1_1(raw: bytes, expects: bool) -> None:
    assert head_of(raw).expects_continue is expects


def test_an_upgrade_is_asked_for_by_two_fields() -> None:
    assert head_of(get(b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n")).upgrade
    assert not head_of(get(b"Upgrade: websocket\r\n")).upgrade
    assert not head_of(get(b"Connection: Upgrade\r\n")).upgrade


def test_the_host_of_an_absolute_target_takes_the_place_of_host() -> None:
    head = head_of(get(b"A: b\r\n", target=b"HTTP://y:81?q"))
    assert head.fields == ((b"Host", b"y:81"), (b"A", b"b"))
    assert head.values[b"host"] == b"y:81"
    assert head.target == b"HTTP://y:81?q"
    assert head_of(b"GET http://y/ HTTP/1.0\r\n\r\n").values[b"host"] == b"y"


@pytest.mark.parametrize(
    "host", [b"x", b"a.b:8080", b"127.0.0.1", b"[::1]:80", b"a_b", b"x:", b"a%20b", b"[::1]"]
)
def test_a_host_may_be_a_name_or_an_address(host: bytes) -> None:
    assert head_of(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").values[b"host"] == host


def test_http_1_0_needs_no_host() -> None:
    assert head_of(b"GET / HTTP/1.0\r\n\r\n").values == {}


def test_what_is_just_within_the_bounds_is_taken() -> None:
    line = b"GET /" + b"x" * (LINE_BYTES - 14) + b" HTTP/1.1"
    host = b"Host: x"
    full = b"A: " + b"x" * (LINE_BYTES - 3)
    so_far = b"\r\n".join((line, host, full, full))
    left = HEAD_BYTES - len(so_far) - len(b"\r\n" * 3)
    raw = b"\r\n".join((so_far, b"B: " + b"x" * (left - 3), b"", b""))
    assert (len(line), len(full), len(raw)) == (LINE_BYTES, LINE_BYTES, HEAD_BYTES)
    assert len(head_of(raw).fields) == 4
    assert heads_of(*(raw[at : at + 1] for at in range(len(raw)))) == heads_of(raw)
    assert heads_of(raw[:-4] + b"x\r\n\r\n") == [431]
    assert len(head_of(get(b"A: b\r\n" * (FIELDS - 1))).fields) == FIELDS


def test_empty_lines_before_a_request_are_skipped() -> None:
    raw = b"\r\n" * EMPTY_LINES + get(b"")
    assert heads_of(raw) == heads_of(get(b"")) == heads_of(*(raw[at : at + 1] for at in range(99)))


def test_a_part_of_a_head_has_begun_and_tells_its_first_line() -> None:
    reader = HeadReader()
    assert reader.feed(b"\r\n\r") is None
    assert reader.feed(b"\n") is None
    begun = [reader.begun]
    assert reader.feed(b"GET / HTT") is None
    begun.append(reader.begun)
    assert reader.first_line == b"GET / HTT"
    assert reader.feed(b"P/1.1\r\nHost: x\r\n\r") is None
    assert reader.first_line == b"GET / HTTP/1.1"
    assert reader.feed(b"\nrest") == get(b"")
    assert reader.rest == b"rest"
    assert [*begun, reader.begun] == [False, True, False]


PARTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /x HTTP/1.0\r\n",
        b"GET / HTTP/3.0\r\n",
        b"BREW / HTTP/1.1\r\n",
        b"Host: x\r\n",
        b"A: " + b"x" * 8180,
        b"B: c\r\n" * 99,
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b" folded\r\n",
        b"\r\n",
        b"\r",
        b"\n",
        b"\0",
        b"xxxxxxxx",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.binary(max_size=12) | PARTS, max_size=14).map(b"".join),
    st.lists(st.integers(0, 50_000), max_size=12),
)
def test_any_bytes_in_any_segments_say_the_same(raw: bytes, places: list[int]) -> None:
    assert heads_of(*cut(raw, *places)) == heads_of(raw)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_a_mutated_head_is_read_or_refused(noise: bytes) -> None:
    for found in heads_of(b"GET / HTTP/1.1\r\nHost: x\r\n" + noise + b"\r\n\r\n"):
        assert isinstance(found, Head) or found in (400, 414, 417, 431, 501, 505)
