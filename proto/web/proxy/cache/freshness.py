"""How old an answer is, and for how long it is fresh (RFC 9111 section 4.2).  No clock."""

from __future__ import annotations

import re
from typing import Final

from proto.web.dates import parse_http_date
from proto.web.proxy.cache.directives import (
    MOST,
    Directives,
    read_seconds,
    seconds,
    values_of,
)
from proto.web.proxy.messages import Fields

HEURISTIC_SHARE: Final = 0.1
"""Of the time since it was changed, for which an answer is taken to stay the same."""
MOST_HEURISTIC: Final = 86_400

# RFC 9110 section 15.1; without 206, which is not kept.
HEURISTICALLY: Final = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})

_FIRST_AGE: Final = re.compile(rb"[ \t]*([0-9]+)[ \t]*(?:[,;].*)?", re.DOTALL)


def initial_age(fields: Fields, asked_at: float, got_at: float) -> float:
    """How old an answer was when its head came (section 4.2.3)."""
    dates = values_of(fields, b"date")
    made_at = date_of(dates[0], got_at) if dates else None
    apparent = 0.0 if made_at is None else max(0.0, got_at - made_at)
    told = _told_age(fields)
    return max(apparent, told + max(0.0, got_at - asked_at))


def lifetime(
    status: int, fields: Fields, directives: Directives, got_at: float, most: int = MOST_HEURISTIC
) -> int:
    """Seconds for which a shared cache may take it for fresh (section 4.2.1).

    What is invalid counts as stale.  `most` bounds the heuristic (section 4.2.2).
    """
    stated = explicit_lifetime(fields, directives, got_at)
    if stated is not None:
        return stated
    if status not in HEURISTICALLY and b"public" not in directives:
        return 0
    changed = values_of(fields, b"last-modified")
    changed_at = date_of(changed[0], got_at) if len(changed) == 1 else None
    if changed_at is None:
        return 0
    return min(most, int(max(0.0, _made_at(fields, got_at) - changed_at) * HEURISTIC_SHARE))


def explicit_lifetime(fields: Fields, directives: Directives, got_at: float) -> int | None:
    """What s-maxage, max-age or Expires say, in this order; None when there is none of them."""
    for name in (b"s-maxage", b"max-age"):
        stated = seconds(directives, name)
        if stated is not None:
            return stated
    expires = values_of(fields, b"expires")
    if not expires:
        return None
    ends_at = date_of(expires[0], got_at) if len(expires) == 1 else None
    if ends_at is None:
        return 0
    return int(min(MOST, max(0.0, ends_at - _made_at(fields, got_at))))


def date_of(value: bytes, now: float) -> int | None:
    """A date in seconds since the epoch, None when it is none."""
    return parse_http_date(value.decode("latin-1"), now)


def _made_at(fields: Fields, got_at: float) -> float:
    dates = values_of(fields, b"date")
    made_at = date_of(dates[0], got_at) if dates else None
    return got_at if made_at is None else made_at


def _told_age(fields: Fields) -> int:
    """The first value of the first Age line; 0 where it is none (section 5.1)."""
    ages = values_of(fields, b"age")
    found = _FIRST_AGE.fullmatch(ages[0]) if ages else None
    return read_seconds(found[1]) if found else 0
