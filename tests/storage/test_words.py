from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.errors import PeerError
from proto.storage.words import ASKED, LONGEST, MOST, wanted, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello, hello world!", ["hello", "world"]),
        ("snake_case x-1 3.14", ["snake", "case", "x", "1", "3", "14"]),
        ("Caf\u00e9 na\u00efve STRA\u00dfE", ["cafe", "naive", "strasse"]),
        ("cafe\u0301", ["cafe"]),
        ("\uff26\uff55\uff4c\uff4c \ufb01ne", ["full", "fine"]),
        (
            "\u0416\u0410\u0411\u0410 \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
            ["\u0436\u0430\u0431\u0430", "\u03c3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c3"],
        ),
        ("\u6771\u4eac\u3067 ramen", ["\u6771", "\u4eac", "\u3066", "ramen"]),
        ("abc\u6771def", ["abc", "\u6771", "def"]),
        ("\U0001f600 !! \u00b7 '\"", []),
        ("x" * 100, ["x" * LONGEST]),
    ],
)
def test_a_text_is_found_by_its_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_text_is_found_by_a_bounded_number_of_words() -> None:
    assert words(" ".join(map(str, range(MOST + 10)))) == [str(n) for n in range(MOST)]


def test_a_search_needs_words_and_not_too_many() -> None:
    assert wanted("b a") == ["b", "a"]
    with pytest.raises(PeerError, match="Letters or digits are needed"):
        wanted("!!")
    assert len(wanted(" ".join(map(str, range(ASKED))))) == ASKED
    with pytest.raises(PeerError, match="at most 32 words"):
        wanted(" ".join(map(str, range(ASKED + 1))))


@given(st.text())
def test_words_have_only_letters_and_digits_and_stay_themselves(text: str) -> None:
    found = words(text)
    assert all(re.fullmatch(r"[^\W_]{1,64}", word) for word in found)
    assert words(" ".join(found)) == found
