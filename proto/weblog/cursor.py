"""Where a search stopped -> a text that a client brings back, and its place in the files of now.

A segment keeps its name but for what compressing adds.  The file that grows may have become one
since: then it is the oldest that came after those that were there, and begins with the same bytes.
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from proto.logfile.filesystem import File, Folder
from proto.web.response import HTTPError
from proto.weblog.problems import WrongField
from proto.weblog.reading import Unpacking, UnpackingError
from proto.weblog.segments import GROWING, Segment, opened

LONGEST: Final = 600
"""Characters of a cursor; ours are shorter."""
HEAD: Final = 256
"""Bytes at the beginning of a file by which it is known again."""

_Number = Annotated[int, Meta(ge=0, le=1 << 62)]


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """What lies before this place is not looked at yet."""

    number: _Number
    """Of the segment."""
    offset: _Number | None
    """Uncompressed; None for the end of the segment."""
    below: _Number = 0
    """The newest segment that there was, when the place is in the file that grows."""
    head: _Number = 0
    """What is known of the first bytes of that file."""
    inode: _Number = 0
    pending: _Number = 0
    """What is remembered of a compressed segment that was looked at in part."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go on: the segments from there on, newest first, and the end within the first."""

    segments: Sequence[Segment]
    offset: int | None = None


def encode(cursor: Cursor) -> str:
    """The cursor as a text of a query."""
    return urlsafe_b64encode(msgspec.msgpack.encode(cursor)).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """The cursor.  Raises WrongField when it is none of ours."""
    try:
        if len(text) <= LONGEST:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            return msgspec.msgpack.decode(raw, type=Cursor)
    except (ValueError, msgspec.MsgspecError) as error:
        raise _no_cursor() from error
    raise _no_cursor()


def head_of(file: File, offset: int) -> int:
    """By what the file is known again: at most the first `HEAD` bytes, all before the offset."""
    return zlib.crc32(file.read(min(HEAD, offset), 0))


def place_of(
    cursor: Cursor, folder: Folder, segments: Sequence[Segment], growing: File | None
) -> Place:
    """Where that is now; the first of the segments is the file that grows, open as that.

    Raises:
        HTTPError: 410, that segment is gone.
        OSError: a file cannot be read.
    """
    if cursor.number != GROWING:
        for at, segment in enumerate(segments):
            if segment.number == cursor.number:
                return Place(segments[at:], cursor.offset)
            if cursor.offset is None and segment.number < cursor.number:
                return Place(segments[at:])  # it was to be read from its end: the next one then
        if cursor.offset is None:
            return Place(())
        raise _gone()
    if _is_known(cursor, segments[0], growing):
        return Place(segments, cursor.offset)
    newer = [segment for segment in segments[1:] if segment.number > cursor.below]
    for segment in reversed(newer):
        with opened(folder, segment.name) as file:
            if _is_known(cursor, segment, file):
                return Place(segments[segments.index(segment) :], cursor.offset)
    raise _gone()


def _is_known(cursor: Cursor, segment: Segment, file: File | None) -> bool:
    """Whether it was the file that grew."""
    offset = cursor.offset or 0
    if file is None:
        return False
    if segment.packing:
        return _first_bytes(file, segment, offset) == cursor.head
    status = file.status()
    same = status.inode == cursor.inode and status.size >= offset
    return same and head_of(file, offset) == cursor.head


def _first_bytes(file: File, segment: Segment, offset: int) -> int:
    try:
        unpacking = Unpacking(segment.packing)
        head = b""
        while len(head) < min(HEAD, offset) and (block := unpacking.raw(file)) is not None:
            head += block
    except UnpackingError:
        return -1
    return zlib.crc32(head[: min(HEAD, offset)])


def _no_cursor() -> WrongField:
    return WrongField("This cursor is none that was told here.", "cursor")


def _gone() -> HTTPError:
    return HTTPError(410, "The segment in which this search stopped is gone; begin a new one.")
