"""What to call a peer, and which peers count as one.  Plain values, no sockets."""

from __future__ import annotations

import ipaddress
from typing import Final

UNKNOWN: Final = "unknown"


def host_of(address: object) -> str:
    """The peer's bare address: `192.0.2.7`, `2001:db8::1`, or `unix` for a unix socket.

    An IPv4 address that a dual-stack socket reports as `::ffff:192.0.2.7` is told as IPv4, and a
    link-local scope (`%eth0`) is dropped.
    """
    host = getattr(address, "host", None)
    if not isinstance(host, str):
        return "unix" if hasattr(address, "name") else UNKNOWN
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = getattr(ip, "ipv4_mapped", None)
    return str(mapped or ip)


def peer_name(address: object) -> str:
    """The peer as people write it: `192.0.2.7:4242`, `[2001:db8::1]:4242` or `unix`."""
    host = host_of(address)
    port = getattr(address, "port", None)
    if port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def group_of(host: str) -> str:
    """The group that shares the per-address limits: an IPv4 address, an IPv6 /64, or `unix`.

    One IPv6 subscriber is commonly given a whole /64 (RFC 6177), so single addresses bound nothing.
    """
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if ip.version == 4:
        return host
    return str(ipaddress.ip_network((ip, 64), strict=False))
