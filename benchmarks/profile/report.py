"""What was found of a subject, as lines of text.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.profile.calls import Calls
from benchmarks.profile.rounds import Cost, Found
from benchmarks.profile.stacks import Row

TOP: Final = 20
"""Functions in each table."""
MOST_CALLS: Final = 6
"""System calls that are named."""


def render(found: Found, top: int = TOP) -> str:
    """The cost of one, the threads, the kernel's part, and the functions by own and by total time.

    Microseconds are of the round that nobody looked at, and those beside perf's parts of perf's
    round.  A function has none: a sample of py-spy's may be of a thread that waits for a core or
    for the disk.
    """
    subject, profile = found.subject, found.profile
    lines = [subject.title, *_costs(found.cost, subject.one, subject.many)]
    threads = ", ".join(
        f"{name} {count / profile.samples:.0%}"
        for name, count in sorted(profile.threads.items(), key=lambda item: -item[1])
    )
    lines.append(
        f"  py-spy   {profile.samples:,} samples: {threads or 'none'}; "
        f"left out as waiting for a lock: {profile.waiting:,}"
    )
    lines.append(f"  {_calls(found.calls, found.beside_perf.sample.cost * 1e6)}")
    for title, rows in (
        ("the function itself", [(row, row.own) for row in profile.by_own(top)]),
        ("with what it calls", [(row, row.total) for row in profile.by_total(top)]),
    ):
        lines += ["", f"  {title}", *_table(rows, profile.samples)]
    return "\n".join(lines)


def _costs(cost: Cost, one: str, many: str) -> list[str]:
    sample = cost.sample
    # The clock of /proc is coarse, but it alone tells the two apart.
    ticks = cost.user + cost.system
    user = cost.user / ticks if ticks else 0.0
    each = sample.cost * 1e6
    told = [_micro(part * each, each) for part in (1, user, 1 - user)]
    return [
        f"  rate     {sample.rate:,.0f} {many} a second, on a core {sample.busy:.0%} of the time",
        f"  CPU      user {cost.user:.2f} s, system {cost.system:.2f} s in {sample.seconds:.2f} s",
        f"  each     {told[0]} us of CPU for a {one}: user {told[1]}, system {told[2]}",
    ]


def _calls(calls: Calls | str, each: float) -> str:
    if isinstance(calls, str):
        return calls
    if not calls.samples:
        return "perf: saw nothing"
    named = list(calls.by_name.items())
    parts = [f"{name} {_part(count, calls.samples, each)}" for name, count in named[:MOST_CALLS]]
    whole = _part(calls.in_kernel, calls.samples, each)
    return f"perf     {calls.samples:,} samples, {_micro(each, each)} us each: kernel {whole}" + (
        f": {', '.join(parts)}" if parts else ""
    )


def _part(count: int, samples: int, each: float) -> str:
    return f"{count / samples:.0%} ({_micro(each * count / samples, each)} us)"


def _micro(microseconds: float, each: float) -> str:
    """With as many decimals as parts of `each` need."""
    return f"{microseconds:.{1 if each > 20 else 2 if each > 1 else 3}f}"


def _table(rows: Sequence[tuple[Row, int]], samples: int) -> list[str]:
    width = max((len(row.function.name) for row, _ in rows), default=0)
    return [
        f"  {count / samples:6.1%}  {row.function.name:{width}}  {row.function.place}".rstrip()
        for row, count in rows
    ]
