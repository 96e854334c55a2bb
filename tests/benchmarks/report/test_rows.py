from __future__ import annotations

from dataclasses import replace

from benchmarks.figures import Summary
from benchmarks.report.rows import number, rows
from tests.benchmarks.report.made import summary


def test_everybody_is_compared_with_the_first() -> None:
    assert rows({"proto": summary(30_000), "Go": summary(20_000)}, None) == [
        ("", "median", "min - max", "ours is", "cpu us", "busy", "load", "MiB"),
        ("proto", "30,000", "22,500 - 37,500", "-", "12.3", "99%", "50%", "50"),
        ("Go", "20,000", "15,000 - 25,000", "1.50 x", "12.3", "99%", "50%", "50"),
    ]


def test_less_is_better_where_it_is_said() -> None:
    table = rows({"proto": summary(2, less=True), "Go": summary(6, less=True)}, None)
    assert table[2][3] == "3.00 x"


def test_nobody_is_compared_with_an_unsteady_one() -> None:
    table = rows({"proto": summary(3, noisy=True), "Go": summary(2)}, None)
    assert [row[3] for row in table[1:]] == ["-", "unsteady"]


def test_everybody_is_compared_with_those_who_are_named_and_took_part() -> None:
    results: dict[str, Summary | str] = {"proto": summary(300), "C": summary(400), "Go": "it broke"}
    table = rows(results, ("C", "nobody", "Go"))
    assert [row[3:5] for row in table] == [
        ("of C", "of Go"),
        ("0.75 x", "-"),
        ("-", "-"),
        ("", ""),
    ]


def test_where_nobody_is_named_nobody_is_compared() -> None:
    assert rows({"proto": summary(1)}, ())[0][:4] == ("", "median", "min - max", "cpu us")


def test_a_column_is_there_if_one_has_something_in_it() -> None:
    waited = replace(summary(1), p50=0.00125, p99=0.002, longest=0.25)
    table = rows({"proto": summary(1), "Go": waited}, None)
    assert table[0][-4:] == ("p50 ms", "p99 ms", "max ms", "MiB")
    assert table[1][-4:] == ("", "", "", "50")
    assert table[2][-4:] == ("1.25", "2", "250", "50")


def test_a_dear_thing_is_told_without_powers_of_ten() -> None:
    table = rows({"proto": replace(summary(1), cost=0.0012345)}, None)
    assert table[1][table[0].index("cpu us")] == "1,234"


def test_who_failed_has_no_figures() -> None:
    assert rows({"proto": summary(1), "Go": "it broke"}, None)[2] == ("Go", "failed", *[""] * 6)


def test_where_all_failed_it_is_said_all_the_same() -> None:
    assert rows({"proto": "it broke"}, None) == [("", "median"), ("proto", "failed")]


def test_numbers_have_three_digits_or_all_before_the_point() -> None:
    assert [number(each) for each in (1_234_567.8, 100, 99.96, 0.1234, 0)] == [
        "1,234,568",
        "100",
        "100",
        "0.123",
        "0",
    ]
