"""The bytes of an HTTP/2 connection, cut into frames; and how many of those that bring nothing.

Frames are cut here, so that each is judged before the next one costs anything, and so that one
that is too long is refused when its first nine bytes have come.  What is in them the h2 library
knows.  No sockets; the time is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from h2.errors import ErrorCodes

from proto.limits import TokenBucket

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEADER: Final = 9
MAX_FRAME: Final = 16_384
"""Bytes of a frame's payload: the smallest bound that the RFC allows, and what we announce."""
MAX_BLOCK: Final = 64 * 1024
"""Bytes of a packed head, which may come in several frames."""
MAX_CONTINUATIONS: Final = 32
FLOOD_BURST: Final = 1000
FLOOD_RATE: Final = 100
"""Frames that bring a request no further: so many at once, and then so many a second."""
FUTILE_BURST: Final = 200
FUTILE_RATE: Final = 20
"""The same for streams that are reset before they were answered."""
UPDATES_PER_FRAME: Final = 4
"""WINDOW_UPDATEs that answer one frame of data are no flood: one each for stream and connection."""
_MAX_UPDATES: Final = 100_000

DATA: Final = 0x0
HEADERS: Final = 0x1
PREFACED: Final = -1
"""The kind of the client's first 24 bytes, which are no frame."""
_SETTINGS: Final = 0x4
_PUSH_PROMISE: Final = 0x5
_GOAWAY: Final = 0x7
_WINDOW_UPDATE: Final = 0x8
_CONTINUATION: Final = 0x9
_END_HEADERS: Final = 0x4
_FREE: Final = frozenset({PREFACED, DATA, HEADERS, _PUSH_PROMISE, _GOAWAY})


class BadFrame(Exception):
    """What ends the connection; `code` goes into its GOAWAY."""

    def __init__(self, why: str, code: ErrorCodes = ErrorCodes.ENHANCE_YOUR_CALM) -> None:
        super().__init__(why)
        self.code = code


class Frame(NamedTuple):
    """A whole frame; `raw` is its bytes with the nine of its head."""

    kind: int
    stream: int
    raw: bytes


class FrameReader:
    """Cuts what came; holds one frame at most, besides what was fed last."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._prefaced = False
        self._block: int | None = None  # bytes of a head that goes on
        self._continuations = 0

    @property
    def has_begun(self) -> bool:
        """Whether a head or another short thing is not whole yet; bodies may take their time."""
        if self._block is not None or not self._prefaced:
            return True
        return bool(self._buffer) and not self._has_begun_data()

    def partial(self, stream: int) -> int:
        """Bytes of a body's next frame that have come already."""
        if not self._has_begun_data():
            return 0
        return len(self._buffer) if int.from_bytes(self._buffer[5:9]) == stream else 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now.  Raises BadFrame for one that must not be."""
        self._buffer += data
        if not self._prefaced and (frame := self._preface()) is not None:
            yield frame
        while self._prefaced and len(self._buffer) >= FRAME_HEADER:
            length, kind = int.from_bytes(self._buffer[:3]), self._buffer[3]
            if length > MAX_FRAME:
                raise BadFrame("A frame is too long.", ErrorCodes.FRAME_SIZE_ERROR)
            end = FRAME_HEADER + length
            if len(self._buffer) < end:
                return
            stream = int.from_bytes(self._buffer[5:9]) & 0x7FFFFFFF
            if kind in (HEADERS, _CONTINUATION):
                self._measure(kind, self._buffer[4], length)
            raw = bytes(self._buffer[:end])
            del self._buffer[:end]
            yield Frame(kind, stream, raw)

    def _preface(self) -> Frame | None:
        came = min(len(self._buffer), len(PREFACE))
        if self._buffer[:came] != PREFACE[:came]:
            raise BadFrame("This is not HTTP/2.", ErrorCodes.PROTOCOL_ERROR)
        if came < len(PREFACE):
            return None
        self._prefaced = True
        del self._buffer[:came]
        return Frame(PREFACED, 0, PREFACE)

    def _measure(self, kind: int, flags: int, length: int) -> None:
        """Bound a head that comes in several frames (CVE-2024-27316)."""
        if kind == HEADERS:
            self._block, self._continuations = 0, 0
        if self._block is None:
            return  # the state machine refuses it
        self._block += length
        self._continuations += kind == _CONTINUATION
        if self._block > MAX_BLOCK or self._continuations > MAX_CONTINUATIONS:
            raise BadFrame("A head has no end.")
        if flags & _END_HEADERS:
            self._block = None

    def _has_begun_data(self) -> bool:
        return self._block is None and len(self._buffer) >= FRAME_HEADER and self._buffer[3] == DATA


class Allowance:
    """How much of what brings nothing one peer may send."""

    def __init__(self, now: float) -> None:
        self._frames = TokenBucket(FLOOD_BURST, FLOOD_RATE, now)
        self._streams = TokenBucket(FUTILE_BURST, FUTILE_RATE, now)
        self._updates = 0

    def sent_data(self) -> None:
        """A frame of data goes to the peer, who may answer it with WINDOW_UPDATEs."""
        self._updates = min(_MAX_UPDATES, self._updates + UPDATES_PER_FRAME)

    def heard(self, frame: Frame, now: float) -> None:
        """Count a frame by its kind.  Raises BadFrame for a flood."""
        if frame.kind in _FREE:
            return
        if frame.kind == _WINDOW_UPDATE and self._updates:
            self._updates -= 1
        else:
            self.useless(now)

    def useless(self, now: float) -> None:
        """Count a frame that had nothing in it.  Raises BadFrame for a flood."""
        if self._frames.take(now):
            raise BadFrame("Too many frames that bring nothing.")

    def futile(self, now: float) -> None:
        """Count a stream that came to nothing (CVE-2023-44487).  Raises BadFrame for a flood."""
        if self._streams.take(now):
            raise BadFrame("Too many streams were reset.")
