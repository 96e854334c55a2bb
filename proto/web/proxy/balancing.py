"""Which of several servers gets a request: one function for each way to choose.

A way is given those that may be asked, at least one, and never all that there are: who is down,
drained or full was left out by `servers`.  Knows neither health nor sockets.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from random import Random
from typing import Final, Protocol, TypeVar


class Candidate(Protocol):
    """What is looked at of a server."""

    name: str
    active: int
    credit: float
    """What it is owed, in weights: the memory of round robin, which nobody else touches."""

    def weight(self, now: float) -> float:
        """How much it gets beside the others; above 0."""


C = TypeVar("C", bound=Candidate)

_Choose = Callable[[Sequence[C], str, float, Random], C]


def round_robin(found: Sequence[C], client: str, now: float, rng: Random) -> C:
    """Each in turn, as often as its weight says, and spread: 5:1:1 gives a a b a c a a.

    Smooth weighted round robin, as in nginx: everybody is given their weight, who has most is
    chosen and pays for all.
    """
    best = found[0]
    total = 0.0
    for each in found:
        weight = each.weight(now)
        each.credit += weight
        total += weight
        if each.credit > best.credit:
            best = each
    best.credit -= total
    return best


def least_conn(found: Sequence[C], client: str, now: float, rng: Random) -> C:
    """The one with the fewest requests under way for its weight; of several, in turn."""
    loads = [each.active / each.weight(now) for each in found]
    least = min(loads)
    ties = [each for each, load in zip(found, loads, strict=True) if load == least]
    return ties[0] if len(ties) == 1 else round_robin(ties, client, now, rng)


def ip_hash(found: Sequence[C], client: str, now: float, rng: Random) -> C:
    """Always the same one for the same network of clients.

    Rendezvous hashing with weights (Thaler and Ravishankar 1998): when a server goes, only its own
    clients move, to all others by weight; when it comes back they return.
    """
    network = network_of(client)
    return min(found, key=lambda each: _distance(network, each.name) / each.weight(now))


def random(found: Sequence[C], client: str, now: float, rng: Random) -> C:
    """Any, by weight."""
    return rng.choices(found, [each.weight(now) for each in found])[0]


def random_two(found: Sequence[C], client: str, now: float, rng: Random) -> C:
    """Of any two, by weight, the one with fewer requests under way for its weight.

    Several processes that choose for themselves do not all run to the same server, as they do with
    least_conn (Mitzenmacher, The Power of Two Choices, 2001).
    """
    one = random(found, client, now, rng)
    if len(found) == 1:
        return one
    other = random([each for each in found if each is not one], client, now, rng)
    return other if other.active / other.weight(now) < one.active / one.weight(now) else one


METHODS: Final[Mapping[str, _Choose[Candidate]]] = {
    "round_robin": round_robin,
    "least_conn": least_conn,
    "ip_hash": ip_hash,
    "random": random,
    "random_two": random_two,
}
"""The ways to choose, by the names that nginx has for them."""


@lru_cache(maxsize=4096)
def network_of(client: str) -> str:
    """Who counts as one client: an IPv4 /24, as in nginx, an IPv6 /64; else the text itself."""
    try:
        ip = ipaddress.ip_address(client)
    except ValueError:
        return client
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        ip = mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


@lru_cache(maxsize=16_384)
def _distance(network: str, name: str) -> float:
    """How far a network is from a server: the same everywhere, exponentially distributed."""
    digest = blake2b(f"{network} {name}".encode("utf-8", "surrogateescape"), digest_size=8)
    return -math.log((int.from_bytes(digest.digest(), "big") + 0.5) / 2.0**64)
