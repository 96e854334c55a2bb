from __future__ import annotations

import pytest

from proto.web.proxy.cache.directives import MOST
from proto.web.proxy.cache.entry import Entry, Terms
from proto.web.proxy.cache.rules import Use, helps_in_need, use_of
from proto.web.proxy.cache.wanted import Wanted

ANY = Wanted()
HOUR = Terms(lifetime=3600)


def aged(age: float, terms: Terms) -> Entry:
    return Entry(200, b"OK", (), b"", 0.0, age, terms)


@pytest.mark.parametrize(
    ("age", "terms", "wanted", "expected"),
    [
        (0, HOUR, ANY, Use.FRESH),
        (3599, HOUR, ANY, Use.FRESH),
        (3600, HOUR, ANY, Use.VALIDATED),
        (0, Terms(0), ANY, Use.VALIDATED),
        (0, Terms(3600, is_always_validated=True), ANY, Use.VALIDATED),
        (0, Terms(3600, is_never_stale=True), ANY, Use.FRESH),
        (0, HOUR, Wanted(no_cache=True), Use.VALIDATED),
        (0, HOUR, Wanted(no_store=True), Use.FRESH),
        (0, HOUR, Wanted(max_age=0), Use.FRESH),
        (1, HOUR, Wanted(max_age=0), Use.VALIDATED),
        (5, HOUR, Wanted(max_age=5), Use.FRESH),
        (3000, HOUR, Wanted(min_fresh=600), Use.FRESH),
        (3001, HOUR, Wanted(min_fresh=600), Use.VALIDATED),
        # max-stale
        (3700, HOUR, Wanted(max_stale=100), Use.STALE),
        (3701, HOUR, Wanted(max_stale=100), Use.VALIDATED),
        (10**6, HOUR, Wanted(max_stale=MOST), Use.STALE),
        (3601, Terms(3600, is_never_stale=True), Wanted(max_stale=MOST), Use.VALIDATED),
        (3601, Terms(3600, is_always_validated=True), Wanted(max_stale=MOST), Use.VALIDATED),
        (3650, HOUR, Wanted(max_age=3700, max_stale=100), Use.STALE),
        (3750, HOUR, Wanted(max_age=3700, max_stale=200), Use.VALIDATED),
        (3650, HOUR, Wanted(min_fresh=1, max_stale=100), Use.VALIDATED),
        # stale-while-revalidate
        (3600, Terms(3600, while_revalidate=60), ANY, Use.RENEWED),
        (3659, Terms(3600, while_revalidate=60), ANY, Use.RENEWED),
        (3660, Terms(3600, while_revalidate=60), ANY, Use.VALIDATED),
        (3610, Terms(3600, False, True, 60), ANY, Use.VALIDATED),
        (3610, Terms(3600, True, False, 60), ANY, Use.VALIDATED),
        (3610, Terms(3600, while_revalidate=60), Wanted(max_age=9999), Use.VALIDATED),
        (3610, Terms(3600, while_revalidate=60), Wanted(min_fresh=1), Use.VALIDATED),
        (3610, Terms(3600, while_revalidate=60), Wanted(no_cache=True), Use.VALIDATED),
    ],
)
def test_how_what_is_kept_may_answer(
    age: float, terms: Terms, wanted: Wanted, expected: Use
) -> None:
    assert use_of(aged(age, terms), wanted, 0.0) is expected


@pytest.mark.parametrize(
    ("age", "terms", "wanted", "grace", "expected"),
    [
        (3610, HOUR, ANY, 0, False),
        (3610, HOUR, ANY, 60, True),
        (3660, HOUR, ANY, 60, False),
        (3610, Terms(3600, if_error=60), ANY, 0, True),
        (3660, Terms(3600, if_error=60), ANY, 0, False),
        (3610, Terms(3600, if_error=0), ANY, 60, False),
        (3610, HOUR, Wanted(if_error=60), 0, True),
        (3610, Terms(3600, is_never_stale=True, if_error=60), Wanted(if_error=60), 60, False),
        (10, Terms(3600, is_always_validated=True, if_error=60), ANY, 60, False),
        (10, Terms(3600, is_never_stale=True), Wanted(max_age=5), 0, True),
        (10, HOUR, Wanted(no_cache=True), 60, False),
    ],
)
def test_when_what_is_kept_helps_out(
    age: float, terms: Terms, wanted: Wanted, grace: int, expected: bool
) -> None:
    assert helps_in_need(aged(age, terms), wanted, 0.0, grace) is expected
