"""Whether an answer may be kept in a shared cache, and what of it (RFC 9111 section 3).

Knows neither stores nor how a body comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from proto.web.dates import http_date
from proto.web.proxy.cache.directives import (
    Directives,
    members,
    names_in,
    parse_directives,
    seconds,
    values_of,
)
from proto.web.proxy.cache.entry import Entry, Terms, cost_of
from proto.web.proxy.cache.freshness import (
    HEURISTICALLY,
    MOST_HEURISTIC,
    date_of,
    explicit_lifetime,
    initial_age,
    lifetime,
)
from proto.web.proxy.cache.keys import vary_names
from proto.web.proxy.cache.wanted import Wanted
from proto.web.proxy.messages import Fields

MOST_FIELDS: Final = 64 * 1024
"""Bytes that the fields of an answer may take, to be kept."""

# Fields of one connection (RFC 9110 section 7.6.1) or of one proxy (RFC 9111 section 3.1); an Age
# is told anew each time.
NEVER_KEPT: Final = frozenset(
    {
        b"age",
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
# Parts of an answer, and answers to a condition or a range.
_NEVER: Final = frozenset({206, 304, 412, 416})
_COOKIES: Final = frozenset({b"set-cookie", b"set-cookie2"})


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer, and when it was asked for and came."""

    status: int
    reason: bytes
    fields: Fields
    asked_at: float
    got_at: float


def entry_of(head: Head, wanted: Wanted, *, most_heuristic: int = MOST_HEURISTIC) -> Entry | None:
    """The entry for an answer, still without its body; None when it may not be kept.

    `wanted` is of the request that it answers, a GET.
    """
    said = parse_directives(values_of(head.fields, b"cache-control"))
    if not _may_keep(head, wanted, said):
        return None
    kept = kept_fields(head.fields, said)
    if _has_cookies(kept) or cost_of(kept) > MOST_FIELDS:
        return None
    if not values_of(kept, b"date"):
        kept = (*kept, (b"Date", http_date(head.got_at).encode()))
    terms = terms_of(head.status, head.fields, said, head.got_at, most_heuristic)
    age = initial_age(head.fields, head.asked_at, head.got_at)
    entry = Entry(head.status, head.reason, kept, b"", head.got_at, age, terms)
    return entry if _is_of_use(entry) else None


def terms_of(
    status: int, fields: Fields, said: Directives, got_at: float, most_heuristic: int
) -> Terms:
    """How an answer may be used again."""
    return Terms(
        lifetime=lifetime(status, fields, said, got_at, most_heuristic),
        is_always_validated=names_in(said, b"no-cache") == frozenset(),
        # s-maxage implies proxy-revalidate (section 5.2.2.10).
        is_never_stale=any(
            name in said for name in (b"must-revalidate", b"proxy-revalidate", b"s-maxage")
        ),
        while_revalidate=seconds(said, b"stale-while-revalidate") or 0,
        if_error=seconds(said, b"stale-if-error"),
    )


def kept_fields(fields: Fields, said: Directives) -> tuple[tuple[bytes, bytes], ...]:
    """The fields of an answer that may be kept (section 3.1).

    Those that `private` and `no-cache` name are left out: a shared cache may keep the former never,
    and use the latter only when the origin has sent them again.
    """
    left_out = set(NEVER_KEPT)
    for line in values_of(fields, b"connection"):
        left_out.update(name.lower() for name in members(line))
    for name in (b"private", b"no-cache"):
        left_out |= names_in(said, name) or frozenset()
    return tuple((name, value) for name, value in fields if name.lower() not in left_out)


def _may_keep(head: Head, wanted: Wanted, said: Directives) -> bool:
    """The conditions of section 3, in its order."""
    if head.status < 200 or head.status in _NEVER or wanted.no_store:
        return False
    if head.status != 200 and not wanted.is_plain:
        return False  # it may answer the condition, not the request
    if b"no-store" in said and not (b"must-understand" in said and head.status in HEURISTICALLY):
        return False
    if names_in(said, b"private") == frozenset() or vary_names(head.fields) is None:
        return False
    if wanted.is_authorized and not any(
        name in said for name in (b"must-revalidate", b"public", b"s-maxage")
    ):
        return False
    stated = explicit_lifetime(head.fields, said, head.got_at) is not None
    if wanted.has_cookies and not (stated or said or b"cookie" in (vary_names(head.fields) or ())):
        return False  # of a session, by a server that has not thought of caches
    return head.status in HEURISTICALLY or b"public" in said or stated


def _has_cookies(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Nobody shall be given the session of somebody else, whatever the origin says (7.3)."""
    return any(name.lower() in _COOKIES for name, _ in fields)


def _is_of_use(entry: Entry) -> bool:
    """It is fresh for a while, may be used stale, or can be validated."""
    terms = entry.terms
    stale = max(terms.while_revalidate, terms.if_error or 0)
    usable = terms.lifetime + (0 if terms.is_never_stale else stale)
    fresh = not terms.is_always_validated and usable > entry.initial_age
    return fresh or bool(entry.value(b"etag")) or _is_dated(entry)


def _is_dated(entry: Entry) -> bool:
    return date_of(entry.value(b"last-modified"), entry.got_at) is not None
