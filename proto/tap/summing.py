"""What several processes have counted, as one: Prometheus' text in, Prometheus' text out.

Knows no sockets and no processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

GROWING: Final = frozenset({"counter", "histogram"})
"""What a process that is gone has counted still counts."""

Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(slots=True)
class _Family:
    kind: str
    help: str
    samples: dict[Key, float] = field(default_factory=dict)


def summed(texts: Sequence[str]) -> str:
    """Each figure is the sum of theirs, in the order of the first that has it.

    One kind is none to add up: of latest delays (`_latest_seconds`) the longest counts.
    """
    return _written(_added(texts))


def outlasting(texts: Sequence[str]) -> str:
    """The same of what only grows: what remains of processes that are gone."""
    families = _added(texts)
    return _written({name: each for name, each in families.items() if each.kind in GROWING})


def _added(texts: Sequence[str]) -> dict[str, _Family]:
    families: dict[str, _Family] = {}
    for text in texts:
        for metric in text_string_to_metric_families(text):
            family = families.setdefault(metric.name, _Family(metric.type, metric.documentation))
            for sample in metric.samples:
                key = (sample.name, tuple(sample.labels.items()))
                have = family.samples.get(key)
                family.samples[key] = (
                    sample.value if have is None else _together(metric.name, have, sample.value)
                )
    return families


def _together(name: str, one: float, other: float) -> float:
    if name.endswith("_latest_seconds"):
        return max(one, other)
    return one + other


class _Figures:
    """A collector, as prometheus_client wants one."""

    def __init__(self, families: dict[str, _Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for name, family in self._families.items():
            metric = Metric(name, family.help, family.kind)
            for (sample, labels), value in family.samples.items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


def _written(families: dict[str, _Family]) -> str:
    registry = CollectorRegistry()
    registry.register(_Figures(families))
    return generate_latest(registry).decode()
