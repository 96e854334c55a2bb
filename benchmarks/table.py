"""The figures of a case as lines of text.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.figures import Result
from benchmarks.report.rows import rows


def render(
    title: str,
    unit: str,
    results: Mapping[str, Result],
    remarks: Sequence[str] = (),
    beside: Sequence[str] | None = None,
) -> str:
    """The table of `rows`, the remarks below it, and why somebody failed."""
    notes = [f"  {remark}" for remark in remarks]
    notes += [
        f"  {name} failed: {result}" for name, result in results.items() if isinstance(result, str)
    ]
    return "\n".join([f"{title} ({unit})", *_aligned(rows(results, beside)), *notes])


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
