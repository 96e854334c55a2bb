from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.telnet import LONGEST_SUBNEGOTIATION, TelnetFilter


def read(*chunks: bytes) -> tuple[bytes, bytes, bool]:
    telnet = TelnetFilter()
    answers = [telnet.feed(chunk) for chunk in chunks]
    text = b"".join(text for text, _ in answers)
    return text, b"".join(reply for _, reply in answers), telnet.ended


@pytest.mark.parametrize(
    ("sent", "text", "replies"),
    [
        (b"hello\r\n", b"hello\r\n", b""),
        (b"a\xff\xffb", b"a\xffb", b""),
        (b"\xff\xfb\x18x", b"x", b"\xff\xfe\x18"),  # WILL: DONT
        (b"\xff\xfd\x01x", b"x", b"\xff\xfc\x01"),  # DO: WONT
        (b"\xff\xfd\x01\xff\xfd\x01\xff\xfd\x03", b"", b"\xff\xfc\x01\xff\xfc\x03"),
        (b"\xff\xfc\x01\xff\xfe\x01x", b"x", b""),  # WONT and DONT want no answer
        (b"a\xff\xf1b\xff\xf9c", b"abc", b""),  # NOP, GA
        (b"a\xff\xf0b\xff\xedc\xff\xefd", b"abcd", b""),  # SE, SUSP, EOR
        (b"ab\xff\xf7\xff\xf8", b"ab\x7f\x15", b""),  # erase character, erase line
        (b"\xff\xfa\x18\x00xterm\xff\xf0ok", b"ok", b""),
        (b"\xff\xfa\x1f\xff\xff\xff\x01\n\xff\xf0ok", b"ok", b""),
        (b"caf\xff\nnext\n", b"caf\xff\nnext\n", b""),  # not telnet: a stray byte
        (b"\xff\x00\xff\x80", b"\xff\x00\xff\x80", b""),
    ],
)
def test_telnet_is_filtered_out_and_every_offer_refused_once(
    sent: bytes, text: bytes, replies: bytes
) -> None:
    assert read(sent) == (text, replies, False)


def test_are_you_there_is_answered_once_a_line() -> None:
    assert read(b"\xff\xf6" * 1000) == (b"", b"[yes]\r\n", False)
    assert read(b"\xff\xf6", b"\n", b"\xff\xf6") == (b"\n", b"[yes]\r\n" * 2, False)
    assert read(b"\xff\xf6\r\xff\xf6") == (b"\r", b"[yes]\r\n" * 2, False)


def test_each_timing_mark_is_answered_or_telnet_would_discard_our_output() -> None:
    mark = b"\xff\xfd\x06"
    assert read(mark + b"\n" + mark + mark) == (b"\n", b"\xff\xfc\x06" * 2, False)


@pytest.mark.parametrize(
    ("key", "text"), [(0xF4, b"half\x15"), (0xEE, b"half\x15"), (0xEC, b"half")]
)
def test_interrupt_drops_the_line_and_ends_and_end_of_file_ends(key: int, text: bytes) -> None:
    assert read(b"half" + bytes((255, key)) + b"more\n", b"still\n") == (text, b"", True)


def test_an_endless_subnegotiation_is_text_again_and_keeps_nothing() -> None:
    telnet = TelnetFilter()
    assert telnet.feed(b"\xff\xfa" + b"x" * LONGEST_SUBNEGOTIATION + b"hello") == (b"hello", b"")
    assert read(b"\xff\xfa" + b"\xff\x01" * LONGEST_SUBNEGOTIATION)[0].startswith(b"\xff\x01")


def test_each_subnegotiation_may_be_as_long_as_the_first() -> None:
    one = b"\xff\xfa" + b"x" * 3000 + b"\xff\xf0"
    assert read(one * 3 + b"ok")[0] == b"ok"


def test_replies_to_a_flood_of_offers_are_bounded() -> None:
    offers = b"".join(bytes((255, verb, n)) for verb in (251, 253) for n in range(256))
    assert len(read(offers * 50)[1]) == 512 * 3


_TELNET = st.lists(
    st.sampled_from(
        [
            b"\xff",
            b"\xff\xfa",
            b"\xff\xf0",
            b"\xfd",
            b"\x06",
            b"\xff\xf6",
            b"\n",
            b"\r",
            b"ab",
            b"\xf4",
            b"z" * 4090,
        ]
    ),
    max_size=40,
).map(b"".join)


@given(st.one_of(st.binary(max_size=300), _TELNET), st.data())
def test_where_the_packets_break_makes_no_difference(sent: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    chunks = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert read(*chunks) == read(sent)
