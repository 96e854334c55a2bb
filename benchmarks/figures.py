"""What the rounds of a contestant come to.  Pure: numbers in, numbers out."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

NOISY: Final = 0.30
"""The interquartile range, as a part of the median, above which rounds disagree too much.

The interquartile range and not max/min: one round that something disturbed says nothing about the
others, and the spread that is printed shows it anyway.  With three rounds it is half the spread.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of `seconds`: how much was done in it, and how long one took (seconds; None where
    nobody waits for an answer).

    `worked` is the seconds that the server was on a core, `loaded` those that the load generator
    was, `memory` the server's resident bytes at the end, its peers still connected.  `longest` is
    what the slowest one took, where that is of interest; `before` what was done before the round
    began; `grown` the bytes that the server's memory grew by in it.
    """

    amount: float
    seconds: float
    worked: float
    memory: int
    p50: float | None = None
    p99: float | None = None
    loaded: float = 0.0
    longest: float | None = None
    before: float = 0.0
    grown: float = 0.0

    @property
    def rate(self) -> float:
        """How much was done a second."""
        return self.amount / self.seconds

    @property
    def cost(self) -> float:
        """Seconds on a core for one."""
        return self.worked / self.amount if self.amount else 0.0

    @property
    def busy(self) -> float:
        """The part of the time in which the server was on a core; more than 1 on several."""
        return self.worked / self.seconds

    @property
    def load(self) -> float:
        """The part of the time in which the load generator was on a core."""
        return self.loaded / self.seconds


class Figure(Enum):
    """What the rounds of a case are compared by.

    RATE    how much was done a second
    WAIT    milliseconds that all but one in a hundred did not wait longer than
    GROWTH  KiB of the server's memory for each of what was done
    """

    RATE = "rate"
    WAIT = "wait"
    GROWTH = "growth"

    @property
    def less(self) -> bool:
        """Less of it is better."""
        return self is not Figure.RATE

    def of(self, sample: Sample) -> float:
        """Of one round, which has a p99 or an amount if that is asked for."""
        if self is Figure.WAIT:
            return (sample.p99 or 0.0) * 1000
        if self is Figure.GROWTH:
            return sample.grown / sample.amount / 1024
        return sample.rate


@dataclass(frozen=True, slots=True)
class Summary:
    """All rounds of one contestant.

    `median`, `least`, `most` and `noisy` are of the figure that the case is about; of that, `less`
    is better or more is.  `longest` is the longest wait of all rounds in seconds, where it was
    measured.
    """

    median: float
    least: float
    most: float
    noisy: bool
    cost: float
    busy: float
    load: float
    memory: float
    p50: float | None
    p99: float | None
    less: bool = False
    longest: float | None = None


Result = Summary | str
"""What a contestant achieved, or why there is nothing to show."""


def summary(samples: Sequence[Sample], figure: Figure = Figure.RATE) -> Summary:
    """Medians and spread of at least one round."""
    values = [figure.of(sample) for sample in samples]
    return Summary(
        median=statistics.median(values),
        least=min(values),
        most=max(values),
        noisy=is_noisy(values),
        cost=statistics.median(sample.cost for sample in samples),
        busy=statistics.median(sample.busy for sample in samples),
        load=statistics.median(sample.load for sample in samples),
        memory=statistics.median(sample.memory for sample in samples),
        p50=_median_of([sample.p50 for sample in samples]),
        p99=_median_of([sample.p99 for sample in samples]),
        less=figure.less,
        longest=max((each.longest for each in samples if each.longest is not None), default=None),
    )


def is_noisy(values: Sequence[float]) -> bool:
    """Whether the rounds disagree so much that their median should not be compared."""
    if len(values) < 2:
        return False
    first, middle, third = statistics.quantiles(values, n=4, method="inclusive")
    return third - first > NOISY * middle


def ratio(ours: Summary, theirs: Summary) -> float | None:
    """How many times as good as theirs ours is; None if either is too noisy to say."""
    if ours.noisy or theirs.noisy or ours.median <= 0 or theirs.median <= 0:
        return None
    return theirs.median / ours.median if ours.less else ours.median / theirs.median


def percentile(values: Sequence[float], part: float) -> float | None:
    """The value that `part` (0 to 1) of the values do not exceed; None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _median_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
