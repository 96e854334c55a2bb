"""The outgoing side of a connection: written at once when nothing waits, queued when it cannot be.

While a protocol is being told something by its own connection, its writes are held and joined; they
leave when it returns.  At any other time a write leaves at once.  Nothing here calls connectionLost
inside a write: an error is noted, and found again in the next turn, as Twisted's users expect.

Knows a socket and a producer; nothing of TLS, of listening, of what the bytes mean.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IProducer
from twisted.internet.main import CONNECTION_LOST

from proto.reactor.backlog import Backlog

if TYPE_CHECKING:
    from proto.reactor.group import Group

NOTHING = b""


class Stream(FileDescriptor):
    """A stream socket's descriptor whose writes do not wait for a poll."""

    socket: socket.socket
    reactor: Any
    readSize: int | None = None
    """Bytes read from the peer in one turn; None: as many as `bufferSize`."""
    TLS = False
    _aborting = False

    _waiting: bytes | Backlog = NOTHING
    """Bytes that are held, or a backlog of held bytes or of what the kernel did not take."""
    _quick = False
    """Whether a write may leave without further questions if nothing waits."""
    _broken = False
    """Whether a write has failed; the next turn ends the connection."""
    group: Group | None = None
    """Where it is written to by others than its `write`, until it says that something waits."""

    @property
    def unsent(self) -> int:
        """Bytes that wait here, those of files left out."""
        waiting = self._waiting
        return len(waiting) if isinstance(waiting, bytes) else waiting.unsent

    @property
    def is_clear(self) -> bool:
        """Whether a write does nothing but to send, unless the connection is being heard."""
        return self._quick and not self._waiting

    # A protocol calls these, or the TLS layer between.
    def write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        if data and self._takes_more():
            self._add(data)
            self._added()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        pieces = tuple(iovec)
        for piece in pieces:
            if not isinstance(piece, bytes):
                raise TypeError("Data must be bytes")
        if any(pieces) and self._takes_more():
            for piece in pieces:
                if piece:
                    self._add(piece)
            self._added()

    def loseConnection(self) -> None:
        self._slow_down()
        FileDescriptor.loseConnection(self)

    def loseWriteConnection(self) -> None:
        self._slow_down()
        FileDescriptor.loseWriteConnection(self)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        self._slow_down()
        FileDescriptor.registerProducer(self, producer, streaming)
        if not streaming and self.producer is producer:
            # It is asked for more when what was written has left: that may be already.
            self.startWriting()

    # The reactor calls these.
    def flush(self) -> None:
        """Send what was held."""
        waiting = self._waiting
        if self._quick and isinstance(waiting, bytes):
            self._waiting = NOTHING
            self._send_first(waiting)
        elif not self._will_be_told():
            self._send()
            self._see_to_the_rest()

    def sent_in_part(self, data: bytes, sent: int) -> None:
        """The kernel took only so much of these bytes; nothing waits before them."""
        self.leave_group()
        self._waiting = Backlog(memoryview(data)[sent:] if sent else data)
        self._see_to_the_rest()

    def not_sent(self, data: bytes, error: OSError) -> None:
        """The kernel took nothing, and said why."""
        if isinstance(error, BlockingIOError):
            self.sent_in_part(data, 0)
        else:
            self.leave_group()
            self._waiting = Backlog(data)
            self._break()

    def leave_group(self) -> None:
        """Something waits, or may: only `write` knows what to do."""
        if self.group is not None:
            self.group.slow_down(cast(Any, self))

    def doWrite(self) -> Any:
        if self._waiting and not self._broken:
            self._send()
        if self._broken:
            return CONNECTION_LOST
        if self._waiting or not self.connected or self._aborting:
            return None
        self.stopWriting()
        if self.producer is not None and (not self.streamingProducer or self.producerPaused):
            self.producerPaused = False
            cast(Any, self.producer).resumeProducing()
        elif self.disconnecting:
            return self._postLoseConnection()
        elif self._writeDisconnecting:
            # Said before the protocol hears of it: it may call loseConnection, which asks.
            self._writeDisconnected = True
            return self._closeWriteConnection()
        return None

    # Only this class, its children and Twisted's call these.
    def _isSendBufferFull(self) -> bool:
        return self.unsent > self.bufferSize

    def _takes_more(self) -> bool:
        return bool(self.connected) and not self._writeDisconnected and not self._aborting

    def _will_be_told(self) -> bool:
        """Whether the reactor calls doWrite when the kernel takes more."""
        return self.fileno() in self.reactor._writes

    def _add(self, data: bytes) -> None:
        """Put it behind what waits."""
        waiting = self._waiting
        if not waiting:
            self._waiting = data
        elif isinstance(waiting, Backlog):
            waiting.append(data)
        else:
            self._waiting = Backlog(waiting, data)

    def _added(self) -> None:
        """Something was put behind what waits: it leaves now, or it is clear when it will."""
        pulled = self.producer is not None and not self.streamingProducer
        self.leave_group()
        closing = self.disconnecting or self._writeDisconnecting or self._broken
        self._quick = not (self.TLS or closing or pulled)
        if self._will_be_told():
            self._maybePauseProducer()
        elif pulled:  # it is asked for more in doWrite
            self.startWriting()
        elif self.reactor.receiving is not self or self._isSendBufferFull():
            # A producer is paused for what it wrote, though the kernel may take it all: one that
            # writes until it is told to stop would else keep everybody waiting.
            self._maybePauseProducer()
            self._send()
            self._see_to_the_rest()

    def _send_first(self, data: bytes) -> None:
        """Offer these bytes to the kernel, when nothing waits before them."""
        try:
            sent = self.socket.send(data)
        except OSError as error:
            self.not_sent(data, error)
        else:
            if sent != len(data):
                self.sent_in_part(data, sent)

    def _send(self) -> None:
        """Offer what waits to the kernel."""
        waiting = self._waiting
        if not waiting or self._aborting:
            return None
        if isinstance(waiting, bytes):
            self._waiting = waiting = Backlog(waiting)
        try:
            finished = waiting.send(self.socket)
        except OSError:
            return self._break()
        if waiting.empty:
            self._waiting = NOTHING
        if finished is not None:
            finished.tell()
        return None

    def _see_to_the_rest(self) -> None:
        """What the kernel did not take goes when it can."""
        paused = self.producer is not None and self.producerPaused
        if (self._waiting or paused) and self.connected and not self._aborting:
            self.startWriting()

    def _break(self) -> None:
        """A write failed: not here, but in the next turn the connection ends."""
        self._broken = True
        self._slow_down()
        self.startWriting()

    def _slow_down(self) -> None:
        """From here on a write asks first, until one has found that the next need not."""
        self._quick = False
        self.leave_group()
