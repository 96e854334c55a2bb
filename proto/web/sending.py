"""A file on its way to a peer, as fast as the peer takes it and with little of it in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from proto.web.files import Opened
from proto.web.ranges import Piece, Span
from proto.web.request import WebRequest

CHUNK: Final = 64 * 1024
# A transport that never says "stop" still lets others have their turn after so many bytes.
TURN: Final = 16 * CHUNK


@implementer(IPushProducer)
class FileSender:
    """Writes literal bytes and spans of an opened file to a request, then finishes it.

    The file is closed when the request is over, however it ends.  A file that turns out shorter
    than it was ends the connection: a lie about Content-Length would be taken for the next answer.
    """

    log = Logger()

    def __init__(
        self, request: WebRequest, file: Opened, pieces: Iterable[Piece], clock: IReactorTime
    ) -> None:
        self._request = request
        self._file = file
        self._pieces = deque(pieces)
        self._clock = clock
        self._paused = False
        self._ended = False
        self._is_registered = False
        self._next_turn: IDelayedCall | None = None
        request.when_over().addBoth(self._over)

    def start(self) -> None:
        """Send what fits into one chunk at once; more than that as a producer."""
        if self._is_small():
            self._send(CHUNK)
        else:
            self._is_registered = True
            self._request.registerProducer(self, True)
            self.resumeProducing()

    # The transport calls these.
    def resumeProducing(self) -> None:
        self._paused = False
        self._forget_next_turn()
        self._send(TURN)
        if not self._ended and not self._paused:
            self._next_turn = self._clock.callLater(0, self.resumeProducing)

    def pauseProducing(self) -> None:
        self._paused = True
        self._forget_next_turn()

    def stopProducing(self) -> None:
        self.pauseProducing()
        self._ended = True

    def _is_small(self) -> bool:
        spans = [piece for piece in self._pieces if isinstance(piece, Span)]
        return len(spans) == 1 and spans[0].length <= CHUNK

    def _send(self, limit: int) -> None:
        """Write until the limit, the end, or until the transport has enough."""
        sent = 0
        while self._pieces and sent < limit and not (self._paused or self._ended):
            chunk = self._next_chunk()
            if not chunk:
                self._end()
                self._request.break_off()
                return
            sent += len(chunk)
            self._request.write(chunk)
        if not self._pieces and not self._ended:
            self._end()
            self._request.finish()

    def _end(self) -> None:
        self._ended = True
        if self._is_registered:
            self._request.unregisterProducer()

    def _next_chunk(self) -> bytes:
        """The next bytes to send; none when the file does not have them any more."""
        piece = self._pieces.popleft()
        if isinstance(piece, bytes):
            return piece
        try:
            chunk = os.pread(self._file.fd, min(CHUNK, piece.length), piece.start)
        except OSError:
            self.log.failure("cannot read a file that is being sent")
            return b""
        if chunk and len(chunk) < piece.length:
            self._pieces.appendleft(Span(piece.start + len(chunk), piece.length - len(chunk)))
        return chunk

    def _over(self, _: object) -> None:
        self._ended = True
        self._forget_next_turn()
        self._file.close()

    def _forget_next_turn(self) -> None:
        if self._next_turn is not None and self._next_turn.active():
            self._next_turn.cancel()
        self._next_turn = None
