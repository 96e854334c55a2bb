"""Results made by hand."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.figures import Summary
from benchmarks.report.results import Entry

FACTS = {"date": "2026-11-21 20:52 UTC", "machine": "a small one, 2 cores", "proto": "0.1.0"}


def summary(median: float, *, noisy: bool = False, less: bool = False) -> Summary:
    return Summary(
        median=median,
        least=median * 0.75,
        most=median * 1.25,
        noisy=noisy,
        cost=12.34e-6,
        busy=0.987,
        load=0.5,
        memory=50 * 2**20,
        p50=None,
        p99=None,
        less=less,
    )


def entry(**results: Summary | str) -> Entry:
    return Entry(
        benchmark="echo",
        title="echo: 64 bytes",
        unit="messages a second",
        results=results or {"proto": summary(300), "Go": summary(200)},
        date="2026-11-21 20:55 UTC",
        facts=FACTS,
    )


def of(benchmark: str, title: str) -> Entry:
    return replace(entry(), benchmark=benchmark, title=title)
