"""The frames of a WebSocket: bytes in, whole messages out.  No sockets, no clock.

RFC 6455, and RFC 7692 for compression; the parser is that of the library `websockets`.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Sequence
from typing import Final

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions import Extension
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

INTERNAL_ERROR: Final = int(CloseCode.INTERNAL_ERROR)
LOST: Final = int(CloseCode.ABNORMAL_CLOSURE)
"""The code for a connection that ended without a closing handshake; it is never sent."""

PING: Final = b"\x89\x00"
WORTH_COMPRESSING: Final = 256
"""Bytes of the smallest message that is compressed; below that it is seldom worth the work."""

_FIN: Final = 0x80
_MAX_CONTROL: Final = 125
_MAX_REASON: Final = _MAX_CONTROL - 2

_Decoder: Final = codecs.getincrementaldecoder("utf-8")


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


class Dialogue(ServerProtocol):
    """One connection after its handshake.

    `inbox` is called with each whole message while bytes are received, so that an answer to it
    leaves before the answer to a close frame behind it; it must not raise.  A message may have
    `max_message` bytes, after inflation too.
    """

    # Python shares the keys of up to 30 attributes among all instances, and the library has nearly
    # as many: four more would double what a connection takes.
    __slots__ = ("_max_message", "_message", "_utf8", "inbox")

    def __init__(
        self,
        extensions: Sequence[Extension],
        max_message: int,
        inbox: Callable[[str | bytes], None],
    ) -> None:
        # The parser applies what is left of the limit to control frames too, and takes a rest of
        # 0 for "no limit" when it inflates: with room for a control frame neither can happen.
        super().__init__(state=OPEN, max_size=max_message + _MAX_CONTROL)
        self.extensions = list(extensions)
        self.inbox: Callable[[str | bytes], None] | None = inbox
        self._max_message = max_message
        self._message = bytearray()
        self._utf8: codecs.IncrementalDecoder | None = None

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

    def forget(self) -> None:
        """Deliver nothing any more, and hold nothing of a message that is not complete."""
        self.inbox = None
        self._message = bytearray()

    # The parser calls this; what it raises fails the connection with the code that belongs to it.
    def recv_frame(self, frame: Frame) -> None:
        super().recv_frame(frame)
        self.events.clear()
        if frame.opcode >= Opcode.CLOSE:  # a control frame
            return
        if frame.opcode is not Opcode.CONT:
            self._utf8 = _Decoder() if frame.opcode is Opcode.TEXT else None
        if len(self._message) + len(frame.data) > self._max_message:
            raise PayloadTooBig(len(frame.data), self._max_message)
        if self._utf8 is not None:  # checked piece by piece: a mistake fails at once
            self._utf8.decode(frame.data, frame.fin)
        self._message += frame.data
        if frame.fin:
            whole, self._message = bytes(self._message), bytearray()
            if self.inbox is not None:
                self.inbox(whole if self._utf8 is None else whole.decode())

    def _compressed(self, opcode: Opcode, payload: bytes) -> bytes:
        plain = _frame(opcode, payload)
        if not self.extensions or len(payload) < WORTH_COMPRESSING:
            return plain
        packed = Frame(opcode, payload).serialize(mask=False, extensions=self.extensions)
        return packed if len(packed) < len(plain) else plain
