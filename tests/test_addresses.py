"""What a peer is called, and which peers share a limit."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from proto.addresses import UNKNOWN, group_of, host_of, peer_name


@pytest.mark.parametrize(
    ("address", "host", "name"),
    [
        (IPv4Address("TCP", "192.0.2.7", 4242), "192.0.2.7", "192.0.2.7:4242"),
        (IPv6Address("TCP", "2001:db8::1", 4242), "2001:db8::1", "[2001:db8::1]:4242"),
        (IPv6Address("TCP", "2001:DB8:0:0::1", 1), "2001:db8::1", "[2001:db8::1]:1"),
        (IPv6Address("TCP", "::ffff:192.0.2.7", 4242), "192.0.2.7", "192.0.2.7:4242"),
        (IPv6Address("TCP", "fe80::1%eth0", 4242), "fe80::1", "[fe80::1]:4242"),
        (UNIXAddress("/run/chat.sock"), "unix", "unix"),
        (UNIXAddress(None), "unix", "unix"),
        (IPv4Address("TCP", "0.0.0.0", 0), "0.0.0.0", "0.0.0.0:0"),
        (IPv4Address("TCP", "not an address", 7), "not an address", "not an address:7"),
        (object(), UNKNOWN, UNKNOWN),
        (None, UNKNOWN, UNKNOWN),
        (("192.0.2.7", 4242), UNKNOWN, UNKNOWN),
    ],
)
def test_an_address_has_a_host_and_a_name(address: object, host: str, name: str) -> None:
    assert host_of(address) == host
    assert peer_name(address) == name


@pytest.mark.parametrize(
    ("host", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("unix", "unix"),
        (UNKNOWN, UNKNOWN),
    ],
)
def test_an_ipv6_address_shares_its_limits_with_its_64(host: str, group: str) -> None:
    assert group_of(host) == group


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_whoever_has_a_64_has_one_group(ip: ipaddress.IPv6Address, suffix: int) -> None:
    neighbour = ipaddress.IPv6Address((int(ip) >> 64 << 64) | suffix)
    stranger = ipaddress.IPv6Address(int(ip) ^ (1 << 64))
    assert group_of(str(ip)) == group_of(str(neighbour))
    assert group_of(str(ip)) != group_of(str(stranger))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_peer_over_a_dual_stack_socket(
    ip: ipaddress.IPv4Address,
) -> None:
    mapped = IPv6Address("TCP", f"::ffff:{ip}", 9)
    assert host_of(mapped) == str(ip) == group_of(host_of(mapped))
    assert peer_name(mapped) == peer_name(IPv4Address("TCP", str(ip), 9))
