"""When a record says that it was made: the time at its beginning.  Plain values."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_TIME: Final = re.compile(
    rb'(?:\{"(?:time|received)":")?(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?Z'
)


def time_in(record: bytes) -> float | None:
    """Seconds since the epoch, or None if it does not begin with a time of RFC 3339 in UTC.

    The record is prefixed with the time, or an object of JSON that begins with it, as
    `logfile.formats` makes them.
    """
    found = _TIME.match(record)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    part = int((found[7] or b"").ljust(6, b"0"))
    try:
        time = datetime(year, month, day, hour, minute, second, part, UTC)
    except ValueError:
        return None
    return time.timestamp()
