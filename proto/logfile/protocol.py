"""LogfileProtocol and LogfileFactory: whatever peers send, line by line, stored in a log.

As in the tutorial, the factory opens the log when it starts and leaves it when it stops, and its
protocols hand over the lines.  What is hard is elsewhere: `framing` finds the lines, `intake` keeps
the figures and tells who has to wait, `writer` gets them to the disk.  What makes this long is how
a connection ends: with lines on their way, and acknowledgements that are owed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Final, cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.addresses import peer_name
from proto.errors import PeerError
from proto.logfile.doors import OpenLog, SenderFactory
from proto.logfile.flow import Flow, can_half_close
from proto.logfile.framing import LONGEST_LINE, Piece
from proto.logfile.framings import framing
from proto.logfile.intake import lines_in
from proto.logfile.peers import origin_of
from proto.metrics import Metrics

QUIET_SECONDS: Final = 0.2
"""After farewell, a peer from whom nothing comes for so long has nothing on its way."""
DRAIN_SECONDS: Final = 2.0
"""After farewell, a peer that goes on sending is heard for so long where it is told what is stored:
what is not acknowledged it sends again.  Others are heard as long as the service waits."""
STUCK_SECONDS: Final = 60.0
"""A peer that leaves its acknowledgements unread for so long is cut off."""


class IWire(ITCPTransport, IPushProducer, IConsumer):
    """A transport that can be paused, half-closed and aborted, and tells when it is full."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class LogfileProtocol(Protocol):
    """One peer's lines, on their way to the factory's log."""

    log = Logger()
    factory: LogfileFactory

    # Twisted calls these.
    def connectionMade(self) -> None:
        factory = self.factory
        self._framing = framing(factory.framing, factory.max_line)
        self._unfinished = self._astray = 0
        self._waiting = 0
        """Lines that are not acknowledged yet."""
        self._durable = 0
        self._finishing = self._leaving = self._known = self._done = False
        self._drain_until = math.inf
        self._hang_up_call: IDelayedCall | None = None
        self._stuck_call: IDelayedCall | None = None
        self._flow = Flow(self._wire)
        if factory.ack:
            self._wire.registerProducer(self, True)
        self._account = factory.receiver.intake.open(self, origin_of(self._wire))
        factory.joined(self)

    def dataReceived(self, data: bytes) -> None:
        if not self._known:  # TLS knows by now who it is
            self._known = True
            self.factory.receiver.intake.identify(self._account, origin_of(self._wire))
        self.factory.bytes_received.value += len(data)
        if self._leaving and self.factory.ack:
            return  # it is never acknowledged, and sent again elsewhere
        pieces = self._framing.feed(data)
        if pieces:
            self._store(pieces)
        self._weigh()
        self._wait_for_quiet()

    def readConnectionLost(self) -> None:
        """The peer has said all it wanted to say (`nc -N`)."""
        self._store_unfinished_line()
        self._hang_up()

    def writeConnectionLost(self) -> None:
        """We have nothing more to say, which a peer that only sends need not know."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leaving = self._done = True
        self._stop_waiting()
        _cancel(self._stuck_call)
        self._store_unfinished_line(by_peer=reason.check(ConnectionDone) is not None)
        self.factory.receiver.intake.close(self._account)
        self.factory.left(self)

    # The budget calls these.
    def pause(self) -> None:
        """Leave what the peer sends in the kernel: too much waits for the disk."""
        self._stop_waiting()
        self._flow.pause("the disk")

    def resume(self) -> None:
        """Read on."""
        self._flow.resume("the disk")
        self._wait_for_quiet()

    # The transport calls these, where acknowledgements are sent.
    def pauseProducing(self) -> None:
        """The peer does not read what is said to it."""
        self._stop_waiting()
        self._flow.pause("the peer")
        self._stuck_call = self.factory.clock.callLater(STUCK_SECONDS, self._stuck)

    def resumeProducing(self) -> None:
        """It has read on."""
        _cancel(self._stuck_call)
        self._flow.resume("the peer")
        self._wait_for_quiet()

    def stopProducing(self) -> None:
        """The connection is lost, which is told by connectionLost."""

    # The factory calls these.
    def finish(self) -> None:
        """Take what the peer has sent already, then hang up.

        To close at once would discard what waits in the kernel.  So the peer is shown our end of
        the conversation, and read until it ends its own or nothing has come for a while.
        """
        if self._leaving or self._finishing:
            return
        self._finishing = True
        if self.factory.ack:
            self._drain_until = self.factory.clock.seconds() + DRAIN_SECONDS
        if can_half_close(self._wire) and not self.factory.ack:
            self._wire.loseWriteConnection()
        self._wait_for_quiet()

    def cut_off(self, why: str) -> None:
        """Store what there is, then end the connection at once."""
        self.log.warn("{peer} cut off: {why}", peer=peer_name(self._wire.getPeer()), why=why)
        self._leaving = True
        self._stop_waiting()
        self._store_unfinished_line(by_peer=False)
        self._wire.abortConnection()

    @property
    def _wire(self) -> IWire:
        return cast(IWire, self.transport)

    def _store(self, pieces: list[Piece]) -> None:
        intake = self.factory.receiver.intake
        if not self.factory.ack:
            intake.take(self._account, pieces)
            return
        lines = lines_in(pieces)
        self._waiting += lines
        intake.take(self._account, pieces, partial(self._stored, lines))

    def _stored(self, lines: int, stored: bool) -> None:
        """The log has settled what was handed to it."""
        self._waiting -= lines
        if self._done:
            return
        if stored:
            self._durable += lines
            self._wire.write(b"OK %d\n" % self._durable)
        else:
            self._wire.write(b"refused: %d lines were not stored\n" % lines)
        if self._leaving and not self._waiting:
            self._end()

    def _store_unfinished_line(self, *, by_peer: bool = True) -> None:
        """What the peer did not end itself is half a line, marked so and not acknowledged."""
        line = self._framing.close()
        if line is not None and by_peer:
            self._store([line])
        elif line is not None:
            self.factory.receiver.intake.take(self._account, [replace(line, ended=False)])
        self._weigh()

    def _weigh(self) -> None:
        """Count what has begun, and what was astray."""
        factory = self.factory
        unfinished = factory.receiver.intake.unfinished
        self._unfinished = unfinished.weigh(self._unfinished, self._framing)
        factory.astray.value += self._framing.astray - self._astray
        self._astray = self._framing.astray

    def _wait_for_quiet(self) -> None:
        if self._finishing and not self._flow.paused and not self._leaving:
            self._stop_waiting()
            clock = self.factory.clock
            if clock.seconds() >= self._drain_until:
                self._hang_up_call = clock.callLater(0, self._hang_up)
            else:
                self._hang_up_call = clock.callLater(QUIET_SECONDS, self._look_once_more)

    def _look_once_more(self) -> None:
        """Quiet, or the reactor was busy and has not looked: it does so before the next call."""
        self._hang_up_call = self.factory.clock.callLater(0, self._hang_up)

    def _stop_waiting(self) -> None:
        _cancel(self._hang_up_call)
        self._hang_up_call = None

    def _hang_up(self) -> None:
        """End the connection when all that has to be acknowledged is."""
        self._leaving = True
        self._stop_waiting()
        self._store_unfinished_line(by_peer=False)
        if not self._waiting:
            self._end()

    def _end(self) -> None:
        if self.factory.ack:
            self._wire.unregisterProducer()
        self._wire.loseConnection()

    def _stuck(self) -> None:
        peer = peer_name(self._wire.getPeer())
        self.log.info("{peer} cut off: it does not read its acknowledgements", peer=peer)
        self.factory.stuck.value += 1
        self._wire.abortConnection()


class LogfileFactory(SenderFactory):
    """Everybody's lines in one log, which is open from startFactory to stopFactory."""

    protocol = LogfileProtocol

    def __init__(
        self,
        receiver: OpenLog,
        clock: IReactorTime,
        *,
        framing: str = "line",
        max_line: int = LONGEST_LINE,
        ack: bool = False,
        metrics: Metrics | None = None,
    ) -> None:
        """`max_line` is in bytes; longer lines are cut.  With `ack` peers are told `OK n` when n of
        their lines are on the disk."""
        metrics = metrics or Metrics()
        super().__init__(receiver, clock, metrics, max_line)
        self.framing = framing
        self.ack = ack
        self.stuck = metrics.tally(
            "logfile_unread", "Peers cut off because they did not read their acknowledgements."
        )
        self.astray = metrics.tally(
            "logfile_lines_astray", "Lines that stood where a count was due (--framing octet)."
        )

    # The service calls this.
    def refusal(self, reason: PeerError) -> bytes:
        """What a peer that cannot be let in is sent."""
        return b"refused: %s\n" % str(reason).encode()


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
