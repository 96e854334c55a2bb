from __future__ import annotations

import itertools
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from proto.echo.reverse_lines import ReverseLines, ReverseLinesFactory
from tests.support import connect


def test_every_line_comes_back_reversed_with_its_own_ending() -> None:
    factory = ReverseLinesFactory()
    lines, wire = connect(factory)
    lines.dataReceived(b"hello\nworld\r\n\n\r\nunfin")
    assert wire.value() == b"olleh\ndlrow\r\n\n\r\n"
    lines.dataReceived(b"ished\n")
    assert wire.value() == b"olleh\ndlrow\r\n\n\r\ndehsinifnu\n"
    assert not wire.disconnecting
    assert (factory.received.value, factory.sent.value) == (27, 27)


def test_one_carriage_return_ends_a_line_and_more_belong_to_it() -> None:
    lines, wire = connect(ReverseLinesFactory())
    lines.dataReceived(b"a\rb\r\r\n")
    assert wire.value() == b"\rb\ra\r\n"


def test_with_text_characters_are_reversed() -> None:
    lines, wire = connect(ReverseLinesFactory(text=True))
    lines.dataReceived("naïve\n".encode() + b"\xffa\n")
    assert wire.value() == "evïan\n".encode() + b"a\xff\n"


def model(data: bytes, limit: int) -> bytes:
    """What should come back, worked out from all bytes at once."""
    error = b"line longer than %d bytes\r\n" % limit
    replies = b""
    *whole, rest = data.split(b"\n")
    for line in whole:
        bare = line.removesuffix(b"\r")
        ending = line[len(bare) :] + b"\n"
        replies += error if len(bare) > limit else bare[::-1] + ending
    return replies + (error if len(rest.removesuffix(b"\r")) > limit else b"")


@given(
    data=st.lists(st.sampled_from([b"a", b"b", b"\r", b"\n", b"\r\n", b"\xff"])).map(b"".join),
    cuts=st.lists(st.integers(0, 40), max_size=8),
)
def test_however_the_bytes_arrive_the_replies_are_the_same(data: bytes, cuts: list[int]) -> None:
    lines, wire = connect(ReverseLinesFactory(max_request=3))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        lines.dataReceived(data[start:end])
    assert wire.value() == model(data, 3)


def test_a_line_that_is_too_long_gets_an_error_line_and_the_next_one_an_answer() -> None:
    lines, wire = connect(ReverseLinesFactory(max_request=5))
    lines.dataReceived(b"12345\r\n123456")
    assert wire.value() == b"54321\r\nline longer than 5 bytes\r\n"
    lines.dataReceived(b"7890" * 1000)
    assert wire.value() == b"54321\r\nline longer than 5 bytes\r\n"
    lines.dataReceived(b"\nabc\n")
    assert wire.value() == b"54321\r\nline longer than 5 bytes\r\ncba\n"
    assert not wire.disconnecting


def test_a_line_without_end_takes_no_more_memory_than_the_limit() -> None:
    protocol, _ = connect(ReverseLinesFactory())
    lines = cast(ReverseLines, protocol)
    for _ in range(64):
        lines.dataReceived(b"x" * 65536)
    assert len(lines._line) == 0


def test_a_peer_that_finished_sending_gets_its_last_line_too() -> None:
    protocol, wire = connect(ReverseLinesFactory())
    lines = cast(ReverseLines, protocol)
    lines.dataReceived(b"one\ntwo")
    lines.readConnectionLost()
    assert (wire.value(), wire.disconnecting) == (b"eno\nowt", True)


def test_a_peer_that_finished_sending_after_a_whole_line_gets_nothing_more() -> None:
    protocol, wire = connect(ReverseLinesFactory())
    lines = cast(ReverseLines, protocol)
    lines.dataReceived(b"one\n")
    lines.readConnectionLost()
    assert (wire.value(), wire.disconnecting) == (b"eno\n", True)


def test_reading_is_tied_to_writing_from_the_start() -> None:
    _, wire = connect(ReverseLinesFactory())
    assert (wire.producer, wire.streaming) == (wire, True)
