from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address, IPv6Address

from proto.limits import TokenBucket
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.webchat.pace import Pace


def request(host: str) -> WebRequest:
    """A request from that address, which is all that is looked at."""
    kind: Any = IPv6Address if ":" in host else IPv4Address
    return cast(WebRequest, SimpleNamespace(client=kind("TCP", host, 4242)))


def pace_of(now: list[float], most: int = 10) -> Pace:
    return Pace(lambda: TokenBucket(2, 0.5, now[0]), lambda: now[0], most)


def too_soon(pace: Pace, host: str) -> str:
    """After how many seconds they are to come back."""
    with pytest.raises(HTTPError) as caught:
        pace.check(request(host))
    assert caught.value.status == 429
    return dict(caught.value.headers)["Retry-After"]


def test_who_is_too_fast_may_go_on_after_the_time_they_are_told() -> None:
    now = [100.0]
    pace = pace_of(now)
    for _ in range(2):
        pace.check(request("192.0.2.1"))
    assert int(too_soon(pace, "192.0.2.1")) >= 2
    pace.check(request("192.0.2.2"))
    now[0] += int(too_soon(pace, "192.0.2.1"))
    pace.check(request("192.0.2.1"))


def test_neighbours_of_one_ipv6_network_share_their_speed() -> None:
    pace = pace_of([0.0])
    pace.check(request("2001:db8:1::1"))
    pace.check(request("2001:db8:1::2"))
    too_soon(pace, "2001:db8:1::3")
    pace.check(request("2001:db8:2::1"))


def test_only_so_many_addresses_are_remembered_and_the_quietest_go() -> None:
    pace = pace_of([0.0], most=3)
    for _ in range(2):
        pace.check(request("192.0.2.1"))
    for number in range(2, 9):
        pace.check(request(f"192.0.2.{number}"))
        too_soon(pace, "192.0.2.1")
    assert len(pace) == 3
