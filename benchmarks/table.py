"""The figures of a case as lines of text.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks.figures import Summary, ratio

Result = Summary | str
"""What a contestant achieved, or why there is nothing to show."""


def render(
    title: str,
    unit: str,
    results: Mapping[str, Result],
    remarks: Sequence[str] = (),
    beside: Sequence[str] | None = None,
) -> str:
    """A table with a row for each contestant, the first one ours, and the remarks below it.

    Ours is compared with everybody; or everybody with those whose names are `beside`, as far as
    they took part.
    """
    compared = _comparisons(results, beside)
    known = [result for result in results.values() if not isinstance(result, str)]
    with_longest = any(result.longest is not None for result in known)
    columns = ("median", "min - max", *compared, "cpu us", "busy", "load", "p50 ms", "p99 ms")
    columns += ("max ms", "MiB") if with_longest else ("MiB",)
    rows: list[tuple[str, ...]] = [("", *columns)]
    notes = [f"  {remark}" for remark in remarks]
    for name, result in results.items():
        if isinstance(result, str):
            rows.append((name, "failed", *[""] * (len(columns) - 1)))
            notes.append(f"  {name} failed: {result}")
        else:
            ratios = [compare(result) for compare in compared.values()]
            longest = [_milliseconds(result.longest)] if with_longest else []
            rows.append((name, *_cells(result, ratios, longest)))
    return "\n".join([f"{title} ({unit})", *_aligned(rows), *notes])


def _comparisons(
    results: Mapping[str, Result], beside: Sequence[str] | None
) -> dict[str, Callable[[Summary], str]]:
    """Title -> what a column of ratios says of one result."""
    if beside is None:
        ours = next(iter(results.values()))
        return {"ours is": lambda result: _compared(ours, result, result is ours)}
    return {f"of {name}": partial(_part_of, results[name]) for name in beside if name in results}


def _cells(result: Summary, ratios: Sequence[str], longest: Sequence[str]) -> tuple[str, ...]:
    return (
        _number(result.median),
        f"{_number(result.least)} - {_number(result.most)}",
        *ratios,
        f"{result.cost * 1e6:.3g}",
        f"{result.busy:.0%}",
        f"{result.load:.0%}",
        _milliseconds(result.p50),
        _milliseconds(result.p99),
        *longest,
        f"{result.memory / 2**20:.0f}",
    )


def _part_of(reference: Result, result: Summary) -> str:
    return _compared(result, reference, result is reference)


def _compared(one: Result, other: Result, same: bool) -> str:
    """How many times as good as the other the one is."""
    if same or isinstance(one, str) or isinstance(other, str):
        return "-"
    times = ratio(one, other)
    return "unsteady" if times is None else f"{times:.2f} x"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.3g}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
