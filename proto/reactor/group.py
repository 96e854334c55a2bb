"""Transports that are written the same bytes: for most of them with no call but the kernel's.

Every transport may be in a group, of whatever reactor.  Connections of the lean reactor for which
nothing waits stand apart in it, and leave that place by themselves: `Stream` knows when.
Knows nothing of how what the kernel does not take is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from proto.reactor.connection import LeanConnection

SMALL: Final = 16384
"""Bytes that no quick transport calls too much; more is left to each one's own `write`."""


class Writable(Protocol):
    """What is asked of a transport."""

    def write(self, data: bytes) -> None: ...


class Group:
    """Some transports of one reactor.  Who adds a transport discards it when its connection ends.

    A connection may be in several groups, but is quick in one.
    """

    __slots__ = ("_quick", "_slow")

    def __init__(self) -> None:
        # What sends, and no more: to touch each connection's own state for each write would cost
        # more than the rest of the program.
        self._quick: dict[LeanConnection, Callable[[bytes], int]] = {}
        self._slow: dict[Writable, None] = {}

    def __len__(self) -> int:
        return len(self._quick) + len(self._slow)

    def add(self, transport: Writable) -> None:
        """From now on it is written what the others are; who is in already stays as they are."""
        if transport not in self._quick:
            self._slow[transport] = None
            self._quicken(transport)

    def discard(self, transport: Writable) -> None:
        """It is written no more."""
        if isinstance(transport, LeanConnection):
            self.slow_down(transport)
        self._slow.pop(transport, None)

    def write(self, data: bytes) -> None:
        """Write these bytes to each, as its own `write` does, in whatever order.

        Whatever one of them raises is raised when all others have theirs.
        """
        slow = list(self._slow)
        if self._quick:
            receiving = next(iter(self._quick)).reactor.receiving
            if receiving in self._quick:  # what it is written is held
                self.slow_down(receiving)
                slow.append(receiving)
            if 0 < len(data) <= SMALL:
                self._write_quickly(data)
            else:
                slow += self._quick
        bug: Exception | None = None
        for transport in slow:
            try:
                transport.write(data)
            except Exception as error:
                bug = error
            else:
                self._quicken(transport)
        if bug is not None:
            raise bug

    def _write_quickly(self, data: bytes) -> None:
        size = len(data)
        unsent: list[tuple[LeanConnection, int | OSError]] = []
        for connection, send in self._quick.items():
            try:
                sent = send(data)
            except OSError as error:
                unsent.append((connection, error))
            else:
                if sent != size:
                    unsent.append((connection, sent))
        for connection, outcome in unsent:
            if isinstance(outcome, OSError):
                connection.not_sent(data, outcome)
            else:
                connection.sent_in_part(data, outcome)

    def _quicken(self, transport: Writable) -> None:
        """Write to it without its own `write` if that does nothing but to send."""
        # The class counts and not the attributes: a TLS layer passes on those that it does not
        # know of, and the bytes would go out in the clear.
        if (
            isinstance(transport, LeanConnection)
            and transport.is_clear
            and transport.bufferSize >= SMALL
            and transport.group is None
            and transport in self._slow
        ):
            del self._slow[transport]
            transport.group = self
            self._quick[transport] = transport.socket.send

    # The connections call this.
    def slow_down(self, connection: LeanConnection) -> None:
        """Write to it by its own `write`, until that has shown again that nothing waits."""
        if self._quick.pop(connection, None) is not None:
            connection.group = None
            self._slow[connection] = None
