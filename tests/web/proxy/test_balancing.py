"""Each way to choose, over many choices: random ones from a fixed seed, so every run is the same.

Pearson's chi-square tells how far counts are from what was promised; the bound is the value that
one fair run of a thousand exceeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import pairwise
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.proxy.balancing import METHODS, network_of

RARE: Final = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47}
"""By degrees of freedom."""
WEIGHTS: Final = st.lists(st.integers(1, 20), min_size=1, max_size=8)


@dataclass
class One:
    name: str
    share: float = 1.0
    active: int = 0
    credit: float = 0.0

    def weight(self, now: float) -> float:
        return self.share


def servers(*weights: float) -> list[One]:
    return [One("abcdefgh"[place], weight) for place, weight in enumerate(weights)]


def picks(method: str, found: Sequence[One], count: int, client: str = "192.0.2.1") -> str:
    """The names of those that are chosen, one after another; no request ever ends."""
    rng = Random(7)
    names = []
    for _ in range(count):
        one = METHODS[method](found, client, 0.0, rng)
        assert isinstance(one, One)
        one.active += 1
        names.append(one.name)
    return "".join(names)


def chi_square(names: Sequence[str], found: Sequence[One]) -> float:
    counts, total = Counter(names), sum(one.share for one in found)
    promised = {one.name: len(names) * one.share / total for one in found}
    return sum((counts[name] - many) ** 2 / many for name, many in promised.items())


def clients(count: int) -> list[str]:
    """Addresses of networks all over the world."""
    rng = Random(3)
    return [str(IPv4Address(rng.getrandbits(32))) for _ in range(count)]


def homes(found: Sequence[One], addresses: Sequence[str]) -> list[str]:
    return [picks("ip_hash", found, 1, address) for address in addresses]


def test_round_robin_takes_equals_in_turn() -> None:
    assert picks("round_robin", servers(1, 1, 1), 7) == "abcabca"


def test_round_robin_spreads_who_weighs_more() -> None:
    assert picks("round_robin", servers(5, 1, 1), 14) == "aabacaaaabacaa"


@given(WEIGHTS)
def test_any_window_of_round_robin_holds_the_weights_to_the_pick(weights: list[int]) -> None:
    found, window = servers(*weights), sum(weights)
    names = picks("round_robin", found, window * 3)
    for start in range(window * 2):
        assert Counter(names[start : start + window]) == {one.name: one.share for one in found}


@given(WEIGHTS)
def test_round_robin_never_owes_anybody_more_than_a_round(weights: list[int]) -> None:
    found = servers(*weights)
    picks("round_robin", found, 50)
    assert all(abs(one.credit) <= sum(weights) for one in found)


@given(WEIGHTS)
def test_least_conn_fills_all_by_their_weight(weights: list[int]) -> None:
    found = servers(*weights)
    picks("least_conn", found, 3 * sum(weights))
    assert [one.active for one in found] == [3 * one.share for one in found]


def test_least_conn_goes_where_requests_end_sooner() -> None:
    quick, slow = found = servers(1, 1)
    slow.active = 5
    assert picks("least_conn", found, 5) == "aaaaa"
    quick.active = 0
    assert picks("least_conn", found, 1) == "a"


def test_least_conn_takes_equals_in_turn() -> None:
    found = servers(1, 2, 1)
    names = []
    for _ in range(8):
        names.append(picks("least_conn", found, 1))
        for one in found:
            one.active = 0
    assert "".join(names) == "bacbbacb"


@pytest.mark.parametrize("method", ["random", "random_two"])
@pytest.mark.parametrize("weights", [(1, 1), (1, 1, 1, 1, 1), (5, 3, 2), (50, 1, 1)])
def test_random_choices_come_by_weight_where_nothing_is_under_way(
    method: str, weights: tuple[int, ...]
) -> None:
    found, rng = servers(*weights), Random(11)
    names = [METHODS[method](found, "", 0.0, rng).name for _ in range(20_000)]
    assert chi_square(names, found) < RARE[len(weights) - 1]


def test_random_is_not_in_turn() -> None:
    names = picks("random", servers(1, 1), 1_000)
    assert 400 < sum(one != other for one, other in pairwise(names)) < 600


def test_random_two_never_takes_the_one_with_the_most_under_way() -> None:
    found, rng = servers(1, 1, 1, 1), Random(5)
    found[2].active = 1
    names = [METHODS["random_two"](found, "", 0.0, rng).name for _ in range(1_000)]
    assert Counter(names).keys() == {"a", "b", "d"}


def test_random_two_keeps_the_load_far_more_even_than_random() -> None:
    even, uneven = servers(*[1] * 8), servers(*[1] * 8)
    picks("random_two", even, 8_000)
    picks("random", uneven, 8_000)
    assert all(abs(one.active - 1_000) <= 3 for one in even)
    assert any(abs(one.active - 1_000) > 20 for one in uneven)


def test_random_two_weighs_what_is_under_way() -> None:
    found = servers(3, 1)
    picks("random_two", found, 400)
    assert [one.active for one in found] == [300, 100]


def test_random_two_of_one_is_that_one() -> None:
    assert picks("random_two", servers(2), 3) == "aaa"


@pytest.mark.parametrize("weights", [(1, 1, 1), (5, 3, 2), (1, 1, 1, 1, 1), (0.1, 1)])
def test_ip_hash_shares_the_networks_by_weight(weights: tuple[float, ...]) -> None:
    found = servers(*weights)
    assert chi_square(homes(found, clients(10_000)), found) < RARE[len(weights) - 1]


def test_ip_hash_sends_a_network_to_one_server_only() -> None:
    found = servers(1, 2, 3)
    assert len(set(picks("ip_hash", found, 20))) == 1
    network = [f"198.51.100.{last}" for last in range(256)]
    assert len(set(homes(found, network))) == 1
    assert len(set(homes(found, [f"2001:db8:1:2::{last:x}" for last in range(256)]))) == 1
    assert set(homes(found, [f"2001:db8:1:{net:x}::1" for net in range(64)])) == set("abc")


def test_ip_hash_does_not_care_for_the_order_of_the_servers() -> None:
    found = servers(1, 2, 3)
    assert homes(found, clients(200)) == homes(found[::-1], clients(200))


def test_when_a_server_goes_only_its_own_clients_move_and_to_all_others() -> None:
    found, addresses = servers(1, 2, 3, 1), clients(2_000)
    before = homes(found, addresses)
    after = homes([one for one in found if one.name != "c"], addresses)
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {old for old, _ in moved} == {"c"}
    assert len(moved) == before.count("c")
    assert chi_square([new for _, new in moved], [*servers(1, 2), One("d")]) < RARE[2]


def test_when_a_server_gets_more_weight_clients_move_only_to_it() -> None:
    found, addresses = servers(1, 1, 1), clients(2_000)
    before = homes(found, addresses)
    found[0].share = 2
    after = homes(found, addresses)
    moved = {(old, new) for old, new in zip(before, after, strict=True) if old != new}
    assert moved == {("b", "a"), ("c", "a")}


@given(
    st.sampled_from(sorted(METHODS)),
    st.lists(st.tuples(st.floats(0.1, 1e4), st.integers(0, 1_000)), min_size=1, max_size=8),
    st.text(),
    st.integers(0, 99),
)
def test_whatever_is_offered_one_of_it_is_chosen(
    method: str, offered: list[tuple[float, int]], client: str, seed: int
) -> None:
    found = [One("abcdefgh"[at], share, active) for at, (share, active) in enumerate(offered)]
    assert METHODS[method](found, client, 0.0, Random(seed)) in found


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unix", "unix"),
        ("", ""),
    ],
)
def test_a_client_is_a_network(client: str, network: str) -> None:
    assert network_of(client) == network
