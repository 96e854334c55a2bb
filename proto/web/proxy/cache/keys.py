"""Under which key an answer is kept: what is asked for, and by which variant of the request.

A key is 64 hexadecimal digits, so that it can name a file, and whoever asks cannot choose it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final

from proto.web.proxy.cache.directives import members, values_of
from proto.web.proxy.cache.entry import Variants
from proto.web.proxy.messages import Ask, Fields

MOST_NAMES: Final = 16
"""Fields that an answer may vary by, to be kept."""

# Besides the target, what a server is commonly told of the URL that was asked for.  If they were
# no part of the key, one client could choose what the next is shown ("cache poisoning").
KEYED: Final = (
    b"host",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-forwarded-scheme",
    b"x-forwarded-server",
    b"x-host",
    b"x-original-url",
    b"x-rewrite-url",
    b"x-http-method-override",
    b"x-method-override",
    b"x-http-method",
)
_KEYED: Final = frozenset(KEYED)
_X_FORWARDED: Final = b"x-forwarded-"
_OF_ONE_CLIENT: Final = (b"for=", b"by=")
# Fields of which neither case nor space means anything (RFC 9111 section 4.1).
_FOLDED: Final = frozenset({b"accept-encoding", b"accept-language", b"accept-charset"})


def key_of(scope: bytes, ask: Ask, target: bytes = b"") -> bytes:
    """The key of what is asked for, or of another target of the same host.

    `scope` keeps those apart who share a store.
    """
    parts = [scope, b"GET", target or ask.target]
    for name, value in sorted((name.lower(), value) for name, value in ask.fields):
        if name in _KEYED or (name.startswith(_X_FORWARDED) and name != b"x-forwarded-for"):
            parts += (name, value.lower() if name == b"host" else value)
        elif name == b"forwarded":
            parts += (name, *_url_in(value))
    return _digest(parts)


@lru_cache(1024)
def _url_in(forwarded: bytes) -> Sequence[bytes]:
    """What Forwarded says of the URL: all but who asked (RFC 7239)."""
    pairs = {each.strip(b" \t").lower() for each in forwarded.replace(b",", b";").split(b";")}
    return sorted(each for each in pairs if not each.startswith(_OF_ONE_CLIENT))


def variant_key(key: bytes, variants: Variants, fields: Fields) -> bytes:
    """The key of the answer to a request with these fields."""
    parts = [key, variants.generation]
    for name in variants.names:
        parts += (name, selecting(name, fields))
    return _digest(parts)


def vary_names(fields: Fields) -> tuple[bytes, ...] | None:
    """The fields of a request that an answer varies by, None when nobody can tell (`*`).

    So many that nobody means it are as good as `*`.
    """
    listed = {name.lower() for line in values_of(fields, b"vary") for name in members(line)}
    if b"*" in listed or len(listed) > MOST_NAMES:
        return None
    return tuple(sorted(listed))


def selecting(name: bytes, fields: Fields) -> bytes:
    """A field of a request as one value that can be compared; none differs from an empty one."""
    values = values_of(fields, name)
    if not values:
        return b"-"
    joined = b", ".join(value.strip(b" \t") for value in values)
    if name in _FOLDED:
        joined = joined.lower().replace(b" ", b"").replace(b"\t", b"")
    return b"+" + joined


def is_selected(names: Iterable[bytes], asked: Fields, other: Fields) -> bool:
    """Whether two requests are given the same variant."""
    return all(selecting(name, asked) == selecting(name, other) for name in names)


def _digest(parts: Iterable[bytes]) -> bytes:
    """Each part goes in behind its length: no two lists of parts come to the same."""
    digest = sha256()
    for part in parts:
        digest.update(b"%d:%b" % (len(part), part))
    return digest.hexdigest().encode()
