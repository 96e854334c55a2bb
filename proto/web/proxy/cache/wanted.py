"""What a request says to a cache (RFC 9111 section 5.2.1).  Values in, a value out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proto.web.proxy.cache.directives import MOST, parse_directives, read_seconds, seconds
from proto.web.proxy.messages import Ask

# A cache may answer these by itself; If-Match and If-Unmodified-Since are for the origin alone
# (RFC 9111 section 4.3.2).
CONDITIONS: Final = frozenset({b"if-none-match", b"if-modified-since"})
FOR_ORIGIN: Final = frozenset({b"if-match", b"if-unmodified-since", b"upgrade"})
PARTIAL: Final = frozenset({b"range", b"if-range"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks of a cache; as it stands here, nothing."""

    max_age: int | None = None
    min_fresh: int = 0
    max_stale: int | None = None
    if_error: int | None = None
    no_cache: bool = False
    no_store: bool = False
    only_if_cached: bool = False
    is_authorized: bool = False
    has_cookies: bool = False
    is_conditional: bool = False
    """It may be answered with 304."""
    is_partial: bool = False
    """It may be answered with 206 or 416."""
    is_for_origin: bool = False
    """No cache can answer it."""

    @property
    def is_plain(self) -> bool:
        """It asks for a whole answer."""
        return not (self.is_conditional or self.is_partial)


def wanted_of(ask: Ask) -> Wanted:
    """Read a request."""
    names = {name.lower() for name, _ in ask.fields}
    control = [value for name, value in ask.fields if name.lower() == b"cache-control"]
    said = parse_directives(control)
    pragma = not control and b"pragma" in names and _has_pragma(ask)
    return Wanted(
        max_age=seconds(said, b"max-age"),
        min_fresh=max(map(read_seconds, said.get(b"min-fresh", (b"0",)))),
        max_stale=_max_stale(said.get(b"max-stale")),
        if_error=seconds(said, b"stale-if-error"),
        no_cache=b"no-cache" in said or pragma,
        no_store=b"no-store" in said,
        only_if_cached=b"only-if-cached" in said,
        is_authorized=b"authorization" in names,
        is_conditional=not CONDITIONS.isdisjoint(names),
        is_partial=not PARTIAL.isdisjoint(names),
        is_for_origin=(
            ask.body is not None
            or not FOR_ORIGIN.isdisjoint(names)
            # To CGI and WSGI it is the field with a hyphen, which we would not see in it.
            or any(b"_" in name for name in names)
        ),
        has_cookies=b"cookie" in names,
    )


def _max_stale(arguments: object) -> int | None:
    """Without an argument it is any age (section 5.2.1.2)."""
    if not isinstance(arguments, list):
        return None
    return min(MOST if not each else read_seconds(each) for each in arguments)


def _has_pragma(ask: Ask) -> bool:
    """`Pragma: no-cache`, where Cache-Control says nothing (section 5.4)."""
    lines = [value for name, value in ask.fields if name.lower() == b"pragma"]
    return b"no-cache" in parse_directives(lines)
