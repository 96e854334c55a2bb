"""The frames of a WebSocket: bytes in, whole messages out.  No sockets, no clock.

RFC 6455, and RFC 7692 for compression; the parser is that of the library `websockets`.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Generator, Sequence
from typing import Final

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions import Extension
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.utils import apply_mask

INTERNAL_ERROR: Final = int(CloseCode.INTERNAL_ERROR)
LOST: Final = int(CloseCode.ABNORMAL_CLOSURE)
"""The code for a connection that ended without a closing handshake; it is never sent."""

PING: Final = b"\x89\x00"
WORTH_COMPRESSING: Final = 256
"""Bytes of the smallest message that is compressed; below that it is seldom worth the work."""
MOST_CONTROLS: Final = 1000
"""Pings and pongs that a peer may send between two calls of `rest`; each makes work for nothing."""
FEW_PIECES: Final = 1024
"""Pieces that any message may have; a long one may have more, of 64 bytes on an average."""

_FIN: Final = 0x80
_MAX_CONTROL: Final = 125
_MAX_REASON: Final = _MAX_CONTROL - 2

_Decoder: Final = codecs.getincrementaldecoder("utf-8")


def _nothing() -> None:
    """Nobody wants to know."""


def text_frame(payload: bytes) -> bytes:
    """A whole text message from a server, not compressed: encode it once, send it to many."""
    return _frame(Opcode.TEXT, payload)


def _frame(opcode: Opcode, payload: bytes) -> bytes:
    first, length = _FIN | opcode, len(payload)
    if length <= _MAX_CONTROL:
        return struct.pack("!BB", first, length) + payload
    if length <= 0xFFFF:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


class _Reader(StreamReader):
    """Reads as the library's does, and remembers the head of the frame that is coming."""

    __slots__ = ("head",)

    def __init__(self) -> None:
        super().__init__()
        self.head: list[bytes | bytearray] = []

    # The parser calls these.
    def at_eof(self) -> Generator[None, None, bool]:
        self.head.clear()  # it asks between two frames
        return super().at_eof()

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        buffer = self.buffer
        while len(buffer) < n:
            if self.eof:
                raise EOFError(f"the stream ends {n - len(buffer)} bytes too early")
            yield
        part = buffer[:n]
        del buffer[:n]
        self.head.append(part)
        return part

    def payload(self) -> tuple[int, bytes | bytearray] | None:
        """The first byte and the mask of a frame whose payload is coming."""
        head = self.head
        if not head or len(head) != (2 if head[0][1] & 0x7F < 126 else 3):
            return None
        return head[0][0], head[-1]


class _Preview:
    """Looks at the text in a frame that is not whole yet: a mistake fails at once."""

    __slots__ = ("_decoder", "_seen")

    def __init__(self, decoder: codecs.IncrementalDecoder | None) -> None:
        self._decoder = _Decoder()
        if decoder is not None:  # the frame goes on with a message
            self._decoder.setstate(decoder.getstate())
        self._seen = 0

    def look(self, payload: bytearray, mask: bytes | bytearray) -> None:
        """All that is here of the payload, masked.  Raises UnicodeDecodeError."""
        turn = self._seen % 4
        rest = payload[self._seen :]
        self._seen = len(payload)
        self._decoder.decode(apply_mask(rest, bytes(mask[turn:] + mask[:turn])))


class Dialogue(ServerProtocol):
    """One connection after its handshake.

    `inbox` is called with each whole message while bytes are received, so that an answer to it
    leaves before the answer to a close frame behind it; it must not raise.  A message may have
    `max_message` bytes, after inflation too.  Too many pieces, or pings, end with 1008.
    `before_close` is called when the peer has said its last, before that is answered.
    """

    # Python shares the keys of up to 30 attributes among all instances, and the library has nearly
    # as many: four more would double what a connection takes.
    __slots__ = (
        "_before_close",
        "_controls",
        "_max_message",
        "_message",
        "_pieces",
        "_preview",
        "_utf8",
        "frames",
        "inbox",
    )

    def __init__(
        self,
        extensions: Sequence[Extension],
        max_message: int,
        inbox: Callable[[str | bytes], None],
        before_close: Callable[[], None] | None = None,
    ) -> None:
        # The parser applies what is left of the limit to control frames too, and takes a rest of
        # 0 for "no limit" when it inflates: with room for a control frame neither can happen.
        super().__init__(state=OPEN, max_size=max_message + _MAX_CONTROL)
        self.reader: _Reader = _Reader()
        self.parser = self.parse()
        next(self.parser)
        self.extensions = list(extensions)
        self.inbox: Callable[[str | bytes], None] | None = inbox
        self._before_close = before_close or _nothing
        self._max_message = max_message
        self._message = bytearray()
        self._utf8: codecs.IncrementalDecoder | None = None
        self._preview: _Preview | None = None
        self._pieces = 0  # of the message that is coming
        self._controls = 0
        self.frames = 0
        """How many have come; whoever looks may set it back."""

    @property
    def is_open(self) -> bool:
        """Nobody has begun to close."""
        return self.state is OPEN

    @property
    def is_over(self) -> bool:
        """Both have said all; hang up after `data_to_send`."""
        return self.eof_sent

    @property
    def has_failed(self) -> bool:
        """The peer has broken the protocol or a limit."""
        return self.parser_exc is not None

    def outcome(self) -> tuple[int, str]:
        """How it ended: the peer's code and reason, or those it was failed with."""
        ended: Close | None = self.close_sent if self.has_failed else self.close_rcvd
        return (LOST, "") if ended is None else (int(ended.code), ended.reason)

    def text(self, payload: bytes) -> bytes:
        """A text message as a frame, compressed if that was negotiated and makes it smaller."""
        return self._compressed(Opcode.TEXT, payload)

    def binary(self, payload: bytes) -> bytes:
        """The same for a binary message."""
        return self._compressed(Opcode.BINARY, payload)

    def farewell(self, code: int, reason: str) -> bytes:
        """The close frame; its reason is cut to 123 bytes.

        Raises:
            ValueError: nobody may send this code.
        """
        cut = reason.encode("utf-8", "replace")[:_MAX_REASON].decode("utf-8", "ignore")
        try:
            self.send_close(code, cut)
        except ProtocolError as error:
            raise ValueError(f"{code} cannot be sent as a close code") from error
        return b"".join(self.data_to_send())

    def rest(self) -> None:
        """A while has passed: the peer may ping again."""
        self._controls = 0

    def forget(self) -> None:
        """Deliver nothing any more, and hold nothing of a message that is not complete."""
        self.inbox = None
        self._before_close = _nothing
        self._message = bytearray()

    # The connection calls this.
    def receive_data(self, data: bytes | bytearray) -> None:
        super().receive_data(data)
        coming = self.reader.payload() if self.reader.buffer and not self.eof_sent else None
        if coming is None:
            return
        first, mask = coming
        if not self._is_plain_text(first):
            return
        if self._preview is None:
            self._preview = _Preview(self._utf8 if first & 0x0F == Opcode.CONT else None)
        try:
            self._preview.look(self.reader.buffer, mask)
        except UnicodeDecodeError as error:
            self.parser_exc = error
            self.fail(CloseCode.INVALID_DATA, error.reason)

    # The parser calls this; what it raises fails the connection with the code that belongs to it.
    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # it may come within a message (section 5.4)
            self._before_close()
        super().recv_frame(frame)
        self.events.clear()
        self.frames += 1
        self._preview = None
        if frame.opcode >= Opcode.CLOSE:  # a control frame
            self._controls += 1
            if self._controls > MOST_CONTROLS:
                self._refuse("too many pings")
            return
        if frame.opcode is not Opcode.CONT:
            self._utf8 = _Decoder() if frame.opcode is Opcode.TEXT else None
            self._pieces = 0
        self._pieces += 1
        if self._pieces > max(FEW_PIECES, self._max_message // 64):
            self._refuse("a message in too many pieces")
            return
        if len(self._message) + len(frame.data) > self._max_message:
            raise PayloadTooBig(len(frame.data), self._max_message)
        if self._utf8 is not None:  # checked piece by piece: a mistake fails at once
            self._utf8.decode(frame.data, frame.fin)
        self._message += frame.data
        if frame.fin:
            whole, self._message = bytes(self._message), bytearray()
            if self.inbox is not None:
                self.inbox(whole if self._utf8 is None else whole.decode())

    def _is_plain_text(self, first: int) -> bool:
        """Whether a frame that begins so has text that is not compressed."""
        opcode = first & 0x0F
        if opcode == Opcode.TEXT:
            return not first & 0x70 and self.current_size is None
        if opcode != Opcode.CONT or first & 0x70 or self.current_size is None:
            return False
        inflating = any(getattr(each, "decode_cont_data", False) for each in self.extensions)
        return self._utf8 is not None and not inflating

    def _refuse(self, why: str) -> None:
        """Fail the connection for what is allowed and yet too much."""
        self.parser_exc = ProtocolError(why)
        self.fail(CloseCode.POLICY_VIOLATION, why)

    def _compressed(self, opcode: Opcode, payload: bytes) -> bytes:
        plain = _frame(opcode, payload)
        if not self.extensions or len(payload) < WORTH_COMPRESSING:
            return plain
        packed = Frame(opcode, payload).serialize(mask=False, extensions=self.extensions)
        return packed if len(packed) < len(plain) else plain
