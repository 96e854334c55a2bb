"""What goes out to one client, who may read slowly or not at all.

What is sent in one turn of the reactor is joined into one write.  When the transport is full the
bytes wait in an outbox, and the outbox has a budget: above the soft mark the owner is asked to
hold the client's own input; above the hard mark, or when nothing was taken for too long, the
client is dropped.  Nobody else waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from twisted.internet.interfaces import IAddress, IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from proto.chat.outbox import Outbox
from proto.chat.unread import unacknowledged
from proto.limits import GRACE, SLACK
from proto.metrics import Tally

if TYPE_CHECKING:
    from proto.chat.abreast import Abreast

SLICE: Final = 65536
"""Bytes handed to the transport at a time; with as many, at the latest, it calls itself full."""


class Transport(Protocol):
    """What a connection asks of its transport; TCP, TLS and unix sockets have it all."""

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def getPeer(self) -> IAddress: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """What one client may have waiting: bytes above which its input is held (`soft`), bytes above
    which it is dropped (`hard`), and seconds it may be stuck, or take to be hung up on."""

    soft: int = 65536
    hard: int = 1 << 20
    seconds: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.soft <= self.hard:
            raise ValueError(f"the soft mark {self.soft} is not between 1 and {self.hard}")


class Owner(Protocol):
    """Whose outgoing side it is."""

    def flushed(self) -> None:
        """What could be sent was sent."""
        ...

    def crowded(self) -> None:
        """More waits than the soft mark."""
        ...

    def dropped(self, reason: str) -> None:
        """The connection was aborted because the client does not read."""
        ...


@implementer(IPushProducer)
class Outgoing:
    """The outgoing side of one connection.

    `wake` asks for a `flush` at the end of the turn.  Once `gone`, whether hung up or lost, what
    is sent is forgotten and the transport is not touched.  What the transport holds itself of what
    was `seen` may be lost with it.  `begun` is what that was when they came into their room.
    """

    __slots__ = (
        "_abreast",
        "_budget",
        "_bytes_sent",
        "_choked",
        "_clock",
        "_deadline",
        "_ending",
        "_hanging_up",
        "_mark",
        "_newest",
        "_outbox",
        "_overdue",
        "_owner",
        "_seen",
        "_wake",
        "begun",
        "gone",
        "transport",
    )

    def __init__(
        self,
        transport: Transport,
        owner: Owner,
        budget: Budget,
        clock: IReactorTime,
        wake: Callable[[Outgoing], None],
        bytes_sent: Tally,
    ) -> None:
        self.gone = False
        self.begun = self._seen = 0
        self._newest = 0  # The number of the last line that was sent.
        self._abreast: Abreast | None = None  # Where these two are counted now.
        self.transport = transport
        self._owner = owner
        self._budget = budget
        self._clock = clock
        self._wake = wake
        self._bytes_sent = bytes_sent
        self._outbox = Outbox()
        self._mark = budget.soft  # Above it, something has to be done.
        self._choked = False  # The transport is full.
        self._ending = False
        self._hanging_up = False
        self._deadline: IDelayedCall | None = None
        self._overdue: IDelayedCall | None = None
        transport.registerProducer(self, True)

    @property
    def waiting(self) -> int:
        """Bytes in the outbox."""
        return self._outbox.size

    @property
    def congested(self) -> bool:
        """Whether more waits than the soft mark."""
        return self._outbox.size > self._budget.soft

    @property
    def seen(self) -> int:
        """The number of the last line of which the transport has taken everything."""
        return self._seen if self._abreast is None else max(self._seen, self._abreast.seen)

    def join(self, abreast: Abreast) -> bool:
        """Whether nothing waits here; others write to the transport then until `step_out`."""
        if self.gone or self._choked or self._outbox.size:
            return False
        self._abreast = abreast
        return True

    def step_out(self) -> None:
        """What others wrote to the transport is counted here again, and what they write is not."""
        abreast, self._abreast = self._abreast, None
        if abreast is not None:
            self._seen = max(self._seen, abreast.seen)
            self._newest = max(self._newest, abreast.newest)
            abreast.remove(self)

    def send(self, data: bytes) -> None:
        """Queue these bytes, to be written at the end of the turn or when the client reads."""
        self.step_out()
        outbox = self._outbox
        if not outbox.size and not self._choked:
            self._wake(self)
        outbox.put(data)
        if outbox.size > self._mark:
            self._above_the_mark()

    def take(self, data: bytes, newest: int) -> None:
        """Bytes that others are sent too, at the end of the turn; `newest` is their last line."""
        self.step_out()
        if self.gone:
            return
        self._newest = max(self._newest, newest)  # Their audience may be younger than its room.
        if self._choked or self._outbox.size:
            self._outbox.put(data)
            if self._outbox.size > self._mark:
                self._above_the_mark()
            return
        self._bytes_sent.value += len(data)
        self.transport.write(data)
        if not self._choked:
            self._seen = self._newest

    def begin(self, seen: int, newest: int) -> None:
        """They are in another room: what they saw of it, and its last line that is being sent."""
        self.step_out()
        self.begun = self._seen = seen
        self._newest = newest

    @property
    def unread(self) -> int:
        """Bytes that were sent and not acknowledged; what Twisted holds is counted as full."""
        held = self._outbox.size + unacknowledged(self.transport)
        return held + SLICE if held else 0

    def flush(self) -> None:
        """Write what has gathered, as far as the transport takes it."""
        self.step_out()
        if self.gone:
            self._outbox.clear()
        self._write()
        if not self._outbox.size and not self._choked and not self.gone:
            self._seen = self._newest
        if not self.congested:
            self._mark = self._budget.soft
        if self._hanging_up and not self._outbox.size and not self.gone:
            self.gone = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()
        self._owner.flushed()

    def expect_end(self) -> None:
        """The connection is about to end; abort it if that takes too long."""
        self._ending = True
        if not self.gone:
            self._set_deadline(self._abort)

    def hang_up(self) -> None:
        """Close the connection when everything is sent."""
        self._hanging_up = True
        self.expect_end()
        self._wake(self)

    def lost(self) -> None:
        """The connection is gone."""
        self._forget()
        self._set_deadline(None)

    # The transport calls these.

    def pauseProducing(self) -> None:
        """The transport is full; from here on the outbox keeps what is to be sent."""
        self.step_out()
        self._choked = True
        if self._deadline is None:
            self._set_deadline(self._stuck)

    def resumeProducing(self) -> None:
        """The transport took everything; go on."""
        self._choked = False
        if not self._ending:
            self._set_deadline(None)
        self.flush()

    def stopProducing(self) -> None:
        """The transport is gone; the connection will be told."""

    def _write(self) -> None:
        while self._outbox.size and not self._choked:
            data = self._outbox.take(SLICE)
            self._bytes_sent.value += len(data)
            self.transport.write(data)

    def _above_the_mark(self) -> None:
        if self.gone:
            return
        self._write()  # A busy turn is not a slow client: only what is not taken counts.
        size, hard = self._outbox.size, self._budget.hard
        if size > SLACK * hard:
            self._drop("too slow")
        elif self.congested:
            self._owner.crowded()
            self._mark = hard
            if size > hard:
                # The transport takes no more in this turn, whoever reads; do they afterwards?
                self._mark = SLACK * hard
                if self._overdue is None:
                    self._overdue = self._clock.callLater(GRACE, self._too_slow)

    def _too_slow(self) -> None:
        self._overdue = None
        if self._outbox.size > self._budget.hard:
            self._drop("too slow")

    def _stuck(self) -> None:
        self._drop("stuck")

    def _drop(self, reason: str) -> None:
        self._abort()
        self._owner.dropped(reason)

    def _abort(self) -> None:
        self._forget()
        self._set_deadline(None)
        self.transport.abortConnection()

    def _forget(self) -> None:
        self.step_out()
        self.gone = True
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        self._choked = False
        self._outbox.clear()

    def _set_deadline(self, act: Callable[[], None] | None) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = act and self._clock.callLater(self._budget.seconds, act)
