"""How fast one client may speak: a token bucket that delays and never discards."""

from __future__ import annotations


class TokenBucket:
    """`burst` lines at once, then `rate` a second; a rate of 0 sets no limit.

    It is told the time; it has no clock.
    """

    __slots__ = ("_burst", "_rate", "_since", "_tokens")

    def __init__(self, burst: int, rate: float, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._since = now

    def take(self, now: float) -> float:
        """Take one token and return 0, or take none and return the seconds until there is one."""
        if not self._rate:
            return 0.0
        passed = max(0.0, now - self._since)
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        self._since = now
        # A timer may fire a rounding error early; without this it would be set again for nothing.
        if self._tokens > 1 - 1e-6:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate
