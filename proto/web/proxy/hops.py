"""What is said from one hop to the next, and goes no further (RFC 9110, 7.6.1).  No twisted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from proto.web.proxy.messages import Fields

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_KEPT: Final = frozenset({b"cache-control", b"content-length", b"host"})
"""Nobody can have these taken out by naming them; they are for all (RFC 9110, 7.6.1)."""


def tokens(fields: Fields, name: bytes) -> frozenset[bytes]:
    """The members of a list of tokens, in lower case; `name` is in lower case, too."""
    found: set[bytes] = set()
    for each, value in fields:
        if each.lower() == name:
            found.update(token.strip(b" \t").lower() for token in value.split(b","))
    return frozenset(found)


def end_to_end(fields: Fields) -> Sequence[tuple[bytes, bytes]]:
    """The fields that go on: not those of this hop, nor what Connection names."""
    named = tokens(fields, b"connection") - _KEPT
    return [pair for pair in fields if not _stays(pair[0].lower(), named)]


def _stays(name: bytes, named: Iterable[bytes]) -> bool:
    return name in HOP_BY_HOP or name in named
