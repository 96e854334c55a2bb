from __future__ import annotations

import pytest

from proto.web.proxy.cache.directives import MOST, parse_directives, values_of
from proto.web.proxy.cache.freshness import MOST_HEURISTIC, initial_age, lifetime
from tests.web.proxy.cache.origin import DATE, HOUR_AGO, IN_A_MINUTE, NOW, lines

EXPIRES_LATE = "Expires: Tue, 14 Nov 2023 23:13:20 GMT"
DATED = f"Date: {DATE}"


def lifetime_of(*fields: str, status: int = 200) -> int:
    found = lines(*fields)
    return lifetime(status, found, parse_directives(values_of(found, b"cache-control")), NOW)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["Cache-Control: max-age=60"], 60),
        (["Cache-Control: s-maxage=9, max-age=60"], 9),
        (["Cache-Control: max-age=60, s-maxage=9"], 9),
        (["Cache-Control: max-age=60", "Cache-Control: s-maxage=9"], 9),
        (["Cache-Control: max-age=0, s-maxage=90", f"Expires: {HOUR_AGO}", DATED], 90),
        (["Cache-Control: max-age=60", f"Expires: {HOUR_AGO}"], 60),
        (["Cache-Control: max-age=60", "Expires: 0"], 60),
        (["Cache-Control: max-age=0", EXPIRES_LATE], 0),
        (["Cache-Control: max-age=x", EXPIRES_LATE], 0),
        (["Cache-Control: s-maxage=x, max-age=60"], 0),
        ([EXPIRES_LATE, DATED], 3600),
        ([EXPIRES_LATE, f"Date: {IN_A_MINUTE}"], 3540),
        ([EXPIRES_LATE, "Date: foo"], 3600),
        ([EXPIRES_LATE], 3600),
        ([f"Expires: {HOUR_AGO}", DATED], 0),
        ([f"Expires: {DATE}", DATED], 0),
        ([f"Expires: {IN_A_MINUTE}", "Date: Tue, 14 Nov 2023 22:15:20 GMT"], 0),
        (["Expires: 0"], 0),
        ([EXPIRES_LATE, EXPIRES_LATE], 0),
        (["Expires: Tuesday, 14-Nov-23 23:13:20 GMT"], 3600),
        (["Expires: Tue Nov 14 23:13:20 2023"], 3600),
        (["Expires: Sun, 21 Nov 9999 04:46:39 GMT"], MOST),
        (["Expires: Tue, 14 Nov 2023 23:13:20 UTC"], 0),
        (["Expires: Tue, 14 Nov 2023 23:13:20 AEST"], 0),
        (["Expires: Tue, 14 Nov 23 23:13:20 GMT"], 0),
        (["Expires: Tue 14 Nov 2023 23:13:20 GMT"], 0),
        (["Expires: Tue, 14  Nov  2023 23:13:20 GMT"], 0),
        (["Expires: Tue, 14-Nov-2023 23:13:20 GMT"], 0),
        (["Expires: Tue, 14 Nov 2023 23.13.20 GMT"], 0),
        (["Expires: Tue, 14 Nov 2023 3:13:20 GMT"], 0),
        ([], 0),
    ],
)
def test_how_long_an_answer_is_fresh(fields: list[str], expected: int) -> None:
    assert lifetime_of(*fields) == expected


@pytest.mark.parametrize(
    ("fields", "status", "expected"),
    [
        ([f"Last-Modified: {HOUR_AGO}", DATED], 200, 360),
        ([f"Last-Modified: {HOUR_AGO}"], 200, 360),
        ([f"Last-Modified: {DATE}", DATED], 200, 0),
        ([f"Last-Modified: {IN_A_MINUTE}", DATED], 200, 0),
        ([f"Last-Modified: {HOUR_AGO}", f"Last-Modified: {HOUR_AGO}"], 200, 0),
        (["Last-Modified: Tue, 14 Nov 2003 22:13:20 GMT"], 200, MOST_HEURISTIC),
        (["Last-Modified: yesterday"], 200, 0),
        *(
            ([f"Last-Modified: {HOUR_AGO}"], status, 360)
            for status in (203, 204, 300, 301, 308, 404, 405, 410, 414, 501)
        ),
        *(
            ([f"Last-Modified: {HOUR_AGO}"], status, 0)
            for status in (201, 202, 302, 303, 307, 400, 401, 403, 500, 502, 503, 504, 599)
        ),
        ([f"Last-Modified: {HOUR_AGO}", "Cache-Control: public"], 403, 360),
    ],
)
def test_a_tenth_of_its_age_where_nothing_is_said(
    fields: list[str], status: int, expected: int
) -> None:
    assert lifetime_of(*fields, status=status) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], 2),  # the answer took two seconds
        (["Age: 7200"], 7202),
        (["Age: 7200, 0"], 7202),
        (["Age: 0, 7200"], 2),
        (["Age: 7200", "Age: 0"], 7202),
        (["Age: 0", "Age: 7200"], 2),
        (["Age: 7200;foo=bar"], 7202),
        (["Age: 2147483649"], MOST + 2),
        (["Age: 99999999999999"], MOST + 2),
        (["Age: abc"], 2),
        (["Age: -7200"], 2),
        (["Age: 7200.0"], 2),
        ([f"Date: {HOUR_AGO}"], 3602),
        ([f"Date: {HOUR_AGO}", "Age: 10"], 3602),
        ([f"Date: {HOUR_AGO}", "Age: 5000"], 5002),
        (["Date: Tue, 14 Nov 2023 23:13:20 GMT"], 2),  # its clock is fast
        (["Date: foo"], 2),
    ],
)
def test_how_old_an_answer_is_when_it_comes(fields: list[str], expected: int) -> None:
    assert initial_age(lines(*fields), NOW, NOW + 2) == expected


def test_a_clock_that_was_set_back_makes_nothing_younger() -> None:
    assert initial_age(lines("Age: 5"), NOW, NOW - 100) == 5
