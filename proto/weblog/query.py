"""The fields of a query, checked one by one; or why they are refused.  Plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from proto.weblog.problems import WrongField

MOST_FIELDS: Final = 20
LONGEST_TEXT: Final = 300
"""Bytes of the longest text that is looked for, and of a name."""

# A plus sign that was not escaped arrives as a space.
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?(?:([Zz])|([+\- ])(\d\d:\d\d))", re.ASCII
)


def fields_of(query: bytes) -> Mapping[str, str]:
    """Each field by its name, the last one of a name; bytes that are no UTF-8 are kept.

    Raises:
        WrongField: there are too many.
    """
    try:
        pairs = parse_qsl(
            query.decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            errors="surrogateescape",
        )
    except ValueError:
        raise WrongField(f"A query may have {MOST_FIELDS} fields.") from None
    return dict(pairs)


def text_of(fields: Mapping[str, str], name: str) -> bytes:
    """A text that is looked for in bytes; empty when it is not there.

    Raises:
        WrongField: it is too long, or it goes over a line's end, which no line does.
    """
    text = fields.get(name, "").encode("utf-8", "surrogateescape")
    if len(text) > LONGEST_TEXT:
        raise WrongField(f"{name} may have {LONGEST_TEXT} bytes.", name)
    if b"\n" in text:
        raise WrongField(f"{name} must not have a line's end.", name)
    return text


def time_of(fields: Mapping[str, str], name: str) -> float | None:
    """A time of RFC 3339, section 5.6, in seconds since the epoch; None when it is not there.

    Raises:
        WrongField: it is none.
    """
    text = fields.get(name, "")
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if found is not None:
        day, time, part, utc, sign, offset = found.groups()
        zone = "+00:00" if utc else f"{'-' if sign == '-' else '+'}{offset}"
        try:
            return datetime.fromisoformat(f"{day}T{time}{(part or '')[:7]}{zone}").timestamp()
        except (ValueError, OverflowError) as error:
            raise _no_time(name) from error
    raise _no_time(name)


def number_of(fields: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A number from 1 to `most`.  Raises WrongField."""
    text = fields.get(name, "")
    if not text:
        return default
    if re.fullmatch("[0-9]{1,9}", text) and 1 <= int(text) <= most:
        return int(text)
    raise WrongField(f"{name} is a number from 1 to {most}.", name)


def _no_time(name: str) -> WrongField:
    return WrongField(f"{name} is a time such as 2026-11-21T17:30:00Z (RFC 3339).", name)
