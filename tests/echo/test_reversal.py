from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.echo.reversal import by_byte, by_character


@given(st.binary())
def test_bytes_reversed_twice_are_the_bytes(data: bytes) -> None:
    assert by_byte(data) == bytes(reversed(data))
    assert by_byte(by_byte(data)) == data


@pytest.mark.parametrize(
    ("text", "backwards"),
    [
        ("", ""),
        ("hello", "olleh"),
        ("naïve", "evïan"),
        ("cafe\u0301!", "!e\u0301fac"),  # a combining accent stays on its letter
        (
            "a\U0001f468\u200d\U0001f469\u200d\U0001f467b",
            "b\U0001f468\u200d\U0001f469\u200d\U0001f467a",
        ),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea"),
        ("\u1112\u1161\u11ab.", ".\u1112\u1161\u11ab"),  # conjoining Hangul
        ("\u0915\u094d\u0937x", "x\u0915\u094d\u0937"),  # a Devanagari conjunct
        ("one\r\ntwo", "owt\r\neno"),
    ],
)
def test_what_a_reader_sees_as_one_character_stays_whole(text: str, backwards: str) -> None:
    assert by_character(text.encode()) == backwards.encode()


def test_bytes_that_are_no_text_are_characters_of_their_own() -> None:
    assert by_character(b"a\xff\xfeb") == b"b\xfe\xffa"
    assert by_character(b"\xc3\xa9\xc3") == b"\xc3\xc3\xa9"


@given(st.binary())
def test_no_byte_is_lost_or_changed_whatever_the_bytes(data: bytes) -> None:
    assert sorted(by_character(data)) == sorted(data)
