"""Validators and preconditions (RFC 9110 section 13): may this request have its answer?

Values in, a verdict out; no file, no request, no clock.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proto.web.dates import parse_http_date

_ENTITY_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one version of a file from another; `modified` is in whole seconds."""

    etag: str
    modified: int


@dataclass(frozen=True, slots=True)
class Conditions:
    """The five conditional header fields of a request; empty when absent."""

    if_match: str = ""
    if_none_match: str = ""
    if_modified_since: str = ""
    if_unmodified_since: str = ""
    if_range: str = ""

    @classmethod
    def read(cls, header: Callable[[str], str]) -> Conditions:
        """Take them from a request; `header` gives the value of a field, or an empty string."""
        return cls(
            header("If-Match"),
            header("If-None-Match"),
            header("If-Modified-Since"),
            header("If-Unmodified-Since"),
            header("If-Range"),
        )


class Verdict(enum.Enum):
    """What the preconditions of a request come to."""

    PROCEED = 200
    NOT_MODIFIED = 304
    FAILED = 412


def validators_of(
    size: int, mtime_ns: int, inode: int, now: float, variant: str = ""
) -> Validators:
    """A strong entity tag and a date that is neither rounded up nor later than `now`.

    A replaced file has another inode, one written in place another time, so both are in the tag;
    `variant` tells the codings of one file apart.
    """
    modified = min(mtime_ns // 1_000_000_000, int(now))
    return Validators(f'"{inode:x}-{size:x}-{mtime_ns:x}{variant}"', max(0, modified))


def judge(method: str, asked: Conditions, have: Validators, now: float) -> Verdict:
    """Evaluate the preconditions in the order of RFC 9110 section 13.2.2."""
    reading = method in ("GET", "HEAD")
    if asked.if_match:
        if not _matches(asked.if_match, have.etag, strongly=True):
            return Verdict.FAILED
    elif asked.if_unmodified_since:
        date = parse_http_date(asked.if_unmodified_since, now)
        if date is not None and have.modified > date:
            return Verdict.FAILED
    if asked.if_none_match:
        if _matches(asked.if_none_match, have.etag, strongly=False):
            return Verdict.NOT_MODIFIED if reading else Verdict.FAILED
    elif asked.if_modified_since and reading:
        date = parse_http_date(asked.if_modified_since, now)
        if date is not None and have.modified <= date:
            return Verdict.NOT_MODIFIED
    return Verdict.PROCEED


def range_still_fits(asked: Conditions, have: Validators, now: float) -> bool:
    """Whether If-Range lets the ranges stand: it is absent, or names just this version.

    A date is a strong validator only when the file was left alone for a second (section 8.8.2.2).
    """
    if not asked.if_range:
        return True
    if '"' in asked.if_range:
        return asked.if_range.strip(" \t") == have.etag
    date = parse_http_date(asked.if_range, now)
    return date == have.modified and have.modified <= now - 1


def _matches(field: str, etag: str, *, strongly: bool) -> bool:
    if field.strip(" \t") == "*":
        return True
    return any(tag == etag and not (weak and strongly) for weak, tag in _ENTITY_TAG.findall(field))
