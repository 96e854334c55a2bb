"""What a request that changes something makes worthless (RFC 9111 section 4.4).  Values only."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin, urlsplit

from proto.web.proxy.cache.directives import values_of
from proto.web.proxy.messages import Ask, Fields

SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
"""Methods that change nothing (RFC 9110 section 9.2.1); of any other nobody knows."""


def outdated_targets(ask: Ask, status: int, fields: Fields) -> list[bytes]:
    """The targets whose answers are worthless after this answer to an unsafe request.

    The target itself, and what Location and Content-Location name on the same host.
    """
    if ask.method in SAFE or not 200 <= status < 400:
        return []
    targets = [ask.target]
    for name in (b"location", b"content-location"):
        for value in values_of(fields, name)[:1]:
            target = _target_of(value, ask)
            if target and target not in targets:
                targets.append(target)
    return targets


def _target_of(reference: bytes, ask: Ask) -> bytes:
    """The target in origin form, empty when it is on another host or no URL."""
    hosts = values_of(ask.fields, b"host")
    host = hosts[0].decode("latin-1").lower() if hosts else ""
    try:
        base = f"http://{host}{ask.target.decode('latin-1')}"
        found = urlsplit(urljoin(base, reference.decode("latin-1")))
        same = found.scheme in ("http", "https") and found.netloc.lower() == host
    except ValueError:
        return b""
    if not same:
        return b""
    query = f"?{found.query}" if found.query else ""
    return f"{found.path or '/'}{query}".encode("latin-1")
