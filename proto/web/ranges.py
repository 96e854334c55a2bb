"""Byte ranges (RFC 9110 section 14): a Range header -> spans of a file, and their framing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_RANGES: Final = 16

_SPEC: Final = re.compile(r"(\d*)-(\d*)", re.ASCII)
# Longer numbers are all the same to us, and int() refuses more than 4300 digits.
_MANY_DIGITS: Final = 19


class Unsatisfiable(ValueError):
    """Every range lies behind the end of the file (416)."""


@dataclass(frozen=True, slots=True)
class Span:
    """`length` bytes of the file from `start`."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        """The value of Content-Range for this part of a file of `size` bytes."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


Piece = bytes | Span


def parse_ranges(header: str, size: int) -> tuple[Span, ...] | None:
    """The spans that are asked for, or None when the whole file is the better answer.

    None is for no header, another unit, a malformed one, and for more than `MAX_RANGES` ranges or
    more bytes than the file has, which nobody needs who does not mean harm (section 14.2).

    Raises:
        Unsatisfiable: the header is well-formed, but names nothing in the file.
    """
    unit, _, listed = header.partition("=")
    if unit.strip(" \t").lower() != "bytes":
        return None
    specs = [spec for part in listed.split(",") if (spec := part.strip(" \t"))]
    if not specs or len(specs) > MAX_RANGES:
        return None
    spans = []
    for spec in specs:
        found = _SPEC.fullmatch(spec)
        if found is None or spec == "-":
            return None
        first, last = found[1], found[2]
        if first and last and _number(last) < _number(first):
            return None
        span = _span(first, last, size)
        if span is not None:
            spans.append(span)
    if not spans:
        raise Unsatisfiable
    if sum(span.length for span in spans) > size:
        return None
    return tuple(spans)


def multipart(
    spans: Sequence[Span], size: int, content_type: str, boundary: str
) -> tuple[Piece, ...]:
    """The body of a multipart/byteranges answer, as literal bytes and spans in turn."""
    pieces: list[Piece] = []
    line_break = ""
    for span in spans:
        head = (
            f"{line_break}--{boundary}\r\nContent-Type: {content_type}\r\n"
            f"Content-Range: {span.content_range(size)}\r\n\r\n"
        )
        pieces += (head.encode("latin-1", "replace"), span)
        line_break = "\r\n"
    pieces.append(f"\r\n--{boundary}--\r\n".encode("ascii"))
    return tuple(pieces)


def length_of(pieces: Sequence[Piece]) -> int:
    """The number of bytes that the pieces come to."""
    return sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in pieces)


def _span(first: str, last: str, size: int) -> Span | None:
    if not first:  # the last so many bytes
        length = min(_number(last), size)
        return Span(size - length, length) if length else None
    start = _number(first)
    if start >= size:
        return None
    end = min(_number(last), size - 1) if last else size - 1
    return Span(start, end - start + 1)


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _MANY_DIGITS else 10**_MANY_DIGITS
