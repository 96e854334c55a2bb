"""HTTP dates (RFC 9110 section 5.6.7) <-> whole seconds since the epoch.  No clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Final

# Not strftime's: that asks the locale.
MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
_MONTH: Final = "(?P<month>" + "|".join(MONTHS) + ")"
_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_FORMS: Final = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",  # IMF-fixdate
        rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",  # RFC 850
        rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",  # asctime
    )
)


def http_date(timestamp: float) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT`; a fraction of a second is cut off, never rounded up."""
    return formatdate(int(timestamp // 1), usegmt=True)


def parse_http_date(text: str, now: float) -> int | None:
    """Seconds since the epoch, or None when it is none of the three forms.

    A two-digit year that seems more than fifty years ahead of `now` is in the last century.
    """
    for form in _FORMS:
        if found := form.fullmatch(text.strip(" \t")):
            break
    else:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        this_year = datetime.fromtimestamp(now, UTC).year
        year += this_year - this_year % 100
        if year > this_year + 50:
            year -= 100
    try:
        moment = datetime(
            year,
            MONTHS.index(found["month"]) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            min(int(found["second"]), 59),  # a leap second is told as :60
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(moment.timestamp())
