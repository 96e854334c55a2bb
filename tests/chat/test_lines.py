from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.lines import LineSplitter


def read(*chunks: bytes, longest: int = 4096) -> list[bytes | None]:
    splitter = LineSplitter(longest)
    lines: list[bytes | None] = []
    for chunk in chunks:
        lines += splitter.feed(chunk)
    return lines + splitter.finish()


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r\0", b"\r"])
def test_every_line_end_ends_one_line(end: bytes) -> None:
    sent = b"one" + end + b"two" + end
    assert read(sent) == [b"one", b"two"]
    assert read(*(bytes((byte,)) for byte in sent)) == [b"one", b"two"]


def test_a_carriage_return_torn_from_its_line_feed_makes_no_empty_line() -> None:
    assert read(b"one\r", b"\ntwo\r", b"\0three\r", b"four\n") == [
        b"one",
        b"two",
        b"three",
        b"four",
    ]
    assert read(b"one\r", b"", b"\n") == [b"one"]


def test_empty_lines_are_lines() -> None:
    assert read(b"\n\r\n\r\r\n") == [b"", b"", b"", b""]


def test_a_last_line_without_its_line_end_comes_at_the_end_once() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"one\ntw") == [b"one"]
    assert splitter.feed(b"o") == []
    assert splitter.finish() == [b"two"]
    assert splitter.finish() == []


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (b"helk\x08lo", b"hello"),
        (b"helk\x7flo", b"hello"),
        (b"\x08\x7fhi", b"hi"),
        ("caf\u00e9\x7fe".encode(), b"cafe"),
        ("a\U0001f600\x08b".encode(), b"ab"),
        (b"wrong\x15right", b"right"),
        (b"ab\x80\x80\x80\x80\x80\x08", b"ab\x80"),
    ],
)
def test_the_editing_keys_edit_the_line(typed: bytes, line: bytes) -> None:
    assert read(typed + b"\n") == [line]
    assert read(*(bytes((byte,)) for byte in typed + b"\n")) == [line]


def test_a_line_that_is_too_long_is_told_at_once_and_dropped_to_its_end() -> None:
    splitter = LineSplitter(10)
    assert splitter.feed(b"x" * 10) == []
    assert splitter.feed(b"x") == [None]
    assert splitter.feed(b"x" * 100_000 + b"\x7f\x15") == []
    assert splitter.feed(b"tail\nnext\n") == [b"next"]
    assert read(b"x" * 11 + b"\n" + b"y" * 10 + b"\n", longest=10) == [None, b"y" * 10]


def test_a_line_that_was_ever_too_long_stays_so_however_it_is_edited() -> None:
    assert read(b"x" * 11 + b"\x15hi\n", longest=10) == [None]
    assert read(b"\x15" + b"x" * 11 + b"\n", longest=10) == [None]
    assert read(b"x" * 9 + b"\x15" + b"y" * 9 + b"\n", longest=10) == [b"y" * 9]


_KEYS = st.lists(
    st.sampled_from(
        [b"\r", b"\n", b"\0", b"\x08", b"\x7f", b"\x15", b"abcd", "\u00e9".encode(), b"\xff"]
    ),
    max_size=60,
).map(b"".join)


@given(st.one_of(st.binary(max_size=200), _KEYS), st.data())
def test_where_the_chunks_break_makes_no_difference(sent: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    chunks = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    lines = read(sent, longest=12)
    assert read(*chunks, longest=12) == lines
    assert all(line is None or len(line) <= 12 for line in lines)
