from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address, IPv6Address

from proto.limits import TokenBucket
from proto.metrics import Tally
from proto.web.pacing import Pace, Rate
from proto.web.request import WebRequest
from proto.web.response import HTTPError


def request(host: str) -> WebRequest:
    """A request from that address, which is all that is looked at."""
    kind: Any = IPv6Address if ":" in host else IPv4Address
    return cast(WebRequest, SimpleNamespace(client=kind("TCP", host, 4242)))


def pace_of(now: list[float], most: int = 10) -> Pace:
    return Pace(lambda: TokenBucket(2, 0.5, now[0]), lambda: now[0], most)


def too_soon(pace: Pace, host: str) -> int:
    """After how many seconds they are to come back."""
    with pytest.raises(HTTPError) as caught:
        pace.check(request(host))
    assert caught.value.status == 429
    return int(dict(caught.value.headers)["Retry-After"])


def test_who_is_too_fast_may_go_on_after_the_time_they_are_told() -> None:
    now = [100.0]
    pace = pace_of(now)
    for _ in range(2):
        pace.check(request("192.0.2.1"))
    assert too_soon(pace, "192.0.2.1") == 2
    pace.check(request("192.0.2.2"))
    now[0] += too_soon(pace, "192.0.2.1")
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


def test_those_that_are_refused_are_counted() -> None:
    refused = Tally()
    pace = Pace(lambda: TokenBucket(1, 1, 0), lambda: 0, refused=refused)
    pace.check(request("192.0.2.1"))
    too_soon(pace, "192.0.2.1")
    assert refused.value == 1


@pytest.mark.parametrize(
    ("text", "per_second", "burst"),
    [
        ("/api=10/s", 10, 10),
        ("/api=10/s burst=20", 10, 20),
        ("/api=30/m", 0.5, 30),
        ("/api=36/h burst=1", 0.01, 1),
    ],
)
def test_a_rate_is_written_with_its_unit(text: str, per_second: float, burst: int) -> None:
    rate = Rate.parse(text)
    assert (rate.prefix.parts, rate.per_second, rate.burst) == (("api",), per_second, burst)


@pytest.mark.parametrize(
    "text",
    [
        *["", "/api", "/api=", "/api=10", "/api=0/s", "/api=10/d", "api=10/s", "/api=1.5/s"],
        *["/a=1/s ", "/a=1/s burst=0", "/a=1/s burst=", "/a=1/s  burst=2", "/a=-1/s", "/a=1e3/s"],
        "/a?b=1/s",
    ],
)
def test_a_rate_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rate|query"):
        Rate.parse(text)
