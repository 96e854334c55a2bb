from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.weblog.shown import shown


def test_a_record_is_text_and_what_is_none_is_shown_as_bytes() -> None:
    assert shown("grüße\t".encode(), 100) == {"text": "grüße\t"}
    assert shown(b"\xff\xc3(", 100) == {"text": "\\xff\\xc3("}
    assert shown(b"", 100) == {"text": ""}


def test_a_long_record_is_cut_between_two_characters_and_it_is_told_where() -> None:
    assert shown("aää".encode(), 4) == {"text": "aä", "left_out": 2}
    assert shown(b"abcdef", 4) == {"text": "abcd", "left_out": 2}
    assert shown(b"\x80" * 9, 6)["left_out"] in range(3, 8)


@given(st.binary(max_size=40), st.integers(1, 40))
def test_nothing_gets_lost_but_what_is_told(record: bytes, most: int) -> None:
    told = shown(record, most)
    left_out = told.get("left_out", 0)
    kept = record[: len(record) - left_out]
    assert told["text"] == kept.decode("utf-8", "backslashreplace")
    assert len(kept) <= max(most, 1)
    assert left_out == 0 or len(record) > most
    assert kept or not record


@given(st.text(max_size=20), st.integers(4, 40))
def test_of_good_text_no_character_is_broken(text: str, most: int) -> None:
    told = shown(text.encode(), most)["text"]
    assert text.startswith(told)
