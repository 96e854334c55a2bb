"""A request target (RFC 9112 section 3.2) -> decoded path segments, or a refusal.

Everything here is bytes: a name in a folder need not be UTF-8.  No twisted, no file system; a
segment that could climb out of a folder never leaves this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ABSOLUTE: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


class BadTarget(ValueError):
    """The request target is malformed, or tries to leave the tree."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request points to.

    `segments` are decoded exactly once; the last one is empty when the path ends in a slash, so
    `/` is `(b"",)` and `/a/` is `(b"a", b"")`.
    """

    path: bytes
    query: bytes
    segments: tuple[bytes, ...]


def parse_target(raw: bytes) -> Target:
    """Split and decode a target in origin form or absolute form.

    Raises:
        BadTarget: it does not begin with a slash, has a broken escape, a NUL or a dot segment.
    """
    absolute = _ABSOLUTE.match(raw)
    if absolute is not None:
        raw = raw[absolute.end() :]
        if not raw.startswith(b"/"):  # http://host and http://host?q mean the root
            raw = b"/" + raw
    if not raw.startswith(b"/"):
        raise BadTarget("The request target must begin with a slash.")
    path, _, query = raw.partition(b"?")
    return Target(path, query, tuple(map(_decode, path[1:].split(b"/"))))


def _decode(segment: bytes) -> bytes:
    if _BAD_ESCAPE.search(segment):
        raise BadTarget("A percent sign in the path must be followed by two hexadecimal digits.")
    decoded = _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), segment)
    if b"\0" in decoded:
        raise BadTarget("The path must not contain NUL.")
    # `..%2f` hides a dot segment behind an encoded slash, and `..;x` before a parameter, which some
    # of those servers cut off that a proxy may stand in front of.
    if any(part.partition(b";")[0] in (b".", b"..") for part in decoded.split(b"/")):
        raise BadTarget("The path must not contain dot segments.")
    return decoded
