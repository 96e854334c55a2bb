"""What one peer may take, and what all may take together.  No sockets, no reactor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from proto.errors import PeerError

MINUTE: Final = 60.0
GRACE: Final = 1.0
"""Seconds that more may wait for a slow peer than its queue may hold: what many say in one turn of
the reactor comes before the transport can send any of it."""
SLACK: Final = 4
"""So many times what a queue may hold is too much at once."""
SWEEP_EVERY: Final = 1024
"""Newcomers between two clean-ups of addresses that left more than a minute ago."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one service; 0 means no limit."""

    connections: int = 10_000
    """open at the same time, in all"""
    per_address: int = 0
    """open at the same time from one address (IPv6: from one /64)"""
    per_minute: int = 0
    """new ones within any 60 seconds from one address (IPv6: from one /64)"""
    accept_rate: int = 0
    """new ones a second, in all; what comes faster waits in the kernel's queue"""
    idle: float = 0.0
    """seconds without a byte from a peer until it is hung up on"""


class TooMany(PeerError):
    """A limit is reached; `reason` is the word for it in the metrics, `retry_after` in seconds."""

    def __init__(self, text: str, reason: str, retry_after: int) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(slots=True)
class _Address:
    """What one address holds: open connections, and when its newest ones came."""

    open: int = 0
    arrivals: deque[float] = field(default_factory=deque)


class Admissions:
    """Who is in, and who may come in.  One for each service, shared by all its doors.

    Memory: one small record for each address that is connected or came within the last minute,
    plus at most `SWEEP_EVERY` stale ones.
    """

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        """`now` returns seconds of a clock that never goes back."""
        self.limits = limits
        self.open = 0
        self._now = now
        self._addresses: dict[str, _Address] = {}
        self._newcomers = 0

    def admit(self, group: str) -> None:
        """Count one more connection, which has an address already.  Raises `TooMany`."""
        self.enter()
        try:
            self.claim(group)
        except TooMany:
            self.leave()
            raise

    def enter(self) -> None:
        """Count one more connection.  Raises `TooMany` when the service is full."""
        limit = self.limits.connections
        if limit and self.open >= limit:
            raise TooMany(f"the server is full ({limit} connections); try again later", "full", 30)
        self.open += 1

    def claim(self, group: str) -> None:
        """Count an entered connection for its address.  Raises `TooMany` above a limit."""
        limits = self.limits
        address = self._addresses.get(group)
        if address is None:
            self._sweep()
            address = self._addresses[group] = _Address()
        if limits.per_address and address.open >= limits.per_address:
            raise TooMany(
                f"{limits.per_address} connections from your address are open already; "
                "close one first",
                "per-address",
                10,
            )
        if limits.per_minute:
            self._count_arrival(address, limits.per_minute)
        address.open += 1

    def unclaim(self, group: str) -> None:
        """A claimed connection is gone."""
        address = self._addresses[group]
        address.open -= 1
        if not address.open and not address.arrivals:
            del self._addresses[group]

    def leave(self) -> None:
        """An entered connection is gone."""
        self.open -= 1

    def _count_arrival(self, address: _Address, limit: int) -> None:
        now = self._now()
        arrivals = address.arrivals
        while arrivals and arrivals[0] <= now - MINUTE:
            arrivals.popleft()
        if len(arrivals) >= limit:
            wait = max(1, ceil(arrivals[-limit] + MINUTE - now))
            raise TooMany(
                f"more than {limit} new connections a minute from your address; "
                f"try again in {wait} s",
                "per-minute",
                wait,
            )
        arrivals.append(now)

    def _sweep(self) -> None:
        """Forget addresses that left more than a minute ago, once in `SWEEP_EVERY` newcomers."""
        self._newcomers += 1
        if self._newcomers < SWEEP_EVERY:
            return
        self._newcomers = 0
        oldest = self._now() - MINUTE
        self._addresses = {
            group: address
            for group, address in self._addresses.items()
            if address.open or (address.arrivals and address.arrivals[-1] > oldest)
        }


class TokenBucket:
    """`burst` tokens at once, then `rate` a second; a rate of 0 sets no limit.

    It is told the time, which may be set back: that costs no tokens.
    """

    __slots__ = ("_burst", "_rate", "_since", "_tokens")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._tokens = float(burst)
        self._since = now

    def take(self, now: float) -> float:
        """Take one token and return 0, or take none and return the seconds until there is one."""
        if not self._rate:
            return 0.0
        wait = self._until_one(now)
        if not wait:
            self._tokens -= 1
        return wait

    def spend(self, now: float) -> float:
        """Take one token, there or not; return the seconds until the next may be taken."""
        if not self._rate:
            return 0.0
        self._until_one(now)
        self._tokens -= 1
        return self._until_one(now)

    def _until_one(self, now: float) -> float:
        passed = max(0.0, now - self._since)
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        self._since = now
        # A timer may fire a rounding error early; without this it would be set again for nothing.
        return 0.0 if self._tokens > 1 - 1e-6 else (1 - self._tokens) / self._rate
