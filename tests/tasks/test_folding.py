from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.tasks.folding import folded


@pytest.mark.parametrize(
    "same",
    [
        ["ABC", "abc", "aBc"],
        ["\u00c4", "\u00e4", "A\u0308", "a\u0308"],
        ["Stra\u00dfe", "STRASSE", "stra\u1e9ee"],
        [
            "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
            "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3",
        ],
        ["\u212b", "\u00e5"],
    ],
)
def test_texts_that_differ_by_case_alone_are_one(same: list[str]) -> None:
    assert len({folded(text) for text in same}) == 1


@pytest.mark.parametrize(("one", "other"), [("a", "\u00e4"), ("1", "\u00b9"), ("\u0131", "i")])
def test_other_letters_stay_others(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@given(st.text())
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_folded_as_all_else(text: str) -> None:
    assert folded(text + "\u00e4") == folded(text) + "\u00e4"
