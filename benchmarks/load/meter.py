"""What was done between two moments, and what the server took for it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.figures import Sample, percentile
from benchmarks.load import Target


class Meter:
    """Begins when it is made."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._worked = target.worked()
        self._loaded = time.process_time()
        self.began = time.perf_counter()

    def sample(self, amount: float, latencies: Sequence[float] = ()) -> Sample:
        """What it comes to until now; the latencies are in seconds."""
        seconds = time.perf_counter() - self.began
        return Sample(
            amount=amount,
            seconds=seconds,
            worked=self._target.worked() - self._worked,
            memory=self._target.memory(),
            p50=percentile(latencies, 0.50),
            p99=percentile(latencies, 0.99),
            loaded=time.process_time() - self._loaded,
        )
