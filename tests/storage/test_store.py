from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.storage.store import storable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("a\0b", "a\ufffdb"),
        ("\ud83d", "\ufffd"),
        ("\u00e9\ud83dx\0", "\u00e9\ufffdx\ufffd"),
    ],
)
def test_what_no_database_takes_is_replaced(text: str, expected: str) -> None:
    assert storable(text) == expected


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_other_text_is_left_as_it_is(text: str) -> None:
    assert storable(text) is text


@given(st.text(st.characters()))
def test_what_comes_out_can_be_encoded(text: str) -> None:
    assert b"\0" not in storable(text).encode()
