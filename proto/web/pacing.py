"""How often one address may ask: token buckets that are made when somebody comes, and forgotten."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

from proto.addresses import group_of, host_of
from proto.limits import TokenBucket
from proto.metrics import Tally
from proto.web.prefix import Prefix
from proto.web.request import WebRequest
from proto.web.response import HTTPError

ADDRESSES: Final = 10_000
"""Addresses whose speed is remembered; of more, those that were quiet the longest are forgotten."""

_RATE: Final = re.compile(r"(/[^=]*)=([1-9][0-9]{0,5})/([smh])(?: burst=([1-9][0-9]{0,5}))?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second below a path, after `burst` at once, from one address."""

    prefix: Prefix
    per_second: float
    burst: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """`/api=10/s burst=20`; per s, m or h.  Without a burst, as many at once as in one unit.

        Raises ValueError with the reason.
        """
        match = _RATE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no path with a rate")
        path, count, unit, burst = match.groups()
        return cls(Prefix.parse(path), int(count) / _SECONDS[unit], int(burst or count))

    def bucket(self, now: float) -> TokenBucket:
        """What an address begins with."""
        return TokenBucket(self.burst, self.per_second, now)


class Pace:
    """One kind of request, by address (IPv6: by /64)."""

    def __init__(
        self,
        bucket: Callable[[], TokenBucket],
        now: Callable[[], float],
        most: int = ADDRESSES,
        refused: Tally | None = None,
    ) -> None:
        """`bucket` is what a newcomer gets; `now` returns the seconds that it counts in; `refused`
        counts those that came too soon."""
        self._bucket = bucket
        self._now = now
        self._most = most
        self._refused = refused or Tally()
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def check(self, request: WebRequest) -> None:
        """Count a request.  Raises HTTPError, 429, when it comes too soon."""
        group = group_of(host_of(request.client))
        bucket = self._buckets.pop(group, None) or self._bucket()
        self._buckets[group] = bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        wait = bucket.take(self._now())
        if wait:
            self._refused.value += 1
            again = [("Retry-After", str(max(1, ceil(wait))))]
            raise HTTPError(429, "That is too fast; wait a moment.", again)
