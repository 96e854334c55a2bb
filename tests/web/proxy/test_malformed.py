"""Servers that lie, in memory: nothing of it looks like an answer."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.proxy.scripted import OK, Proxied, values

HEADS = {
    "a bare LF behind the status line": b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    "bare LFs": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/0.9": b"<html>ok</html>",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "a length below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "an endless length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\nok",
    "a length and a coding": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    "two codings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded field": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "no colon": b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 2\r\n\r\nok",
    "a bare CR": b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\nContent-Length: 2\r\n\r\nok",
    "an upgrade unasked": b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n",
    "endless fields": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 6000,
    "an endless field": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 33_000,
    "an endless status line": b"HTTP/1.1 200 " + b"b" * 33_000,
    "interim answers for ever": b"HTTP/1.1 103 Early\r\n\r\n" * 17,
}


def pieces(raw: bytes, cuts: list[int]) -> list[bytes]:
    """`raw` cut at these places, as far as it has them."""
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    return [raw[a:b] for a, b in pairwise(places)]


def is_refused(raw: bytes, cuts: list[int]) -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    end = proxied.servers.last
    for piece in pieces(raw, cuts):
        if not end.is_closed:
            end.say(piece)
    told = client.heard
    assert told.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert told.count(b"HTTP/1.1") == 1
    assert not values(told, b"a")
    assert end.is_closed
    assert proxied.active == 0
    assert proxied.upstreams.group.members[0].failures == 1


@pytest.mark.parametrize("raw", HEADS.values(), ids=HEADS)
def test_what_is_no_answer_is_502_and_nothing_of_it_is_passed_on(raw: bytes) -> None:
    is_refused(raw, [])
    is_refused(raw, list(range(0, len(raw), 1 + len(raw) // 200)))


@given(st.sampled_from(list(HEADS.values())), st.lists(st.integers(0, 40_000), max_size=4))
def test_nor_in_whatever_pieces_it_comes(raw: bytes, cuts: list[int]) -> None:
    is_refused(raw, cuts)


BODIES = {
    "a length that is too short": (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"abcdef"),
    "a length that is too long": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"abcdef"),
    "a chunk without an end": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"6\r\nab",
    ),
    "no last chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nab\r\n"),
    "a size that is none": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"x\r\nab"),
    "a chunk that is too long": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"2\r\nabcd\r\n0\r\n\r\n",
    ),
    "more behind the last chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"2\r\nab\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ),
}


def is_complete(told: bytes) -> bool:
    """Whether a client would take this for a whole answer."""
    head, _, body = told.partition(b"\r\n\r\n")
    lengths = values(told, b"content-length")
    if lengths:
        return len(body) == int(lengths[0])
    assert values(head + b"\r\n\r\n", b"transfer-encoding") == [b"chunked"]
    return body.endswith(b"0\r\n\r\n")


def breaks_off(head: bytes, body: bytes, cuts: list[int]) -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    end = proxied.servers.last
    for piece in pieces(head + body, cuts):
        if not end.is_closed:
            end.say(piece)
    if not end.is_closed:
        end.leave()
    told = client.heard
    if told.startswith(b"HTTP/1.1 200 ") and is_complete(told):
        # It was whole before what is too much came.
        assert body in (b"abcdef", b"2\r\nab\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        assert cuts
    else:
        assert told.startswith(b"HTTP/1.1 502 ") or client.is_closed
    assert proxied.active == 0
    assert len(proxied.upstreams.pool) == 0


@pytest.mark.parametrize(("head", "body"), BODIES.values(), ids=BODIES)
def test_an_answer_that_lies_of_its_body_never_looks_complete(head: bytes, body: bytes) -> None:
    breaks_off(head, body, [])
    breaks_off(head, body, list(range(200)))


@given(st.sampled_from(list(BODIES.values())), st.lists(st.integers(0, 200), max_size=6))
def test_nor_in_any_pieces(answer: tuple[bytes, bytes], cuts: list[int]) -> None:
    breaks_off(*answer, cuts)


def test_an_answer_with_more_than_it_says_is_502_when_it_comes_at_once() -> None:
    proxied = Proxied()
    client = proxied.client()
    client.get()
    proxied.servers.last.say(OK + b"more")
    assert client.heard.startswith(b"HTTP/1.1 502 ")
