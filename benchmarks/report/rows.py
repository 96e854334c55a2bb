"""The figures of a case as the cells of a table.  Pure; knows no markup."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Final

from benchmarks.figures import Result, Summary, ratio

FAILED: Final = "failed"
UNSTEADY: Final = "unsteady"


def rows(results: Mapping[str, Result], beside: Sequence[str] | None) -> list[tuple[str, ...]]:
    """The heads, and a row for each contestant; a column in which nothing stands is left out.

    Ours, which is the first, is compared with everybody; or everybody with those whose names are
    `beside`, as far as they took part.
    """
    compared = _comparisons(results, beside)
    plain = ("cpu us", "busy", "load", "p50 ms", "p99 ms", "max ms", "MiB")
    table = [("", "median", "min - max", *compared, *plain)]
    for name, result in results.items():
        if isinstance(result, str):
            table.append((name, FAILED, *[""] * (len(table[0]) - 2)))
        else:
            ratios = (compare(result) for compare in compared.values())
            table.append((name, *_spread(result), *ratios, *_plain(result)))
    shown = [at == 0 or any(column[1:]) for at, column in enumerate(zip(*table, strict=True))]
    return [tuple(compress(row, shown)) for row in table]


def number(value: float) -> str:
    """Three digits, or all those before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(one: Summary, other: Summary) -> str:
    """How many times as good as the other the one is, unless their rounds disagree too much."""
    how_many = ratio(one, other)
    return UNSTEADY if how_many is None else f"{how_many:.2f} x"


def _comparisons(
    results: Mapping[str, Result], beside: Sequence[str] | None
) -> dict[str, Callable[[Summary], str]]:
    """The head of a column of ratios -> what it says of one result."""
    if beside is None:
        ours = next(iter(results.values()))
        return {"ours is": lambda result: _compared(ours, result, result is ours)}
    return {f"of {name}": partial(_part_of, results[name]) for name in beside if name in results}


def _part_of(reference: Result, result: Summary) -> str:
    return _compared(result, reference, result is reference)


def _compared(one: Result, other: Result, same: bool) -> str:
    if same or isinstance(one, str) or isinstance(other, str):
        return "-"
    return times(one, other)


def _spread(result: Summary) -> tuple[str, str]:
    return number(result.median), f"{number(result.least)} - {number(result.most)}"


def _plain(result: Summary) -> tuple[str, ...]:
    return (
        number(result.cost * 1e6),
        f"{result.busy:.0%}",
        f"{result.load:.0%}",
        _milliseconds(result.p50),
        _milliseconds(result.p99),
        _milliseconds(result.longest),
        f"{result.memory / 2**20:.0f}",
    )


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.3g}"
