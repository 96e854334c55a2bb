"""Files of a log -> blocks of whole lines, from the end or, where compressed, from the beginning.

Never more than a block and one line of a file is in memory.  A last line without LF is being
written and is not there yet.  Knows no folders, and not what is looked for.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

from proto.logfile.filesystem import File

CHUNK: Final = 128 * 1024
"""Bytes that are read at a time."""
LONGEST: Final = 1024 * 1024
"""Bytes of a line that are looked at; it is cut there."""

_GZIP: Final = 31
"""What zlib calls a gzip stream with the largest window."""

Block: TypeAlias = tuple[int, bytes]
"""Where it begins in the file, uncompressed, and whole lines, each ending in LF."""

Stamp: TypeAlias = Callable[[bytes], float | None]
"""When a record was made, in seconds since the epoch, or None if it does not tell."""


def blocks_back(file: File, end: int) -> Iterator[Block]:
    """The lines before `end`, the last ones first; without any for a chunk that completes none.

    Raises:
        OSError: the file cannot be read.
    """
    at, rest, has_end = end, b"", False
    while at > 0:
        begin = max(0, at - CHUNK)
        data = file.read(at - begin, begin)
        at = begin
        if not has_end:
            data = data[: data.rfind(b"\n") + 1]
            has_end = bool(data)
        data += rest
        cut = data.find(b"\n") + 1 if begin else 0
        rest, block = data[:cut], data[cut:]
        if len(rest) > LONGEST:
            rest = rest[: LONGEST - 1] + b"\n"
        yield begin + cut if block else begin, block


def end_before(file: File, end: int, time: float, stamp: Stamp) -> tuple[int, int]:
    """Where the lines end that may be from `time` or earlier, if times only grow, about; and how
    many bytes were read to find it.

    Raises:
        OSError: the file cannot be read.
    """
    low, high, size = 0, end, 0
    while high - low > CHUNK:
        middle = (low + high) // 2
        data = file.read(CHUNK, middle)
        size += len(data)
        begin = data.find(b"\n") + 1
        told = stamp(data[begin:]) if begin else None
        if told is None or middle + begin >= high:
            break
        if told > time:
            high = middle + begin
        else:
            low = middle + begin
    return high, size


class UnpackingError(Exception):
    """A compressed file is damaged, or there is no package for it."""


class _Gzip:
    """What a gzip file holds, from its beginning."""

    def __init__(self) -> None:
        self._inflate: Any = zlib.decompressobj(_GZIP)
        self._at = 0
        self._input = b""

    def read(self, file: File) -> bytes | None:
        """The next bytes, perhaps none; None at the end.  Raises OSError and zlib.error."""
        if not self._input:
            self._input = file.read(CHUNK, self._at)
            self._at += len(self._input)
            if not self._input:
                return None
        data: bytes = self._inflate.decompress(self._input, CHUNK)
        self._input = self._inflate.unconsumed_tail
        if self._inflate.eof:  # another member may follow (RFC 1952, 2.2)
            self._input = self._inflate.unused_data
            self._inflate = zlib.decompressobj(_GZIP)
        return data


class _Zstandard:
    """What a Zstandard file (RFC 8878) holds, from its beginning."""

    def __init__(self) -> None:
        """Raises UnpackingError without the package for it."""
        try:
            zstandard = importlib.import_module("zstandard")
        except ImportError as error:
            raise UnpackingError("zstd needs the package zstandard") from error
        self.error: type[Exception] = zstandard.ZstdError
        self._at = 0
        self._file: File | None = None
        # `stream_reader` reads from us: only it bounds what comes out at a time.
        self._source = zstandard.ZstdDecompressor().stream_reader(
            SimpleNamespace(read=self._more), read_across_frames=True
        )

    def read(self, file: File) -> bytes | None:
        """The next bytes; None at the end.  Raises OSError and `error`."""
        self._file = file
        data: bytes = self._source.read(CHUNK)
        return data or None

    def _more(self, size: int) -> bytes:
        assert self._file is not None
        data = self._file.read(CHUNK if size < 0 else size, self._at)
        self._at += len(data)
        return data


class Unpacking:
    """A compressed file from its beginning; it can be left and gone on with."""

    def __init__(self, packing: str) -> None:
        """`packing` is `.gz` or `.zst`; raises UnpackingError without the package for it."""
        self._packed: _Gzip | _Zstandard
        self._damaged: type[Exception]
        if packing == ".gz":
            self._packed, self._damaged = _Gzip(), zlib.error
        else:
            self._packed = _Zstandard()
            self._damaged = self._packed.error
        self._rest = b""
        self._left_out = 0  # of a line that is too long
        self.offset = 0
        """Where the next block begins, uncompressed."""

    def next(self, file: File) -> Block | None:
        """The next lines, perhaps none; None at the end of the file.

        Raises:
            OSError: the file cannot be read.
            UnpackingError: it is damaged.
        """
        data = self.raw(file)
        if data is None and b"\n" not in self._rest:
            return None
        if self._left_out or len(self._rest) > LONGEST:
            return self._go_on_with_long_line(data or b"")
        text = self._rest + (data or b"")
        cut = text.rfind(b"\n") + 1
        return self._block(text[:cut], cut, text[cut:])

    def raw(self, file: File) -> bytes | None:
        """The next bytes, perhaps none; None at the end.  Raises OSError and UnpackingError."""
        try:
            return self._packed.read(file)
        except self._damaged as error:
            raise UnpackingError(str(error)) from error

    def _block(self, lines: bytes, length: int, rest: bytes) -> Block:
        begin = self.offset
        self.offset += length
        self._rest = rest
        return begin, lines

    def _go_on_with_long_line(self, data: bytes) -> Block:
        kept = self._rest[:LONGEST]
        self._left_out += len(self._rest) - len(kept)
        end = data.find(b"\n")
        if end < 0:
            self._rest = kept
            self._left_out += len(data)
            return self.offset, b""
        length = len(kept) + self._left_out + end + 1
        self._left_out = 0
        return self._block(kept + b"\n", length, data[end + 1 :])
