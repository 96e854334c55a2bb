"""Who is inside a service, over all its doors: counted, limited, and known to have left.

Knows neither what the service says nor how a connection is made; see `proto.door` for that.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IReactorTime,
    ITransport,
)
from twisted.logger import Logger

from proto.errors import PeerError
from proto.limits import Admissions, Limits, TokenBucket, TooMany
from proto.metrics import Metrics

REST: Final = 1.0
"""Seconds that the listeners rest when descriptors run out, unless a peer leaves before."""
TELL_AGAIN: Final = 60.0
"""Seconds between two complaints in the log about too few descriptors."""
ACCEPT_BATCH: Final = 16
"""Connections taken at once from one listener; Twisted makes up to 36 of it."""
RESERVED_DESCRIPTORS: Final = 40
"""Kept free for files and for one batch of connections: the listeners rest before EMFILE."""


BACKLOG: Final = 4096
"""More connections than the kernel keeps for us (net.core.somaxconn)."""


class Guarded(Protocol):
    """What a service's factory offers to its door."""

    def buildProtocol(self, addr: IAddress, /) -> IProtocol | None: ...

    def doStart(self) -> None: ...

    def doStop(self) -> None: ...

    def refusal(self, reason: PeerError) -> bytes:
        """What a peer that cannot be let in is sent, in this protocol's own words."""
        ...

    def farewell(self) -> None:
        """The service stops: tell every peer, finish what was begun, hang up."""
        ...


class Listener(Protocol):
    """A listening port that can rest."""

    numberAccepts: int

    def doRead(self) -> None: ...

    def startReading(self) -> None: ...

    def stopReading(self) -> None: ...


class Inside(Protocol):
    """A connection as its doorkeeper sees it."""

    transport: ITransport | None
    last_heard: float
    hung_up: bool

    def heed(self) -> None:
        """From now on `last_heard` counts."""
        ...

    def hang_up(self, why: str) -> None:
        """End the connection after what is written; when asked again, at once."""
        ...

    def abort(self) -> None:
        """End the connection now."""
        ...


class TurnedAway(Protocol):
    """A refused connection that is still open, so that its peer can read why."""

    def abort(self) -> None:
        """Its time is over."""
        ...


class Doorkeeper:
    """Counts the peers of one service, over all its doors."""

    log = Logger()

    def __init__(
        self,
        name: str,
        factory: Guarded,
        clock: IReactorTime,
        limits: Limits,
        metrics: Metrics,
        readers: Callable[[], Iterable[object]] | None = None,
    ) -> None:
        """`readers` tells which transports are being read; the others are not timed out as idle,
        since a paused transport hears neither its peer nor that it left."""
        self.name = name
        self.factory = factory
        self.clock = clock
        self.connections: set[Inside] = set()
        self.listeners: list[Listener] = []
        self.lingering: set[TurnedAway] = set()
        self.admissions = Admissions(limits, clock.seconds)
        self._readers = readers
        self._empty: list[Deferred[None]] = []
        self._rest: IDelayedCall | None = None
        self._out_of_descriptors = False
        self._held = False
        self._told = -TELL_AGAIN
        self._sweep: IDelayedCall | None = None
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        unlimited = descriptors == resource.RLIM_INFINITY
        self._descriptors = sys.maxsize if unlimited else descriptors - RESERVED_DESCRIPTORS
        self._metrics = metrics
        self._accepted = metrics.tally("connections", "Connections let in.", service=name)
        metrics.gauge(
            "connections_open",
            "Connections open now.",
            lambda: self.admissions.open,
            service=name,
        )
        self.set_limits(limits)

    def watch(self, listener: Listener) -> None:
        """Let this port rest when there are too many newcomers."""
        listener.numberAccepts = ACCEPT_BATCH
        self.listeners.append(listener)
        if self._held:
            listener.stopReading()

    def set_limits(self, limits: Limits) -> None:
        """From now on these count; nobody who is in is sent away."""
        if limits.idle and not self.admissions.limits.idle:
            for connection in self.connections:
                connection.heed()
        self.admissions.limits = limits
        rate = limits.accept_rate
        self._bucket = TokenBucket(rate, rate, self.clock.seconds())
        _cancel(self._sweep)
        self._sweep = None
        if limits.idle:
            self._sweep = self.clock.callLater(limits.idle / 4, self._hang_up_on_the_idle)

    def refused(self, reason: TooMany | PeerError, peer: str) -> bytes:
        """Count a refusal; the result is what to tell the peer."""
        word = reason.reason if isinstance(reason, TooMany) else "proxy"
        self._metrics.tally(
            "connections_refused", "Connections turned away.", service=self.name, reason=word
        ).value += 1
        self.log.debug(
            "{service} refused {peer}: {reason}", service=self.name, peer=peer, reason=str(reason)
        )
        return self.factory.refusal(reason)

    def entered(self, connection: Inside, descriptor: int) -> None:
        """A connection is open.  The listeners rest if more would be too many at once."""
        self.connections.add(connection)
        self._accepted.value += 1
        for listener in self.listeners:
            # Twisted goes from batches of one to 21 and then adds 20 to each full one.
            if listener.numberAccepts > ACCEPT_BATCH:
                listener.numberAccepts = ACCEPT_BATCH
        if descriptor >= self._descriptors:
            self._rest_for_descriptors()
        elif wait := self._bucket.spend(self.clock.seconds()):
            self._rest_for(wait)

    def count_idle(self, peer: str, why: str) -> None:
        """A connection is hung up on because nothing comes."""
        self._metrics.tally(
            "connections_idle", "Connections hung up on as idle.", service=self.name
        ).value += 1
        self.log.info("{service} hung up on {peer}: {why}", service=self.name, peer=peer, why=why)

    def left(self, connection: Inside) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        self.admissions.leave()
        if self._out_of_descriptors:
            self._wake()
        if not self.connections:
            waiting, self._empty = self._empty, []
            for deferred in waiting:
                deferred.callback(None)

    def when_empty(self) -> Deferred[None]:
        """Fires when nobody is inside any more."""
        deferred: Deferred[None] = Deferred()
        if self.connections:
            self._empty.append(deferred)
        else:
            deferred.callback(None)
        return deferred

    def abort(self) -> None:
        """Cut off everybody who is still here, without further words."""
        for connection in list(self.connections):
            connection.abort()
        for refused in list(self.lingering):
            refused.abort()

    def hold(self, held: bool) -> None:
        """Let the listeners rest as long as the service has no room for what newcomers bring."""
        self._held = held
        if held:
            for listener in self.listeners:
                listener.stopReading()
        elif self._rest is None:
            self._wake()

    def close_doors(self) -> None:
        """Nobody comes any more; who is inside may stay.

        Whom the kernel has connected already is let in first: closing the listener would reset
        them, and what they sent would be lost without a word.
        """
        for listener in self.listeners:
            listener.numberAccepts = BACKLOG
            listener.doRead()
        self.listeners.clear()
        _cancel(self._rest)
        self._rest = None
        self._out_of_descriptors = False

    def close(self) -> None:
        """The service is over: end the timers."""
        self.close_doors()
        _cancel(self._sweep)
        self._sweep = None

    def _rest_for(self, seconds: float) -> None:
        """Take no newcomers for so long; they wait in the kernel's queue."""
        if self._rest is None:
            for listener in self.listeners:
                listener.stopReading()
            self._rest = self.clock.callLater(seconds, self._wake)
        else:  # more of the same batch
            self._rest.reset(max(seconds, self._rest.getTime() - self.clock.seconds()))

    def _rest_for_descriptors(self) -> None:
        self._out_of_descriptors = True
        self._rest_for(REST)
        now = self.clock.seconds()
        if now - self._told >= TELL_AGAIN:
            self._told = now
            self.log.warn(
                "{service}: almost out of file descriptors (ulimit -n), {open} connections open; "
                "newcomers wait until somebody leaves",
                service=self.name,
                open=len(self.connections),
            )

    def _wake(self) -> None:
        """Take newcomers again, unless descriptors are still short: then look again later."""
        _cancel(self._rest)
        self._rest = None
        if self._out_of_descriptors and _open_descriptors() >= self._descriptors:
            self._rest = self.clock.callLater(REST, self._wake)
            return
        self._out_of_descriptors = False
        if self._held:
            return
        for listener in self.listeners:
            listener.startReading()

    def _hang_up_on_the_idle(self) -> None:
        idle = self.admissions.limits.idle
        self._sweep = self.clock.callLater(idle / 4, self._hang_up_on_the_idle)
        oldest = self.clock.seconds() - idle
        silent = [each for each in self.connections if each.last_heard <= oldest]
        paused = self._paused(silent)
        for connection in silent:
            if connection.hung_up or connection not in paused:
                connection.hang_up(f"silent for {idle:g} s")

    def _paused(self, connections: list[Inside]) -> set[Inside]:
        """Those that we ourselves do not read at the moment."""
        if self._readers is None or not connections:
            return set()
        reading = set(self._readers())
        return {each for each in connections if each.transport not in reading}


def _open_descriptors() -> int:
    """How many there are: one that is free says nothing, a whole batch comes after it."""
    try:
        return len(os.listdir("/dev/fd"))
    except FileNotFoundError:  # a chroot without /dev/fd: then only time tells
        return 0
    except OSError:  # not even one for the listing is left
        return sys.maxsize


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
