"""The fields of a request as they go on to a server: who asked is told, and some end here.

What a client says of those before it (X-Forwarded-For and the like, RFC 7239's Forwarded) is
believed from trusted addresses only, and otherwise replaced.  Knows no request and no twisted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, NamedTuple

from proto.web.proxy.hops import HOP_BY_HOP, tokens
from proto.web.proxy.messages import Fields
from proto.web.response import HTTPError

Network = IPv4Network | IPv6Network

PSEUDONYM: Final = b"proto"
MOST_HOPS: Final = 16
"""Times that a request may have come through here: it might come again for ever."""

_TOLD: Final = frozenset({b"forwarded", b"x-real-ip"})
_X_FORWARDED: Final = b"x-forwarded-"
_OURS: Final = frozenset({b"host", b"content-length", b"expect", b"via"})
"""What is written anew for the next hop."""
_TCHAR: Final = frozenset(
    b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)


class Origin(NamedTuple):
    """Who asks, and of whom."""

    client: str
    """The address at the other end of the connection."""
    is_secure: bool
    host: bytes
    """As the request says."""
    version: bytes = b"1.1"


class Trust:
    """The networks whose word is taken for whom a request comes from."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)
        self.covers = lru_cache(1024)(self._covers)
        """Whether that address is in one of them."""

    def _covers(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)

    def client_of(self, client: str, forwarded_for: Sequence[bytes]) -> str:
        """Who asked first, as far as everybody on the way is trusted."""
        if not self.covers(client):
            return client
        told = b",".join(forwarded_for).decode("latin-1").split(",")
        for each in reversed(told):
            address = _bare(each.strip(" \t"))
            if not address:
                return client
            client = address
            if not self.covers(client):
                break
        return client


def _bare(text: str) -> str:
    """The address of one place in X-Forwarded-For; empty if it is none."""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        return ""


def forwarded(
    fields: Fields, origin: Origin, trust: Trust
) -> tuple[list[tuple[bytes, bytes]], str]:
    """The fields that go on, and who asked.

    Host, Content-Length and Expect are left to whoever sends it on.

    Raises:
        HTTPError: 508, the request has come through here too often.
    """
    named = tokens(fields, b"connection")
    kept: list[tuple[bytes, bytes]] = []
    told: dict[bytes, list[bytes]] = {}
    for pair in fields:
        name = pair[0].lower()
        if b"_" in name:  # which CGI and WSGI cannot tell from a hyphen
            name = name.replace(b"_", b"-")
            if name in _OURS or name in HOP_BY_HOP or _is_told(name):
                continue
        if _is_told(name) or name == b"via" or name == b"cookie":
            told.setdefault(name, []).append(pair[1])
        elif name not in HOP_BY_HOP and name not in _OURS and name not in named:
            kept.append(pair)
    if b"cookie" in told and b"cookie" not in named:
        # HTTP/2 may cut it up, and HTTP/1.1 has it whole (RFC 9113, 8.2.3).
        kept.append((b"Cookie", b"; ".join(told[b"cookie"])))
    client = trust.client_of(origin.client, told.get(b"x-forwarded-for", ()))
    kept.extend(_tellings(told if trust.covers(origin.client) else {}, origin, client))
    kept.append((b"Via", _via(told.get(b"via", ()), origin.version)))
    return kept, client


def _is_told(name: bytes) -> bool:
    return name in _TOLD or name.startswith(_X_FORWARDED)


def _tellings(
    told: dict[bytes, list[bytes]], origin: Origin, client: str
) -> list[tuple[bytes, bytes]]:
    """What is said of who asked; `told` is what is believed of those before us."""
    peer = origin.client.encode("latin-1", "replace")
    proto = b"https" if origin.is_secure else b"http"
    fields = [
        (b"X-Forwarded-For", b", ".join([*told.pop(b"x-forwarded-for", ()), peer])),
        (b"X-Forwarded-Proto", _first(told.pop(b"x-forwarded-proto", ()), proto)),
        (b"X-Forwarded-Host", _first(told.pop(b"x-forwarded-host", ()), origin.host)),
        (b"X-Real-IP", client.encode("latin-1", "replace")),
    ]
    told.pop(b"x-real-ip", None)
    element = b"for=%b;proto=%b" % (_node(origin.client), proto)
    if origin.host:
        element += b";host=" + _quoted(origin.host)
    fields.append((b"Forwarded", b", ".join([*told.pop(b"forwarded", ()), element])))
    for name, values in told.items():
        if name.startswith(_X_FORWARDED):
            fields.append((name, b", ".join(values)))
    return fields


def _first(values: Sequence[bytes], otherwise: bytes) -> bytes:
    return values[0] if values else otherwise


@lru_cache(1024)
def _node(address: str) -> bytes:
    """An address as RFC 7239, 6 writes it."""
    try:
        version = ip_address(address).version
    except ValueError:
        return b"unknown"
    return f'"[{address}]"'.encode() if version == 6 else address.encode()


@lru_cache(1024)
def _quoted(value: bytes) -> bytes:
    if _TCHAR.issuperset(value):
        return value
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _via(told: Sequence[bytes], version: bytes) -> bytes:
    ours = version + b" " + PSEUDONYM
    if not told:
        return ours
    hops = b", ".join(told)
    if sum(hop.split()[1:2] == [PSEUDONYM] for hop in hops.split(b",")) >= MOST_HOPS:
        raise HTTPError(508, "This request comes back here again and again.")
    return hops + b", " + ours
