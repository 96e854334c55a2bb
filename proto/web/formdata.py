"""multipart/form-data (RFC 7578) read from a file, part by part, with little of it in memory.

No twisted, no request: bytes in, parts out.  What a part may cost is bounded; how much all of them
may have is for who took the body in to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Protocol

from proto.web.response import HTTPError

MAX_PARTS: Final = 100
MAX_PART_HEAD: Final = 8 * 1024
CHUNK: Final = 64 * 1024

_BOUNDARY: Final = re.compile(
    r"multipart/form-data\s*;.*?\bboundary=(?:\"([^\"]{1,70})\"|([^\s\";,]{1,70}))",
    re.IGNORECASE | re.ASCII,
)
_DISPOSITION: Final = re.compile(
    rb"^content-disposition:[ \t]*form-data[ \t]*((?:;[^\r\n]*)?)\r?$", re.IGNORECASE | re.MULTILINE
)
_PARAMETER: Final = re.compile(rb';[ \t]*(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
# The three that browsers escape in a name (the HTML standard, "multipart/form-data encoding").
_ESCAPED: Final = {b"%22": b'"', b"%0D": b"\r", b"%0A": b"\n"}


class Readable(Protocol):
    """A file that is read from its beginning to its end."""

    def read(self, size: int, /) -> bytes: ...


class BadForm(HTTPError):
    """The body is not what its Content-Type says (400)."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, detail)


class Part:
    """One field of a form: its name, the name of the file if it is one, and its bytes, once."""

    def __init__(self, name: bytes, filename: bytes | None, chunks: Iterator[bytes]) -> None:
        self.name = name
        self.filename = filename
        self.chunks = chunks

    def value(self, limit: int) -> bytes:
        """All of it; raises BadForm when it has more than `limit` bytes."""
        value = b""
        for chunk in self.chunks:
            value += chunk
            if len(value) > limit:
                raise BadForm("A field of the form is too long.")
        return value


def boundary_of(content_type: str) -> bytes:
    """What separates the parts.  Raises BadForm if it is no such type, or has no boundary."""
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise BadForm("The form has no boundary.")
    return (found[1] or found[2]).encode("latin-1", "replace")


def parts_of(body: Readable, boundary: bytes) -> Iterator[Part]:
    """The parts in their order; what is not read of one is skipped when the next is asked for.

    Raises BadForm where the body is malformed.
    """
    reader = _Reader(body, b"\r\n--" + boundary)
    for _ in reader.chunks():  # what is before the first delimiter means nothing
        pass
    for _ in range(MAX_PARTS):
        if reader.is_last():
            return
        head = reader.head()
        found = _DISPOSITION.search(head)
        if found is None:
            raise BadForm("A part of the form does not say which field it is.")
        given = {key.lower(): _unescaped(text) for key, text in _PARAMETER.findall(found[1])}
        chunks = reader.chunks()
        yield Part(given.get(b"name", b""), given.get(b"filename"), chunks)
        for _ in chunks:
            pass
    raise BadForm(f"A form may have {MAX_PARTS - 1} fields here.")


class _Reader:
    def __init__(self, body: Readable, delimiter: bytes) -> None:
        self._body = body
        self._delimiter = delimiter
        self._buffer = b"\r\n"  # so that a delimiter at the very beginning is like any other

    def chunks(self) -> Iterator[bytes]:
        """What comes before the next delimiter, which is taken away."""
        keep = len(self._delimiter) - 1
        while True:
            end = self._buffer.find(self._delimiter)
            if end >= 0:
                before = self._buffer[:end]
                self._buffer = self._buffer[end + len(self._delimiter) :]
                if before:
                    yield before
                return
            if len(self._buffer) > keep:
                before = self._buffer[: len(self._buffer) - keep]
                self._buffer = self._buffer[len(before) :]
                yield before
            self._read_more()

    def is_last(self) -> bool:
        """Whether the delimiter that was met ends the form; else the line that it is on is over."""
        self._want(2)
        if self._buffer.startswith(b"--"):
            return True
        line = self._up_to(b"\r\n")
        if line.strip(b" \t"):
            raise BadForm("There is something behind a delimiter of the form.")
        return False

    def head(self) -> bytes:
        """The header fields of a part, each with its line break."""
        self._want(2)
        if self._buffer.startswith(b"\r\n"):
            self._buffer = self._buffer[2:]
            return b""
        return self._up_to(b"\r\n\r\n") + b"\r\n"

    def _up_to(self, mark: bytes) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > MAX_PART_HEAD:
                raise BadForm("The head of a part of the form is too long.")
            self._read_more()
        if end > MAX_PART_HEAD:
            raise BadForm("The head of a part of the form is too long.")
        found, self._buffer = self._buffer[:end], self._buffer[end + len(mark) :]
        return found

    def _want(self, count: int) -> None:
        while len(self._buffer) < count:
            self._read_more()

    def _read_more(self) -> None:
        more = self._body.read(CHUNK)
        if not more:
            raise BadForm("The form ends too early.")
        self._buffer += more


def _unescaped(text: bytes) -> bytes:
    for escaped, plain in _ESCAPED.items():
        text = text.replace(escaped, plain)
    return re.sub(rb'\\(["\\])', rb"\1", text)
