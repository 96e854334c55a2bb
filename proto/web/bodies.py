"""Where the body of an HTTP/1.1 request ends: after its length, or after its last chunk.

RFC 9112, 6.3 and 7.1.  Chunks are read to the letter: what one parser forgives and another does not
is how a second request is hidden in a first.  No twisted, no sockets; keeps no byte of a body.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from proto.web.http1 import LINE_BYTES, BadRequest

TRAILER_BYTES: Final = 8192
"""The longest trailer section."""
CHUNKS_AT_ONCE: Final = 256
EXTENSION_BYTES: Final = 16384
"""All chunk extensions of a body together, which nobody here reads."""

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})((?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?)\r\n")
_TRAILER: Final = re.compile(rb"(" + _TOKEN + rb"):[\t\x20-\x7e\x80-\xff]*\r\n")
_FORBIDDEN: Final = frozenset({b"host", b"content-length", b"transfer-encoding"})


class Body(Protocol):
    """A body that is being received."""

    done: bool
    """Its last byte has come."""
    announced: int
    """It has at least so many bytes."""

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """What `data` holds of the body, and how many of its bytes belong to the message.

        Raises BadRequest.
        """
        ...


class LengthBody:
    """A body whose length was told."""

    __slots__ = ("_left", "announced", "done")

    def __init__(self, length: int) -> None:
        self.announced = self._left = length
        self.done = not length

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """See Body."""
        piece = data if len(data) <= self._left else data[: self._left]
        self._left -= len(piece)
        self.done = not self._left
        return piece, len(piece)


class ChunkedBody:
    """A body in chunks, each with its size; trailers are read and dropped."""

    __slots__ = ("_extensions", "_left", "_line", "_state", "_trailer", "announced", "done")

    def __init__(self) -> None:
        self.announced = 0
        self.done = False
        self._state = ChunkedBody._take_size  # no bound method: that would be a cycle
        self._line = b""  # a line that is not whole yet
        self._left = 0  # bytes of this chunk
        self._extensions = 0
        self._trailer = 0

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """See Body; so many chunks are taken at once that nobody waits long for it."""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.done and len(pieces) < CHUNKS_AT_ONCE:
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                pieces.append(piece)
                continue
            end = data.find(b"\n", at) + 1
            part = data[at : end or len(data)]
            self._line += part
            at += len(part)
            if len(self._line) > LINE_BYTES:
                raise BadRequest(400, "A line between the chunks is too long.")
            if end:
                line, self._line = self._line, b""
                self._state(self, line)
            elif self._is_hopeless(part):
                raise _malformed()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), at

    def _is_hopeless(self, part: bytes) -> bool:
        """Whatever comes behind, the line that is not whole cannot become one."""
        if self._state is ChunkedBody._take_end:
            return self._line != b"\r"
        return b"\0" in part or b"\r" in self._line[:-1]

    def _take_size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise _malformed()
        self._extensions += len(match[2])
        if self._extensions > EXTENSION_BYTES:
            raise BadRequest(400, "There are too many chunk extensions.")
        self._left = int(match[1], 16)
        self.announced += self._left
        self._state = ChunkedBody._take_end if self._left else ChunkedBody._take_trailer

    def _take_end(self, line: bytes) -> None:
        """The line end behind a chunk's bytes."""
        if line != b"\r\n":
            raise _malformed()
        self._state = ChunkedBody._take_size

    def _take_trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.done = True
            return
        match = _TRAILER.fullmatch(line)
        if match is None or match[1].lower() in _FORBIDDEN:
            raise BadRequest(400, "A trailer is malformed, or must not be one.")
        self._trailer += len(line)
        if self._trailer > TRAILER_BYTES:
            raise BadRequest(431, f"The trailers may have {TRAILER_BYTES} bytes here.")


def body_of(length: int | None) -> Body:
    """The body that a head announces; None for a chunked one."""
    return ChunkedBody() if length is None else LengthBody(length)


def _malformed() -> BadRequest:
    return BadRequest(400, "The chunks of the body are malformed.")
