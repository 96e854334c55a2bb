"""The status and the header fields that an application gives, checked before anything is sent.

Plain values: no twisted, no request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

BODILESS: Final = frozenset({204, 304})
"""Statuses whose answers have no body (RFC 9110, 15.3.5 and 15.4.5)."""
LENGTH_DIGITS: Final = 18

_STATUS: Final = re.compile(r"([2-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)


class BadAnswer(ValueError):
    """What an application gave is no answer; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """A status and header fields as they can be sent."""

    status: int
    phrase: bytes
    fields: Sequence[tuple[bytes, bytes]]
    """All but Content-Length."""
    length: int | None
    """What Content-Length says."""

    @property
    def has_body(self) -> bool:
        """Whether a body may follow, unless it was HEAD that was asked."""
        return self.status not in BODILESS


def read_head(status: object, headers: object) -> AnswerHead:
    """Check what was given to `start_response`.

    Raises:
        BadAnswer: it cannot be sent.
    """
    code, phrase = _read_status(status)
    if not isinstance(headers, list):
        raise BadAnswer(f"the headers are {type(headers).__name__} and not a list")
    fields: list[tuple[bytes, bytes]] = []
    length: int | None = None
    for pair in headers:
        try:
            name, value = pair
        except (TypeError, ValueError) as error:
            raise BadAnswer(f"a header is {pair!r} and not a name and a value") from error
        key, lower = _read_name(name)
        field = _read_value(name, value)
        if lower == "content-length":
            if length is not None or not field.isdigit() or len(field) > LENGTH_DIGITS:
                raise BadAnswer(f"Content-Length is {value!r}")
            length = int(field)
        else:
            fields.append((key, field))
    return AnswerHead(code, phrase, fields, None if code == 204 else length)  # RFC 9110, 8.6


@lru_cache(256)
def _known_status(status: str) -> tuple[int, bytes]:
    match = _STATUS.fullmatch(status)
    if match is None:
        raise BadAnswer(f"the status is {status!r} and not such as '200 OK'")
    return int(match[1]), (match[2] or "").encode("latin-1")


def _read_status(status: object) -> tuple[int, bytes]:
    if not isinstance(status, str):
        raise BadAnswer(f"the status is {type(status).__name__} and not str")
    return _known_status(status)


@lru_cache(1024)
def _known_name(name: str) -> tuple[bytes, str]:
    lower = name.lower()
    if not _NAME.fullmatch(name):
        raise BadAnswer(f"a header is named {name!r}")
    if lower in _HOP_BY_HOP:
        raise BadAnswer(f"{name} is for the server to say")
    return name.encode("ascii"), lower


def _read_name(name: object) -> tuple[bytes, str]:
    if not isinstance(name, str):
        raise BadAnswer(f"the name of a header is {type(name).__name__} and not str")
    return _known_name(name)


def _read_value(name: object, value: object) -> bytes:
    if not isinstance(value, str):
        raise BadAnswer(f"{name} is {type(value).__name__} and not str")
    if not _VALUE.fullmatch(value):
        raise BadAnswer(f"{name} has characters that a header may not have: {value!r}")
    return value.strip(" \t").encode("latin-1")
