"""What one peer may take, and what all may take together.  No sockets, no reactor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from proto.errors import PeerError

MINUTE: Final = 60.0
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


class Bucket:
    """A token bucket: `rate` tokens a second, at most `burst` of them kept."""

    __slots__ = ("_now", "_tokens", "_when", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: Callable[[], float]) -> None:
        self.rate = rate
        self.burst = burst
        self._now = now
        self._tokens = burst
        self._when = now()

    def take(self) -> float:
        """Take one token; the result is the seconds to wait before the next may be taken."""
        now = self._now()
        passed = max(0.0, now - self._when)  # the reactor tells the time of day, which may be set
        self._tokens = min(self.burst, self._tokens + passed * self.rate) - 1
        self._when = now
        return max(0.0, (1 - self._tokens) / self.rate)
