"""RelpProtocol and RelpFactory: rsyslog's omrelp, or whoever speaks RELP, as a sender of lines.

`relp` knows what is said; this knows when: a chunk's messages go to the intake together, and their
answers leave in one write when the intake says that they are on the disk.

A connection is not read while any of these holds: the intake has too much in memory, the peer
leaves its answers unread, or too many of its messages wait for an answer.  Knows no files.
"""

from __future__ import annotations

from functools import partial
from typing import Final, cast

from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.addresses import peer_name
from proto.errors import PeerError
from proto.logfile.doors import OpenLog, SenderFactory
from proto.logfile.flow import Flow, can_half_close
from proto.logfile.framing import LONGEST_LINE
from proto.logfile.peers import origin_of
from proto.logfile.relp import SERVERCLOSE, Batch, Session
from proto.metrics import Metrics

MOST_WAITING: Final = 16 * 1024
"""Commands of one peer that may wait for their answer; omrelp itself sends 128 and then waits."""
QUIET_SECONDS: Final = 0.2
"""After the last word, a peer from whom nothing comes for so long has nothing on its way."""
LINGER: Final = 2.0
"""Seconds after the last word; then a peer that goes on sending is not waited for."""
STUCK_SECONDS: Final = 60.0
"""A peer that has left its answers unread for so long is cut off."""


DISK: Final = "too much waits for the disk"
ANSWERS: Final = "the peer leaves its answers unread"
WINDOW: Final = "too many messages wait for an answer"


class IWire(ITCPTransport, IPushProducer, IConsumer):
    """The transport of a connection that tells when it is full, and can be paused and aborted."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class RelpProtocol(TwistedProtocol):
    """One peer's RELP session, on its way to the intake and back."""

    log = Logger()
    factory: RelpFactory

    # Twisted calls these.
    def connectionMade(self) -> None:
        self._session = Session(self.factory.max_line)
        self._known = False
        self._unfinished = 0
        self._last: Batch | None = None
        self._batches = self._owed = 0
        self._flow = Flow(self._wire)
        self._finishing = self._leaving = self._heard_all = False
        self._linger_until = 0.0
        self._quiet_call: IDelayedCall | None = None
        self._stuck_call: IDelayedCall | None = None
        if ITCPTransport.providedBy(self._wire):
            self._wire.setTcpNoDelay(True)  # answers are small, and a sender waits for them
        self._wire.registerProducer(self, True)
        # Now, and not with the first message: who comes while too much waits is not read either.
        self._account = self.factory.receiver.intake.open(self, origin_of(self._wire))
        self.factory.joined(self)

    def dataReceived(self, data: bytes) -> None:
        self.factory.bytes_received.value += len(data)
        if self._finishing or self._leaving:  # without an answer it is sent again
            return self._wait_for_quiet()
        batch = self._session.receive(data)
        unfinished = self.factory.receiver.intake.unfinished
        self._unfinished = unfinished.weigh(self._unfinished, self._session)
        if batch.pieces:
            self._store(batch)
        elif self._last is not None:  # its answers come after those that still wait
            self._last.answers += batch.answers
            self._owe(len(batch.answers))
        elif batch.answers:
            self._wire.write(batch.stored())
        if self._session.over:
            self._finishing = True
            if self._session.problem:
                self.factory.broken.value += 1
                self.log.info("{peer}: {problem}", peer=self._peer, problem=self._session.problem)
            self._leave_when_answered(b"")
        return None

    def readConnectionLost(self) -> None:
        """The peer has said all it wanted to say; what it is owed is still answered."""
        self._heard_all = True
        if self._leaving:
            self._hang_up()
        else:
            self.finish()

    def writeConnectionLost(self) -> None:
        """We have said everything."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._leaving = True
        _cancel(self._quiet_call)
        _cancel(self._stuck_call)
        self.factory.receiver.intake.unfinished.forget(self._unfinished)
        self.factory.receiver.intake.close(self._account)
        self.factory.left(self)

    # The transport calls these: its buffer of answers is full, or empty again.
    def pauseProducing(self) -> None:
        self._wait(ANSWERS)
        self._watch()

    def resumeProducing(self) -> None:
        _cancel(self._stuck_call)
        self._flow.resume(ANSWERS)

    def stopProducing(self) -> None:
        """The connection is gone, as `connectionLost` is told too."""

    # The intake calls these.
    def pause(self) -> None:
        """Leave what the peer sends in the kernel, whose buffers then slow the peer down."""
        self._wait(DISK)

    def resume(self) -> None:
        """Read on, unless there is another reason to wait."""
        self._flow.resume(DISK)

    # The factory and its door call these.
    def finish(self) -> None:
        """Answer what was received, then hang up; what is not answered is sent again elsewhere."""
        if not self._finishing and not self._leaving:
            self._finishing = True
            self._leave_when_answered(SERVERCLOSE)

    def dismiss(self) -> bool:
        """End the session in RELP's own words, as `finish`; tells that it will end."""
        self.finish()
        return True

    def cut_off(self, why: str) -> None:
        """End the connection now, with what is still unsaid."""
        self.log.warn("{peer} cut off: {why}", peer=self._peer, why=why)
        self._leaving = True
        self._wire.abortConnection()

    @property
    def _wire(self) -> IWire:
        return cast(IWire, self.transport)

    @property
    def _peer(self) -> str:
        return peer_name(self._wire.getPeer())

    def _store(self, batch: Batch) -> None:
        """Hand the messages over; their answers wait until the intake says what became of them."""
        intake = self.factory.receiver.intake
        if not self._known:  # TLS knows by now who it is
            self._known = True
            intake.identify(self._account, origin_of(self._wire))
        self._last = batch
        self._batches += 1
        self._owe(_owed(batch))
        pieces, batch.pieces = batch.pieces, []
        intake.take(self._account, pieces, partial(self._settled, batch))

    def _settled(self, batch: Batch, stored: bool) -> None:
        """The messages are on the disk, or will never be."""
        self._batches -= 1
        self._owed -= _owed(batch)
        if self._last is batch:
            self._last = None
        if self._leaving:
            return
        if not stored:
            self._leave(SERVERCLOSE)
            return
        self._wire.write(batch.stored())
        if self._owed * 2 <= MOST_WAITING:
            self._flow.resume(WINDOW)
        if self._finishing:
            self._leave_when_answered(b"" if self._session.over else SERVERCLOSE)

    def _owe(self, answers: int) -> None:
        self._owed += answers
        if self._owed > MOST_WAITING:
            self._wait(WINDOW)

    def _wait(self, reason: str) -> None:
        if not self._leaving:
            self._flow.pause(reason)

    def _watch(self) -> None:
        """From now on the peer has to take what is written for it."""
        if self._stuck_call is None or not self._stuck_call.active():
            self._stuck_call = self.factory.clock.callLater(
                self.factory.stuck_after, self._is_stuck
            )

    def _is_stuck(self) -> None:
        self.factory.stuck.value += 1
        self.cut_off("it does not read its answers")

    def _leave_when_answered(self, words: bytes) -> None:
        if not self._batches and not self._leaving:
            self._leave(words)

    def _leave(self, words: bytes) -> None:
        """Say the last words, then hang up.

        To close at once would reset the connection if anything is unread, and take answers away
        that the peer has not read yet.  So it is shown our end and read, and nothing is kept of it,
        until it ends its own, nothing comes for a while, or it has had time enough.
        """
        self._leaving = True
        self._wire.unregisterProducer()
        if words:
            self._wire.write(words)
        self._watch()
        if self._flow.paused:
            self._wire.resumeProducing()
        self._linger_until = self.factory.clock.seconds() + LINGER
        if self._heard_all or not can_half_close(self._wire):
            self._hang_up()
        else:
            self._wire.loseWriteConnection()
            self._wait_for_quiet()

    def _wait_for_quiet(self) -> None:
        if self._leaving:
            _cancel(self._quiet_call)
            left = max(0.0, self._linger_until - self.factory.clock.seconds())
            quiet = min(left, QUIET_SECONDS)
            self._quiet_call = self.factory.clock.callLater(quiet, self._hang_up)

    def _hang_up(self) -> None:
        _cancel(self._quiet_call)
        self._wire.loseConnection()


class RelpFactory(SenderFactory):
    """The RELP senders of one log."""

    protocol = RelpProtocol

    def __init__(
        self,
        receiver: OpenLog,
        clock: IReactorTime,
        metrics: Metrics,
        *,
        max_line: int = LONGEST_LINE,
        stuck_after: float = STUCK_SECONDS,
    ) -> None:
        """`max_line` is in bytes; longer messages are cut.  `stuck_after` is in seconds."""
        super().__init__(receiver, clock, metrics, max_line)
        self.stuck_after = stuck_after
        self.broken = metrics.tally(
            "logfile_relp_broken", "RELP sessions ended because of what the peer sent."
        )
        self.stuck = metrics.tally(
            "logfile_relp_stuck", "RELP peers cut off because they left their answers unread."
        )

    # The service calls this.
    def refusal(self, reason: PeerError) -> bytes:
        """What a peer that cannot be let in is sent; RELP has no words for the reason."""
        return SERVERCLOSE


def _owed(batch: Batch) -> int:
    """How many answers wait with it, those to other commands too."""
    return batch.count + len(batch.answers)


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
