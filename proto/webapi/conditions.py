"""Versions as entity tags: what If-Match and If-None-Match ask for (RFC 9110, section 13.1).

What is no entity tag in them names no version that there ever was.  Values in, a verdict out; no
request, no store.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from proto.web.conditional import Conditions, Validators, Verdict, judge

NO_VERSION: Final = 0
"""Versions begin with 1: nothing ever stands at this one."""

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The two header fields as they came; None where there is none."""

    if_match: str | None = None
    if_none_match: str | None = None


ANYTHING: Final = Preconditions()


def tag_of(version: int) -> str:
    """The entity tag of a version, a strong one."""
    return f'"{version}"'


def tag_of_bytes(body: bytes) -> str:
    """An entity tag for what has no version, as a page of a collection: what it looks like."""
    return f'"{blake2b(body, digest_size=12).hexdigest()}"'


def versions_of(asked: Preconditions) -> frozenset[int] | None:
    """The versions that a change is meant for; None is any.

    A weak tag names no version (section 13.1.1).
    """
    field = asked.if_match
    if field is None or field.strip(" \t") == "*":
        return None
    strong = (tag for weak, tag in _TAG.findall(field) if not weak)
    return frozenset(int(tag) for tag in strong if _VERSION.fullmatch(tag))


def is_known(asked: Preconditions, etag: str) -> bool:
    """Whether somebody who reads has just what has that tag."""
    conditions = Conditions(if_none_match=asked.if_none_match or "")
    return judge("GET", conditions, Validators(etag, 0), 0.0) is Verdict.NOT_MODIFIED
