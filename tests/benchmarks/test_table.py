from __future__ import annotations

from benchmarks.figures import Summary
from benchmarks.table import render


def result(median: float, *, noisy: bool = False, p50: float | None = None) -> Summary:
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
    )


def test_a_table_compares_everybody_with_the_first() -> None:
    text = render("echo", "messages a second", {"ours": result(30_000), "theirs": result(20_000)})
    assert text.splitlines() == [
        "echo (messages a second)",
        "          median        min - max  ours is  cpu us  busy  load  p50 ms  p99 ms  MiB",
        "  ours    30,000  15,000 - 60,000        -    12.3   99%   50%                   50",
        "  theirs  20,000  10,000 - 40,000   1.50 x    12.3   99%   50%                   50",
    ]


def test_latencies_are_in_milliseconds() -> None:
    text = render("chat", "deliveries", {"ours": result(1, p50=0.00125)})
    assert text.splitlines()[2].split()[-3:] == ["1.25", "2.5", "50"]


def test_a_noisy_contestant_gets_no_ratio() -> None:
    rows = render("x", "y", {"ours": result(3), "theirs": result(2, noisy=True)}).splitlines()
    assert "noisy" in rows[3]
    assert " x " not in rows[3]


def test_nobody_is_compared_with_a_noisy_first() -> None:
    rows = render("x", "y", {"ours": result(3, noisy=True), "theirs": result(2)}).splitlines()
    assert "noisy" not in rows[2]
    assert "noisy" in rows[3]


def test_who_failed_is_named_with_the_reason_and_the_others_are_shown() -> None:
    rows = render("x", "y", {"ours": "it did not start", "theirs": result(200)}).splitlines()
    assert rows[2].split() == ["ours", "failed"]
    assert "200" in rows[3]
    assert rows[4] == "  ours failed: it did not start"


def test_remarks_come_below_the_table() -> None:
    rows = render("x", "y", {"ours": result(1)}, ["Go left out: Go is not installed"]).splitlines()
    assert rows[3:] == ["  Go left out: Go is not installed"]
