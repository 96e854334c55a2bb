from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.text import clean, decode

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
HEART_ON_FIRE = "\u2764\ufe0f\u200d\U0001f525"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain text", "plain text"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b[?25l\x1b[2Jgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bPdevice\x1b\\text", "text"),
        ("\x1b]never ended", "never ended"),
        ("\x1b(0lines\x1bctail", "linestail"),
        ("\x1b", ""),
        ("\x1b\x1b[31mtwice", "twice"),
        ("a\x00b\x07c\x08d\x7fe\x85f", "abcdef"),
        ("a\tb\u2028c", "a b c"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u2066b\u2069c\u200fd\u061ce", "abcde"),
        ("ze\u200bro\u200c wi\u2060dth\ufeff\u00ad", "zero width"),
        ("a\u200db", "ab"),
        ("\u200d", ""),
        (FAMILY, FAMILY),
        (HEART_ON_FIRE, HEART_ON_FIRE),
        (f"x\u200d{FAMILY}\u200dy", f"x{FAMILY}y"),
        ("\U0001f44b\U0001f3fd\u200d\u2642\ufe0f", "\U0001f44b\U0001f3fd\u200d\u2642\ufe0f"),
        ("3\ufe0f\u20e3 4\ufe0f", "3\ufe0f\u20e3 4"),
        ("a\ufe0f\u200d\U0001f600", "a\U0001f600"),
        ("\u0645\u0631\u062d\u0628\u0627", "\u0645\u0631\u062d\u0628\u0627"),
        ("e\u0301", "e\u0301"),
        ("\ud800lone\udfff", "lone"),
    ],
)
def test_only_what_is_seen_stays(line: str, shown: str) -> None:
    assert clean(line) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"caf\xc3\xa9", "caf\u00e9"),
        (b"caf\xe9", "caf\ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
    ],
)
def test_bytes_that_are_not_utf8_are_replaced(line: bytes, shown: str) -> None:
    assert decode(line) == shown


_NASTY = st.text(
    st.sampled_from("a1 \x1b[]m;\x07\\\x9b\x9d\x9c\u200d\ufe0f\u20e3\u2764\U0001f468\u202e")
)


@given(st.one_of(st.text(), _NASTY))
def test_nothing_that_controls_a_terminal_survives(line: str) -> None:
    shown = clean(line)
    assert all(unicodedata.category(char) not in ("Cc", "Cs") for char in shown)
    assert not set(shown) & set("\u200b\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2069\ufeff")
    assert clean(shown) == shown
    shown.encode("utf-8")


def test_a_long_line_of_half_begun_sequences_is_no_trap() -> None:
    assert clean("\x1b]" * 20_000) == ""
    assert clean("\x1b[" + "0;" * 20_000) == "0;" * 20_000


@pytest.mark.parametrize(
    "opening", ["\x9d", "\x90", "\x98", "\x9e", "\x9f", "\x1b]", "\x9b0", "\x1b[ "]
)
def test_openings_without_an_end_cost_no_more_than_their_number(opening: str) -> None:
    """With the square of it this would take hours."""
    assert set(clean(opening * 300_000)) <= set("0 [")


def test_a_string_in_a_string_is_taken_out_with_what_it_holds() -> None:
    assert clean("a\x9db\x9dtitle\x9cc") == "abc"
