"""Whether what is kept may answer a request (RFC 9111 section 4).  The clock is an argument."""

from __future__ import annotations

import enum
from typing import Final

from proto.web.proxy.cache.entry import Entry
from proto.web.proxy.cache.wanted import Wanted

FAILURES: Final = frozenset({500, 502, 503, 504})
"""What stale-if-error takes for a failure (RFC 5861 section 4)."""


class Use(enum.Enum):
    """What to do with what is kept."""

    FRESH = "it answers"
    STALE = "it answers, though it is stale"
    RENEWED = "it answers, and is asked for anew behind the client's back"
    VALIDATED = "the origin is asked whether it still holds"


def use_of(entry: Entry, wanted: Wanted, now: float) -> Use:
    """How an entry may answer a request for just this."""
    terms = entry.terms
    if wanted.no_cache or terms.is_always_validated:
        return Use.VALIDATED
    if wanted.max_age is not None and entry.age(now) > wanted.max_age:
        return Use.VALIDATED
    remaining = entry.remaining(now)
    if remaining > 0:
        return Use.FRESH if remaining >= wanted.min_fresh else Use.VALIDATED
    if terms.is_never_stale or wanted.min_fresh:
        return Use.VALIDATED
    if wanted.max_stale is not None and -remaining <= wanted.max_stale:
        return Use.STALE
    # Who tells how old it may be and not how stale wants nothing stale (section 5.2.1.1).
    if wanted.max_age is None and -remaining < terms.while_revalidate:
        return Use.RENEWED
    return Use.VALIDATED


def helps_in_need(entry: Entry, wanted: Wanted, now: float, grace: int = 0) -> bool:
    """Whether it may be used because the origin fails (RFC 5861 section 4).

    `grace` holds, in seconds, where the answer has no stale-if-error.
    """
    terms = entry.terms
    if wanted.no_cache or terms.is_always_validated:
        return False
    remaining = entry.remaining(now)
    if remaining > 0:
        return True
    if terms.is_never_stale:
        return False
    allowed = grace if terms.if_error is None else terms.if_error
    return -remaining < max(allowed, wanted.if_error or 0)
