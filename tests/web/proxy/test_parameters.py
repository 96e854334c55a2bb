from __future__ import annotations

import pytest

from proto.web.proxy.parameters import read_words, seconds, whole

KNOWN = {"weight": whole(1, 100), "wait": seconds(0.1), "backup": None}


def test_words_may_come_in_any_order_and_those_that_are_absent_say_nothing() -> None:
    assert read_words(["backup", "weight=7"], KNOWN) == {"backup": True, "weight": 7}
    assert read_words([], KNOWN) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), ("10s", 10), ("1.5s", 1.5), ("500ms", 0.5), ("5m", 300), ("24h", 86_400)],
)
def test_a_time_has_a_unit_or_is_in_seconds(text: str, value: float) -> None:
    assert read_words([f"wait={text}"], KNOWN) == {"wait": value}


@pytest.mark.parametrize(
    "text",
    ["", "s", "-1s", "10 s", "1d", "25h", "99ms", "1e3", "1.s", "nan", "inf", "\u0661s", "1_0"],
)
def test_what_is_no_time_or_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time from 0\.1s to 24h"):
        read_words([f"wait={text}"], KNOWN)


@pytest.mark.parametrize("text", ["", "0", "101", "-1", "+1", "1.0", "1e1", "9" * 5000, "\u0663"])
def test_what_is_no_whole_number_or_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no whole number from 1 to 100"):
        read_words([f"weight={text}"], KNOWN)


@pytest.mark.parametrize("word", ["what=1", "weight", "backup=1", "backup=", "", "=", "Weight=1"])
def test_a_word_that_is_not_known_is_told_with_those_that_are(word: str) -> None:
    with pytest.raises(ValueError, match="is none of weight=, wait=, backup"):
        read_words([word], KNOWN)


def test_a_word_stands_there_once() -> None:
    with pytest.raises(ValueError, match="weight is given twice"):
        read_words(["weight=1", "weight=1"], KNOWN)
