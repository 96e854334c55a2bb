from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.proxy.replies import (
    BadReply,
    ReplyHeads,
    ReplyReader,
    parse_reply,
)


def read(*pieces: bytes, method: bytes = b"GET") -> tuple[bytes, ReplyReader]:
    reader = ReplyReader(ReplyHeads(), method)
    return b"".join(map(reader.feed, pieces)), reader


def test_a_head_says_what_goes_on_to_the_client() -> None:
    head = parse_reply(
        b"HTTP/1.1 200 All is well\r\nX-A:  b \r\nConnection: X-Hop, Keep-Alive\r\nX-Hop: 1\r\n"
        b"Keep-Alive: timeout=5\r\nContent-Length: 7\r\n\r\n"
    )
    assert (head.status, head.reason) == (200, b"All is well")
    assert head.fields == ((b"X-A", b"b"), (b"Content-Length", b"7"))
    assert (head.length, head.is_chunked, head.keep_alive) == (7, False, True)


@pytest.mark.parametrize(
    ("raw", "keep_alive"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 200\r\n\r\n", True),
        (b"HTTP/1.1 200 \r\n\r\n", True),
    ],
)
def test_a_connection_is_kept_when_the_server_keeps_it(raw: bytes, keep_alive: bool) -> None:
    assert parse_reply(raw).keep_alive is keep_alive


def test_204_has_no_length_whatever_it_says() -> None:
    assert parse_reply(b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n").fields == ()


def test_an_upgrade_is_one_when_both_fields_say_so() -> None:
    raw = b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n"
    assert parse_reply(raw + b"Connection: Upgrade\r\n\r\n").upgrade == b"websocket"
    with pytest.raises(BadReply):
        parse_reply(raw + b"\r\n")
    assert parse_reply(raw.replace(b"101", b"200") + b"\r\n").upgrade == b""


def test_a_long_field_is_read_and_a_longer_one_is_not() -> None:
    raw = b"HTTP/1.1 200 OK\r\nA: %b\r\n\r\n"
    assert len(parse_reply(raw % (b"x" * 16_000)).fields[0][1]) == 16_000
    with pytest.raises(BadReply, match="more than 16384 bytes"):
        parse_reply(raw % (b"x" * 17_000))


def test_heads_that_come_again_are_read_once_and_those_with_cookies_are_not_kept() -> None:
    heads = ReplyHeads()
    plain, secret = b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n\r\n"
    assert heads.parse(plain) is heads.parse(plain)
    assert heads.parse(secret) is not heads.parse(secret)


def test_no_more_heads_are_kept_than_there_may_be() -> None:
    heads = ReplyHeads(most=2)
    raw = [b"HTTP/1.1 200 OK\r\nA: %d\r\n\r\n" % number for number in range(3)]
    first = heads.parse(raw[0])
    for each in raw[1:]:
        heads.parse(each)
    assert heads.parse(raw[0]) is not first


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nT: x\r\n\r\n",
]


@given(st.sampled_from(ANSWERS), st.lists(st.integers(0, 200), max_size=8))
def test_an_answer_is_the_same_in_any_pieces(raw: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    body, reader = read(*(raw[a:b] for a, b in pairwise(places)))
    assert body == b"abcde"
    assert reader.done
    assert reader.is_reusable


@given(st.binary(max_size=80), st.integers(0, 80))
def test_any_bytes_are_an_answer_or_refused(raw: bytes, cut: int) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", ANSWERS[2][:60]):
        results: list[tuple[bytes, bool | None]] = []
        for pieces in ([start + raw], [(start + raw)[:cut], (start + raw)[cut:]]):
            try:
                body, reader = read(*pieces)
                results.append((body, reader.done))
            except BadReply:
                results.append((b"", None))
        # What is passed on before it is found out may differ; whether it is an answer does not.
        assert results[0][1] == results[1][1]


def test_thousands_of_small_chunks_in_one_piece_are_all_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body, reader = read(head + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n")
    assert len(body) == 5000
    assert reader.done


def test_to_head_there_is_no_body_whatever_the_length() -> None:
    body, reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method=b"HEAD")
    assert (body, reader.done, reader.is_reusable) == (b"", True, True)


def test_what_comes_behind_is_told_apart() -> None:
    _, reader = read(ANSWERS[0] + b"more")
    assert reader.rest == b"more"
    assert not reader.is_reusable


def test_the_end_of_a_connection_ends_only_what_has_no_other_end() -> None:
    _, open_ended = read(b"HTTP/1.1 200 OK\r\n\r\nabc")
    open_ended.end()
    assert open_ended.done
    for piece in (b"", b"HTTP/1.1 200", ANSWERS[0][:-1], ANSWERS[2][:-1]):
        _, reader = read(piece) if piece else read()
        with pytest.raises(BadReply, match="closed the connection"):
            reader.end()


def test_a_connection_that_said_nothing_is_told_apart() -> None:
    assert read()[1].is_untouched
    for piece in (b"H", ANSWERS[1][:25], ANSWERS[0]):
        assert not read(piece)[1].is_untouched
