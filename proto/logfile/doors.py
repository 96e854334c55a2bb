"""What the factories of the log's doors share: who is connected, from the first to the last."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory

from proto.logfile.intake import Intake
from proto.metrics import Metrics


class OpenLog(Protocol):
    """What the doors of one log share; see `receiver`."""

    intake: Intake

    def join(self) -> None:
        """A door opens."""

    def ending(self) -> None:
        """A door is about to close: the time for the log to be closed runs from here."""

    def leave(self) -> None:
        """A door has closed, and brings no more."""


class Connection(Protocol):
    """A peer that brings lines, as its factory sees it."""

    def finish(self) -> None:
        """Take what it has sent already, then hang up."""

    def cut_off(self, why: str) -> None:
        """End the connection now."""


class SenderFactory(Factory[Any]):
    """The senders at one door of a log, which is open from startFactory to stopFactory."""

    noisy = False

    def __init__(
        self, receiver: OpenLog, clock: IReactorTime, metrics: Metrics, max_line: int
    ) -> None:
        """`max_line` is in bytes; longer lines are cut."""
        self.receiver = receiver
        self.clock = clock
        self.max_line = max_line
        self._connections: set[Connection] = set()
        self.bytes_received = metrics.tally("logfile_bytes_received", "Bytes that peers sent.")

    # Twisted calls these.
    def startFactory(self) -> None:
        """Open the log."""
        self.receiver.join()

    def stopFactory(self) -> None:
        """Whoever is still connected is cut off; with the last door the log is closed."""
        for connection in list(self._connections):
            connection.cut_off("the log is closed")
        self.receiver.leave()

    # The connections call these.
    def joined(self, connection: Connection) -> None:
        """Somebody connected."""
        self._connections.add(connection)

    def left(self, connection: Connection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)

    # The service calls this.
    def farewell(self) -> None:
        """The service is stopping: take what peers have sent already, then hang up."""
        self.receiver.ending()
        for connection in list(self._connections):
            connection.finish()
