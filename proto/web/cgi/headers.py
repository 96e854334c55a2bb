"""What a script says before its document (RFC 3875 section 6): bytes in, a head out, or Malformed.

A head is understood when it is whole, so it makes no difference how its bytes came.  Knows neither
who wrote them nor where they go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proto.web.response import phrase_of
from proto.web.target import BadTarget, parse_target

MAX_HEAD: Final = 32 * 1024
"""Bytes of a head, with the empty line at its end."""
MAX_FIELDS: Final = 100

_END: Final = re.compile(rb"(?:^|\n)\r?\n")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_STATUS: Final = re.compile(rb"([2-5][0-9]{2})(?: +([\x20-\x7e]*))?")
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_LOCATION: Final = re.compile(rb"[\x21-\x7e]+")
_LOCAL: Final = re.compile(rb"/(?!/)[^#]*")
_ONCE: Final = frozenset((b"status", b"location", b"content-type", b"content-length"))
# They are between us and the client (RFC 9110 section 7.6.1), or what this server says itself.
_DROPPED: Final = frozenset(
    b"connection keep-alive proxy-authenticate proxy-connection te trailer upgrade "
    b"server date status content-length content-type".split()
)
_OURS: Final = b"x-cgi-"  # section 6.3.5: for the server
_ALONE: Final = frozenset((b"location", b"server", b"date"))  # what a local redirect may have


class Malformed(Exception):
    """What a script said is no answer; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a script's answer."""

    status: int
    phrase: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    """What is passed on as it is, in its order; the following are not among it."""
    content_type: bytes | None
    length: int | None
    """Bytes of the document, if the script says so."""
    is_redirect: bool = False
    """The client is sent elsewhere, and a document is not needed."""
    local: bytes | None = None
    """The path, with its query, that the server shall answer with instead."""


class HeadReader:
    """Finds the head at the beginning of what a script writes."""

    def __init__(self) -> None:
        self.rest = b""
        """The first bytes of the document, when the head is whole."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Head | None:
        """Take more bytes; the head, when it is whole.

        Raises:
            Malformed: it is none, or too long.
        """
        looked_at = max(0, len(self._buffer) - 2)
        self._buffer += data
        end = _END.search(self._buffer, looked_at)
        if (len(self._buffer) if end is None else end.end()) > MAX_HEAD:
            raise Malformed(f"its head is longer than {MAX_HEAD} bytes")
        if end is None:
            return None
        self.rest = bytes(self._buffer[end.end() :])
        head = bytes(self._buffer[: end.start()])
        self._buffer.clear()
        return parse_head(head)

    def end(self) -> Malformed:
        """What is wrong with a script that ends before its head does."""
        if self._buffer:
            return Malformed("it ended before the empty line that ends the head")
        return Malformed("it said nothing")


def parse_head(raw: bytes) -> Head:
    """Understand a head, without the empty line at its end.

    Raises:
        Malformed: it breaks section 6.3, or what HTTP asks of a field.
    """
    lines = raw.split(b"\n") if raw else []
    if not lines:
        raise Malformed("its head has no field")
    if len(lines) > MAX_FIELDS:
        raise Malformed(f"its head has more than {MAX_FIELDS} fields")
    fields = [_field(line.removesuffix(b"\r")) for line in lines]
    known: dict[bytes, bytes] = {}
    for name, value in fields:
        key = name.lower()
        if key == b"transfer-encoding":
            raise Malformed("it has a Transfer-Encoding, which is not its business")
        if key in known and key in _ONCE:
            raise Malformed(f"it has {key.decode()} twice")
        known[key] = value
    return _head(fields, known)


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise Malformed(f"a line of its head is no field: {line[:80]!a}")
    if _BAD.search(value):
        raise Malformed(f"a field has a control character: {line[:80]!a}")
    return name, value.strip(b" \t")


def _head(fields: Sequence[tuple[bytes, bytes]], known: dict[bytes, bytes]) -> Head:
    location = known.get(b"location")
    if location is not None and not _LOCATION.fullmatch(location):
        raise Malformed("its Location is no URI")
    status, phrase = _status(known.get(b"status", b"200" if location is None else b"302"))
    local = location if location is not None and _is_local(location, known) else None
    content_type = known.get(b"content-type")
    if content_type == b"":
        raise Malformed("its Content-Type is empty")
    passed = [
        (name, value)
        for name, value in fields
        if name.lower() not in _DROPPED and not name.lower().startswith(_OURS)
    ]
    is_redirect = location is not None and status // 100 == 3
    length = _length(known)
    return Head(status, phrase, tuple(passed), content_type, length, is_redirect, local)


def _is_local(location: bytes, known: dict[bytes, bytes]) -> bool:
    """Whether the server is to answer with that path itself (section 6.2.2).

    It may stand there only alone: with a Set-Cookie beside it, say, the client is sent there.
    """
    alone = all(name in _ALONE or name.startswith(_OURS) for name in known)
    if not alone or not _LOCAL.fullmatch(location):
        return False
    try:
        parse_target(location)
    except BadTarget as bad:
        raise Malformed(f"its Location is no path: {bad}") from bad
    return True


def _status(value: bytes) -> tuple[int, bytes]:
    match = _STATUS.fullmatch(value)
    if match is None:
        raise Malformed(f"its Status is none: {value[:80]!a}")
    status = int(match[1])
    return status, match[2] or phrase_of(status).encode("ascii")


def _length(known: dict[bytes, bytes]) -> int | None:
    value = known.get(b"content-length")
    if value is None:
        return None
    if not _LENGTH.fullmatch(value):
        raise Malformed(f"its Content-Length is no number: {value[:80]!a}")
    return int(value)
