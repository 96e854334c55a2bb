"""The figures of a case as lines of text.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.figures import Summary, ratio

Result = Summary | str
"""What a contestant achieved, or why there is nothing to show."""

_COLUMNS = ("median", "min - max", "ours is", "cpu us", "busy", "load", "p50 ms", "p99 ms", "MiB")


def render(
    title: str, unit: str, results: Mapping[str, Result], remarks: Sequence[str] = ()
) -> str:
    """A table with a row for each contestant, the first one ours, and the remarks below it."""
    ours = next(iter(results.values()))
    rows: list[tuple[str, ...]] = [("", *_COLUMNS)]
    notes = [f"  {remark}" for remark in remarks]
    for name, result in results.items():
        if isinstance(result, str):
            rows.append((name, "failed", *[""] * (len(_COLUMNS) - 1)))
            notes.append(f"  {name} failed: {result}")
        else:
            rows.append((name, *_cells(result, ours)))
    return "\n".join([f"{title} ({unit})", *_aligned(rows), *notes])


def _cells(result: Summary, ours: Result) -> tuple[str, ...]:
    return (
        _number(result.median),
        f"{_number(result.least)} - {_number(result.most)}",
        _compared(result, ours),
        f"{result.cost * 1e6:.3g}",
        f"{result.busy:.0%}",
        f"{result.load:.0%}",
        _milliseconds(result.p50),
        _milliseconds(result.p99),
        f"{result.memory / 2**20:.0f}",
    )


def _compared(result: Summary, ours: Result) -> str:
    if result is ours or isinstance(ours, str):
        return "-"
    times = ratio(ours, result)
    return "noisy" if times is None else f"{times:.2f} x"


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
