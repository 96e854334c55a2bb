from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.conditional import (
    Conditions,
    Validators,
    Verdict,
    judge,
    range_still_fits,
    validators_of,
)
from proto.web.dates import http_date

NOW = 1_700_000_000.5
CHANGED = 1_600_000_000
HAVE = Validators('"abc"', CHANGED)
BEFORE, THEN, LATER = (http_date(CHANGED + offset) for offset in (-1, 0, 1))


def verdict(method: str = "GET", **conditions: str) -> Verdict:
    return judge(method, Conditions(**conditions), HAVE, NOW)


def test_without_conditions_the_request_proceeds() -> None:
    assert verdict() is Verdict.PROCEED


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('"abc"', Verdict.PROCEED),
        ('"x", "abc"', Verdict.PROCEED),
        ("*", Verdict.PROCEED),
        ('"x"', Verdict.FAILED),
        ('W/"abc"', Verdict.FAILED),
        ("abc", Verdict.FAILED),
    ],
)
def test_if_match_compares_strongly(field: str, expected: Verdict) -> None:
    assert verdict(if_match=field) is expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('"abc"', Verdict.NOT_MODIFIED),
        ('"x","abc"', Verdict.NOT_MODIFIED),
        ('W/"abc"', Verdict.NOT_MODIFIED),
        ("*", Verdict.NOT_MODIFIED),
        ('"x"', Verdict.PROCEED),
        ('"ab', Verdict.PROCEED),
    ],
)
def test_if_none_match_compares_weakly(field: str, expected: Verdict) -> None:
    assert verdict(if_none_match=field) is expected


def test_if_none_match_refuses_what_would_change_something() -> None:
    assert verdict("PUT", if_none_match="*") is Verdict.FAILED


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (BEFORE, Verdict.PROCEED),
        (THEN, Verdict.NOT_MODIFIED),
        (LATER, Verdict.NOT_MODIFIED),
        ("nonsense", Verdict.PROCEED),
    ],
)
def test_if_modified_since(date: str, expected: Verdict) -> None:
    assert verdict(if_modified_since=date) is expected


def test_if_modified_since_means_nothing_beside_if_none_match_or_to_a_change() -> None:
    assert verdict(if_modified_since=LATER, if_none_match='"x"') is Verdict.PROCEED
    assert verdict("POST", if_modified_since=LATER) is Verdict.PROCEED


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (BEFORE, Verdict.FAILED),
        (THEN, Verdict.PROCEED),
        (LATER, Verdict.PROCEED),
        ("nonsense", Verdict.PROCEED),
    ],
)
def test_if_unmodified_since(date: str, expected: Verdict) -> None:
    assert verdict(if_unmodified_since=date) is expected


def test_if_unmodified_since_means_nothing_beside_if_match() -> None:
    assert verdict(if_match='"abc"', if_unmodified_since=BEFORE) is Verdict.PROCEED


def test_a_failed_if_match_wins_over_not_modified() -> None:
    assert verdict(if_match='"x"', if_none_match='"abc"') is Verdict.FAILED


@pytest.mark.parametrize(
    ("field", "fits"),
    [
        ("", True),
        ('"abc"', True),
        ('W/"abc"', False),
        ('"x"', False),
        (THEN, True),
        (BEFORE, False),
        (LATER, False),
        ("nonsense", False),
    ],
)
def test_if_range_wants_just_this_version(field: str, fits: bool) -> None:
    assert range_still_fits(Conditions(if_range=field), HAVE, NOW) is fits


def test_a_date_is_no_strong_validator_in_the_second_of_the_change() -> None:
    fresh = Validators('"abc"', int(NOW))
    asked = Conditions(if_range=http_date(NOW))
    assert not range_still_fits(asked, fresh, NOW)
    assert range_still_fits(asked, fresh, NOW + 1)


def test_the_date_is_neither_rounded_up_nor_later_than_now() -> None:
    assert validators_of(1, 1_999_999_999, 1, NOW).modified == 1
    assert validators_of(1, int((NOW + 500) * 1e9), 1, NOW).modified == 1_700_000_000
    assert validators_of(1, -5_000_000_000, 1, NOW).modified == 0


def test_the_tag_tells_size_time_and_inode_apart() -> None:
    tags = {
        validators_of(size, mtime, inode, NOW).etag
        for size in (1, 2)
        for mtime in (1, 2)
        for inode in (1, 2)
    }
    assert len(tags) == 8


def test_conditions_are_read_from_a_request() -> None:
    assert Conditions.read(str.lower) == Conditions(
        "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"
    )


@given(
    st.sampled_from(["GET", "HEAD", "PUT"]),
    st.builds(Conditions, *[st.text(max_size=30) | st.sampled_from(["*", '"abc"', THEN])] * 5),
    st.integers(-(2**63), 2**63),
)
def test_no_header_and_no_date_of_a_file_raises(
    method: str, asked: Conditions, mtime_ns: int
) -> None:
    have = validators_of(1, mtime_ns, 1, NOW)
    assert http_date(have.modified)
    assert judge(method, asked, have, NOW) in Verdict
    assert range_still_fits(asked, have, NOW) in (True, False)
