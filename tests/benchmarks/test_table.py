from __future__ import annotations

import re

from benchmarks.figures import Summary
from benchmarks.table import render


def result(
    median: float,
    *,
    noisy: bool = False,
    p50: float | None = None,
    longest: float | None = None,
) -> Summary:
    return Summary(
        median=median,
        least=median / 2,
        most=median * 2,
        noisy=noisy,
        cost=12.34e-6,
        busy=0.987,
        load=0.5,
        memory=50 * 2**20,
        p50=p50,
        p99=p50 and p50 * 2,
        longest=longest,
    )


def test_a_table_compares_everybody_with_the_first() -> None:
    text = render("echo", "messages a second", {"ours": result(30_000), "theirs": result(20_000)})
    assert text.splitlines() == [
        "echo (messages a second)",
        "          median        min - max  ours is  cpu us  busy  load  MiB",
        "  ours    30,000  15,000 - 60,000        -    12.3   99%   50%   50",
        "  theirs  20,000  10,000 - 40,000   1.50 x    12.3   99%   50%   50",
    ]


def test_latencies_are_in_milliseconds() -> None:
    text = render("chat", "deliveries", {"ours": result(1, p50=0.00125)})
    assert text.splitlines()[2].split()[-3:] == ["1.25", "2.5", "50"]


def test_an_unsteady_contestant_gets_no_ratio() -> None:
    rows = render("x", "y", {"ours": result(3), "theirs": result(2, noisy=True)}).splitlines()
    assert "unsteady" in rows[3]
    assert " x " not in rows[3]


def test_nobody_is_compared_with_an_unsteady_first() -> None:
    rows = render("x", "y", {"ours": result(3, noisy=True), "theirs": result(2)}).splitlines()
    assert "unsteady" not in rows[2]
    assert "unsteady" in rows[3]


def cells(row: str) -> list[str]:
    return re.split("  +", row.strip())


def test_everybody_is_compared_with_those_who_are_named() -> None:
    results = {"ours": result(30_000), "limit": result(40_000), "usual": result(10_000)}
    rows = render("x", "lines", results, beside=("limit", "nobody", "usual")).splitlines()
    assert cells(rows[1])[2:4] == ["of limit", "of usual"]
    assert [cells(row)[3:5] for row in rows[2:]] == [
        ["0.75 x", "3.00 x"],
        ["-", "4.00 x"],
        ["0.25 x", "-"],
    ]


def test_where_nobody_is_named_nobody_is_compared() -> None:
    rows = render("x", "lines", {"one": result(3), "two": result(2)}, beside=()).splitlines()
    assert cells(rows[1])[:3] == ["median", "min - max", "cpu us"]
    assert cells(rows[2])[3] == "12.3"


def test_who_is_compared_with_one_who_failed_or_is_unsteady_gets_no_ratio() -> None:
    results: dict[str, Summary | str] = {
        "ours": result(30_000),
        "limit": "it broke",
        "usual": result(1, noisy=True),
    }
    rows = render("x", "lines", results, beside=("limit", "usual")).splitlines()
    assert cells(rows[2])[3:5] == ["-", "unsteady"]


def test_the_longest_wait_is_shown_where_it_was_measured() -> None:
    results = {"ours": result(1, p50=0.001, longest=0.25), "theirs": result(1)}
    rows = render("x", "y", results).splitlines()
    assert rows[1].endswith("p99 ms  max ms  MiB")
    assert rows[2].split()[-3:] == ["2", "250", "50"]
    assert rows[3].split()[-2:] == ["50%", "50"]


def test_who_failed_is_named_with_the_reason_and_the_others_are_shown() -> None:
    rows = render("x", "y", {"ours": "it did not start", "theirs": result(200)}).splitlines()
    assert rows[2].split() == ["ours", "failed"]
    assert "200" in rows[3]
    assert rows[4] == "  ours failed: it did not start"


def test_remarks_come_below_the_table() -> None:
    rows = render("x", "y", {"ours": result(1)}, ["Go left out: Go is not installed"]).splitlines()
    assert rows[3:] == ["  Go left out: Go is not installed"]
