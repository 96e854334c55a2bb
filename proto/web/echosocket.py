"""A WebSocket that sends back what it hears; a peer that does not read its echo has to wait.

Knows neither frames nor requests: it is the application's side of a `proto.web.sockets.Socket`.
"""

from __future__ import annotations

from typing import Final

from proto.web.sockets import Socket

MAX_MESSAGE: Final = 1 << 20
"""Bytes of the longest message that is sent back; a longer one ends with 1009."""
MAX_QUEUE: Final = 4 * MAX_MESSAGE
"""Bytes that may wait for one peer: what it said before its sending was stopped, and no more."""
SHARE: Final = 64 * 1024
"""Bytes that one peer has sent back in a turn of the reactor; then it is the others' turn."""
_EACH: Final = 256  # the work that any message makes, as if it were so many bytes longer


class EchoListener:
    """What listens at the end of one connection."""

    __slots__ = ("_said", "_socket")
    _socket: Socket

    def __init__(self) -> None:
        self._said = 0

    # The socket calls these.
    def opened(self, socket: Socket) -> None:
        self._socket = socket

    def text(self, message: str) -> None:
        self._socket.send_text(message)
        self._rest(len(message))

    def binary(self, message: bytes) -> None:
        self._socket.send_binary(message)
        self._rest(len(message))

    def writable(self) -> None:
        self._socket.resume_reading()

    def dismissed(self) -> None:
        self._socket.close(1001, "the server hangs up")

    def closed(self, code: int, reason: str) -> None:
        """Nothing is left to do."""

    def _rest(self, size: int) -> None:
        """Hear no more until the echo is taken, or until the next turn."""
        self._said += size + _EACH
        if self._socket.waiting:
            self._socket.pause_reading()
        elif self._said >= SHARE:
            self._said = 0
            self._socket.pause_reading()
            self._socket.resume_reading()
