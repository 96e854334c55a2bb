"""How fast one address may ask: token buckets that are made when somebody comes, and forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from proto.addresses import group_of, host_of
from proto.limits import TokenBucket
from proto.web.request import WebRequest
from proto.web.response import HTTPError

ADDRESSES: Final = 10_000
"""Addresses whose speed is remembered; of more, those that were quiet the longest are forgotten."""


class Pace:
    """One kind of request, by address (IPv6: by /64)."""

    def __init__(
        self,
        bucket: Callable[[], TokenBucket],
        now: Callable[[], float],
        most: int = ADDRESSES,
    ) -> None:
        """`bucket` is what a newcomer gets; `now` returns the seconds that it counts in."""
        self._bucket = bucket
        self._now = now
        self._most = most
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
            again = [("Retry-After", str(int(wait) + 1))]
            raise HTTPError(429, "That is too fast; wait a moment.", again)
