"""A connection that is another protocol's after an upgrade: bytes go both ways as they are.

Each side is read no faster than the other one takes it.  Knows nothing of what is said.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from proto.metrics import Tally
from proto.web.alarm import Alarm
from proto.web.proxy.connection import Connection

BOTH: Final = 2
LAST_SECONDS: Final = 10.0
"""For the one side to take what the other one has said before it left."""


class Tunnel:
    """The two ends of one; takes the client's connection over from HTTP/1.1."""

    def __init__(
        self,
        server: Connection,
        early: bytes,
        clock: IReactorTime,
        idle: float,
        tunnels: set[Tunnel],
        sent: Tally,
    ) -> None:
        """`early` is what the server has said already; it ends after `idle` seconds of silence.

        While it is open it is one of `tunnels`.
        """
        self.transport: Any = None  # the client's
        self._server = server
        self._early = early
        self._clock = clock
        self._idle = idle
        self._tunnels = tunnels
        self._sent = sent
        self._moved = clock.seconds()
        self._alarm = Alarm(clock, self._ring)
        self._is_over = False
        self._left = 0  # ends that are gone

    # The web's connection calls these.
    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self._tunnels.add(self)
        server = self._server
        if server.is_lost:
            self.server_left()
            return
        server.leave_to(self)
        # What one side does not take stops the reading of the other.
        transport.registerProducer(server.transport, True)
        server.transport.registerProducer(transport, True)
        early, self._early = self._early, b""
        if early:
            transport.write(early)
        server.transport.resumeProducing()
        self._alarm.by(self._moved + self._idle)

    def dataReceived(self, data: bytes) -> None:
        self._moved = self._clock.seconds()
        self._sent.value += len(data)
        self._server.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._left += 1
        if self._end():
            self._part(self._server.transport)

    def dismiss(self) -> None:
        """We stop, and know no word with which this protocol would end."""
        self._hang_up()

    # The server's connection calls these.
    def from_server(self, data: bytes) -> None:
        self._moved = self._clock.seconds()
        self.transport.write(data)

    def server_left(self) -> None:
        """What it said last still goes to the client."""
        self._left += 1
        if self._end():
            self._part(self.transport)

    def _ring(self, now: float) -> float | None:
        if self._is_over:
            self.transport.abortConnection()
            self._server.transport.abortConnection()
            return None
        if now < self._moved + self._idle:
            return self._moved + self._idle
        self._hang_up()
        return None

    def _hang_up(self) -> None:
        if self._end():
            self._part(self.transport)
            self._part(self._server.transport)

    def _end(self) -> bool:
        """Whether it was open."""
        was_open, self._is_over = not self._is_over, True
        self._tunnels.discard(self)
        if self._left == BOTH:
            self._alarm.stop()
        elif was_open:  # whoever takes nothing must not stay for ever
            self._alarm.by(self._clock.seconds() + LAST_SECONDS)
        return was_open

    def _part(self, transport: Any) -> None:
        """Send one side what waits for it, and hang up.

        It may have been paused for the other side's sake, which is no more.
        """
        transport.unregisterProducer()
        transport.resumeProducing()
        transport.loseConnection()
