"""The connections to our servers that wait for the next request.

Knows no HTTP: a connection that is kept has nothing on its way, and whoever has ended or was said
something to is forgotten.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from proto.web.proxy.connection import Connection

KEPT: Final = 64


class Pool:
    """Kept connections, for each server those that were used last."""

    def __init__(self, most: int = KEPT) -> None:
        """At most `most` for each server; 0 keeps none."""
        self._most = most
        self._idle: dict[object, deque[Connection]] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return sum(map(len, self._idle.values()))

    def idle(self, server: object) -> int:
        """How many wait for a request to that server."""
        return len(self._idle.get(server, ()))

    def take(self, server: object) -> Connection | None:
        """One that waits, for a request; the one that was used last."""
        waiting = self._idle.get(server)
        return waiting.pop() if waiting else None

    def open(self) -> None:
        """Keep connections."""
        self._is_closed = False

    def close(self) -> None:
        """Hang up on all that wait, and keep no more."""
        self._is_closed = True
        idle, self._idle = self._idle, {}
        for waiting in idle.values():
            for connection in waiting:
                connection.close()

    # The connections call these.
    def keep(self, connection: Connection) -> bool:
        """Whether it is kept; otherwise it is to be closed."""
        waiting = self._idle.get(connection.server)
        if waiting is None:
            waiting = self._idle[connection.server] = deque()
        if self._is_closed or len(waiting) >= self._most:
            return False
        waiting.append(connection)
        return True

    def forget(self, connection: Connection) -> None:
        """It has ended."""
        waiting = self._idle.get(connection.server)
        if waiting is not None and connection in waiting:
            waiting.remove(connection)
