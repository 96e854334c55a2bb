"""Cache-Control: the lines of a head -> directives (RFC 9111 section 5.2).

Read as tolerantly as the RFC asks; where something can be read in two ways, the reading that lets a
cache do less counts.  Knows what no directive means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from proto.web.proxy.messages import Fields

MOST: Final = 2**31
"""Seconds that stand for any larger number (section 1.2.2)."""

Directives = Mapping[bytes, Sequence[bytes]]
"""Names in lower case, and each one's arguments as they came; an empty one where there is none."""

_MARK: Final = re.compile(rb'[,"]')
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_NUMBER: Final = re.compile(rb"[0-9]+")
_SPACE: Final = b" \t"
_MANY_DIGITS: Final = 10


def values_of(fields: Fields, name: bytes) -> list[bytes]:
    """The values of a field, in their order; `name` is in lower case."""
    return [value for each, value in fields if each.lower() == name]


def parse_directives(lines: Iterable[bytes]) -> Directives:
    """The directives of all Cache-Control lines of one head."""
    found: dict[bytes, list[bytes]] = {}
    for line in lines:
        for member in members(line):
            name, equals, argument = member.partition(b"=")
            if name := name.rstrip(_SPACE).lower():
                # With a space beside its sign it is none of ours, and no number either.
                spoilt = equals and argument[:1] in (b" ", b"\t")
                spoilt = spoilt or (equals and member[len(name) : len(name) + 1] != b"=")
                found.setdefault(name, []).append(b"?" if spoilt else _unquoted(argument))
    return found


def members(line: bytes) -> list[bytes]:
    """What stands between the commas of a list, empty ones left out.

    A comma in a quoted string is none; a quote that nothing closes is no quote.
    """
    parts: list[bytes] = []
    begin = place = 0
    trusts_quotes = True
    while mark := _MARK.search(line, place):
        place = mark.end()
        if mark[0] == b",":
            parts.append(line[begin : mark.start()])
            begin = place
        elif trusts_quotes:
            quoted = _QUOTED.match(line, mark.start())
            trusts_quotes = quoted is not None
            place = quoted.end() if quoted else place
    parts.append(line[begin:])
    return [part for each in parts if (part := each.strip(_SPACE))]


def seconds(directives: Directives, name: bytes) -> int | None:
    """The number that a directive gives, None where there is no such directive.

    The smallest of several, and 0 when one of them is no number (section 4.2.1).
    """
    arguments = directives.get(name)
    return None if arguments is None else min(map(read_seconds, arguments))


def names_in(directives: Directives, name: bytes) -> frozenset[bytes] | None:
    """The fields that `private` or `no-cache` name, in lower case; none: all of the answer.

    None where there is no such directive.
    """
    arguments = directives.get(name)
    if arguments is None:
        return None
    listed = [
        frozenset(each.lower() for each in members(argument.replace(b'"', b"")))
        for argument in arguments
    ]
    return frozenset().union(*listed) if all(listed) else frozenset()


def number_of(text: bytes) -> int | None:
    """A number of seconds (delta-seconds, section 1.2.2); None when it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    digits = text.lstrip(b"0")
    return min(int(digits or b"0"), MOST) if len(digits) <= _MANY_DIGITS else MOST


def read_seconds(argument: bytes) -> int:
    """A number of seconds; 0 when it is none."""
    return number_of(argument) or 0


def _unquoted(argument: bytes) -> bytes:
    if _QUOTED.fullmatch(argument):
        return _ESCAPED.sub(rb"\1", argument[1:-1])
    return argument
