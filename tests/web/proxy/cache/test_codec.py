from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from proto.web.proxy.cache.codec import VERSION, decode, encode
from proto.web.proxy.cache.entry import Entry, Record, Terms, Variants

KEY = b"k" * 64
NUMBERS = st.integers(0, 2**31)
TIMES = st.floats(0, 1e12)
TERMS = st.builds(Terms, NUMBERS, st.booleans(), st.booleans(), NUMBERS, st.none() | NUMBERS)
FIELDS = st.lists(st.tuples(st.binary(), st.binary())).map(tuple)
ENTRIES = st.builds(
    Entry, st.integers(100, 599), st.binary(), FIELDS, st.binary(), TIMES, TIMES, TERMS
)
VARIANTS = st.builds(Variants, st.lists(st.binary()).map(tuple), st.binary())


@given(ENTRIES | VARIANTS)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert decode(KEY, encode(KEY, record)) == record


@given(ENTRIES)
def test_a_record_under_another_key_is_none(record: Record) -> None:
    assert decode(b"x" * 64, encode(KEY, record)) is None


@given(ENTRIES, st.data())
def test_a_torn_record_is_none(record: Record, data: st.DataObject) -> None:
    encoded = encode(KEY, record)
    end = data.draw(st.integers(0, len(encoded) - 1))
    assert decode(KEY, encoded[:end]) is None
    assert decode(KEY, encoded[:end] + bytes(len(encoded) - end)) in (None, record)


@given(ENTRIES, st.data())
def test_a_record_with_one_byte_altered_is_none(record: Record, data: st.DataObject) -> None:
    encoded = bytearray(encode(KEY, record))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))
    assert decode(KEY, bytes(encoded)) is None


@given(st.binary())
@example(b"")
@example(VERSION)
@example(VERSION + b"\0\0\0\0")
def test_other_bytes_are_none(data: bytes) -> None:
    assert decode(KEY, data) is None


def test_another_version_is_none() -> None:
    encoded = encode(KEY, Variants((b"a",), b"g"))
    assert decode(KEY, b"\x02" + encoded[1:]) is None
