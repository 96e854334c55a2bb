from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.dates import http_date, parse_http_date

NOW = 1_700_000_000
EXAMPLE = 784111777


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " Sun, 06 Nov 1994 08:49:37 GMT\t",
    ],
)
def test_the_three_forms_of_the_rfc_are_read(text: str) -> None:
    assert parse_http_date(text, NOW) == EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0100",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=1",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text, NOW) is None


def test_a_two_digit_year_is_within_fifty_years_of_now() -> None:
    assert parse_http_date("Tuesday, 14-Nov-73 22:13:20 GMT", NOW) == 3277923200
    assert parse_http_date("Wednesday, 14-Nov-74 22:13:20 GMT", NOW) == 153699200


def test_a_leap_second_counts_as_the_second_before() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == parse_http_date(
        "Sat, 31 Dec 2016 23:59:59 GMT", NOW
    )


def test_a_fraction_of_a_second_is_cut_off() -> None:
    assert http_date(EXAMPLE + 0.999) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.integers(0, 250_000_000_000))
def test_what_is_written_can_be_read(seconds: int) -> None:
    assert parse_http_date(http_date(seconds), NOW) == seconds


@given(st.text())
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert parse_http_date(text, NOW) is None or text
