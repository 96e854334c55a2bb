"""LogfileProtocol and LogfileFactory: whatever peers send, line by line, appended to one file.

The tutorial's form: a protocol that hands each line to its factory, and a factory that opens the
file when it starts and closes it when it stops.  What is hard is elsewhere: `framing` finds the
lines, `record` makes them safe to store, `writer` gets them to the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    INegotiated,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.addresses import peer_name
from proto.errors import PeerError
from proto.logfile.framing import LONGEST_LINE, Line, LineFraming, Run
from proto.logfile.record import render
from proto.logfile.segment import Segment
from proto.logfile.writer import TurnWriter, Writer
from proto.metrics import Metrics

QUIET_SECONDS: Final = 0.2
"""After farewell, a peer from whom nothing comes for so long has nothing on its way."""


class IWire(ITCPTransport, IPushProducer):
    """The transport of a connection that can be paused, half-closed and aborted."""


@implementer(IHalfCloseableProtocol)
class LogfileProtocol(Protocol):
    """One peer's lines, on their way to the factory's file."""

    log = Logger()
    factory: LogfileFactory

    # Twisted calls these.
    def connectionMade(self) -> None:
        self._framing = LineFraming(self.factory.max_line)
        self._paused = self._finishing = self._leaving = False
        self._hang_up_call: IDelayedCall | None = None
        self.factory.joined(self)

    def dataReceived(self, data: bytes) -> None:
        self.factory.bytes_received.value += len(data)
        for piece in self._framing.feed(data):
            self.factory.store(piece)
        self._wait_for_quiet()

    def readConnectionLost(self) -> None:
        """The peer has said all it wanted to say (`nc -N`)."""
        self._store_unfinished_line()
        self._hang_up()

    def writeConnectionLost(self) -> None:
        """We have nothing more to say, which a peer that only sends need not know."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leaving = True
        self._stop_waiting()
        self._store_unfinished_line()
        self.factory.left(self)

    # The factory calls these.
    def pause(self) -> None:
        """Leave what the peer sends in the kernel, whose buffers then slow the peer down."""
        self._paused = True
        self._stop_waiting()
        self._wire.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        self._wire.resumeProducing()
        self._wait_for_quiet()

    def finish(self) -> None:
        """Take what the peer has sent already, then hang up.

        To close at once would discard what waits in the kernel.  So the peer is shown our end of
        the conversation, and read until it ends its own or nothing has come for a while.
        """
        if self._leaving or self._finishing:
            return
        self._finishing = True
        if _can_half_close(self._wire):
            self._wire.loseWriteConnection()
        self._wait_for_quiet()

    def cut_off(self) -> None:
        """The file is about to be closed: store what there is, then end the connection at once."""
        peer = peer_name(self._wire.getPeer())
        self.log.warn("{peer} cut off: the file is closed", peer=peer)
        self._leaving = True
        self._stop_waiting()
        self._store_unfinished_line()
        self._wire.abortConnection()

    @property
    def _wire(self) -> IWire:
        return cast(IWire, self.transport)

    def _store_unfinished_line(self) -> None:
        line = self._framing.close()
        if line is not None:
            self.factory.store(line)

    def _wait_for_quiet(self) -> None:
        if self._finishing and not self._paused and not self._leaving:
            self._stop_waiting()
            self._hang_up_call = self.factory.clock.callLater(QUIET_SECONDS, self._look_once_more)

    def _look_once_more(self) -> None:
        """Quiet, or the reactor was busy and has not looked: it does so before the next call."""
        self._hang_up_call = self.factory.clock.callLater(0, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._hang_up_call is not None and self._hang_up_call.active():
            self._hang_up_call.cancel()
        self._hang_up_call = None

    def _hang_up(self) -> None:
        self._leaving = True
        self._stop_waiting()
        self._wire.loseConnection()


class LogfileFactory(Factory[LogfileProtocol]):
    """Everybody's lines in one file, which is open from startFactory to stopFactory.

    `max_line` is in bytes; longer lines are cut.
    """

    protocol = LogfileProtocol
    noisy = False

    def __init__(
        self,
        path: Path,
        clock: IReactorTime,
        *,
        max_line: int = LONGEST_LINE,
        metrics: Metrics | None = None,
        open_segment: Callable[[Path], Segment] = Segment.open,
    ) -> None:
        self.path = path
        self.clock = clock
        self.max_line = max_line
        self._metrics = metrics = metrics or Metrics()
        self._open_segment = open_segment
        self._connections: set[LogfileProtocol] = set()
        self._writer: Writer
        self.bytes_received = metrics.tally("logfile_bytes_received", "Bytes that peers sent.")
        self._cut = metrics.tally("logfile_lines_cut", "Lines longer than the limit, cut there.")
        self._unfinished = metrics.tally(
            "logfile_lines_unfinished", "Last lines whose sender hung up before their end."
        )

        self._notes_lost = metrics.tally(
            "logfile_notes_lost", "Own lines that were not stored: the file took no more."
        )

    # Twisted calls these.
    def startFactory(self) -> None:
        """Open the file; a `StartError` says why that cannot be."""
        self._writer = TurnWriter(
            self.path,
            self.clock,
            self._metrics,
            pause=self._pause_everybody,
            resume=self._resume_everybody,
            open_segment=self._open_segment,
        )

    def stopFactory(self) -> None:
        """Write what is held and close the file; whoever is still connected is cut off."""
        for connection in list(self._connections):
            connection.cut_off()
        self._writer.close()

    # The connections call these.
    def joined(self, connection: LogfileProtocol) -> None:
        """Somebody connected; while the file takes no more they wait with the others."""
        self._connections.add(connection)
        if self._writer.full:
            connection.pause()

    def left(self, connection: LogfileProtocol) -> None:
        """A connection is gone."""
        self._connections.discard(connection)

    def store(self, piece: Run | Line) -> None:
        """Append what a peer sent to the file."""
        if isinstance(piece, Run):
            self._writer.append(render(piece), piece.count)
            return
        self._cut.value += piece.left_out > 0
        self._unfinished.value += not piece.ended
        self._writer.append(render(piece), 1)

    # The service calls these.
    def note(self, line: bytes) -> None:
        """Append a line of this process's own.

        Nobody can be paused for it, so it is lost, and counted, while the file takes no more.
        """
        if self._writer.full:
            self._notes_lost.value += 1
        else:
            self.store(Line(line))

    def reopen(self) -> None:
        """Go on in a new file of the same name (SIGHUP: logrotate moved the old one away)."""
        if self.numPorts:
            self._writer.reopen()

    def refusal(self, reason: PeerError) -> bytes:
        """What a peer that cannot be let in is sent."""
        return b"refused: %s\n" % str(reason).encode()

    def farewell(self) -> None:
        """The service is stopping: take what peers have sent already, then hang up."""
        for connection in list(self._connections):
            connection.finish()

    # The writer calls these.
    def _pause_everybody(self) -> None:
        for connection in list(self._connections):
            connection.pause()

    def _resume_everybody(self) -> None:
        for connection in list(self._connections):
            connection.resume()


def _can_half_close(transport: object) -> bool:
    """Whether the peer can be shown our end while it goes on sending.

    Beneath TLS it cannot: the socket would be shut before TLS has said its own goodbye.
    """
    layered = INegotiated.providedBy(transport) or ISSLTransport.providedBy(transport)
    return bool(IHalfCloseableDescriptor.providedBy(transport)) and not layered
