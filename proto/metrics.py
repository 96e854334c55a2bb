"""What is counted, and how it is told to Prometheus.

The hot path adds to plain integers (`Tally.value += 1`); they are read only when somebody asks.
A `Metrics` belongs to one process and is handed to every service in it.
Text format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.utils import floatToGoString

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
PREFIX: Final = "proto_"

LATENCY_SECONDS: Final = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Tally:
    """An integer that only grows; add to `value` directly."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Distribution:
    """How many values there were up to each of some bounds, and their sum; for one thread."""

    __slots__ = ("_bounds", "_counts", "_help", "_name", "_sum")

    def __init__(self, name: str, help: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._help = help
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    # Metrics calls this.
    def metric(self) -> Metric:
        """What is told of it: each bucket counts what is in those below as well."""
        buckets = []
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            buckets.append((floatToGoString(bound), float(total)))
        return HistogramMetricFamily(self._name, self._help, buckets, self._sum)


@dataclass
class _Family:
    """One metric name: its help text and a reader for each set of label values."""

    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    help: str
    labels: tuple[str, ...]
    readers: dict[tuple[str, ...], Callable[[], float]] = field(default_factory=dict)


class Metrics:
    """The counters, gauges and histograms of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._families: dict[str, _Family] = {}
        self._tallies: dict[tuple[str, tuple[tuple[str, str], ...]], Tally] = {}
        self._histograms: dict[str, Distribution] = {}
        self._registry.register(self)

    def tally(self, name: str, help: str, **labels: str) -> Tally:
        """The counter of that name and those labels; asking twice gives the same one."""
        key = (name, tuple(labels.items()))
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
            self._add(CounterMetricFamily, name, help, lambda: tally.value, labels)
        return tally

    def gauge(self, name: str, help: str, read: Callable[[], float], **labels: str) -> None:
        """A value that is read when Prometheus asks; the newest reader of a name counts."""
        self._add(GaugeMetricFamily, name, help, read, labels)

    def histogram(
        self, name: str, help: str, buckets: Sequence[float] = LATENCY_SECONDS
    ) -> Distribution:
        """A distribution; asking twice gives the same one."""
        found = self._histograms.get(name)
        if found is None:
            found = self._histograms[name] = Distribution(PREFIX + name, help, buckets)
        return found

    def render(self) -> bytes:
        """All of it in Prometheus' text format; send it as `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    # prometheus_client calls this.
    def collect(self) -> Iterable[Metric]:
        for name, family in self._families.items():
            metric = family.kind(PREFIX + name, family.help, labels=family.labels)
            for values, read in family.readers.items():
                metric.add_metric(values, read())
            yield metric
        for histogram in self._histograms.values():
            yield histogram.metric()

    def _add(
        self,
        kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
        name: str,
        help: str,
        read: Callable[[], float],
        labels: dict[str, str],
    ) -> None:
        family = self._families.setdefault(name, _Family(kind, help, tuple(labels)))
        if family.kind is not kind:
            raise ValueError(f"{name} is a {family.kind.__name__} already")
        if family.labels != tuple(labels):
            raise ValueError(f"{name} has the labels {family.labels}, not {tuple(labels)}")
        family.readers[tuple(labels.values())] = read
