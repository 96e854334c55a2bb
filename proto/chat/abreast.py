"""Clients who keep up with what they are sent: all of them are written to with one call.

What is counted for each client is counted here once for all, and handed back to whoever falls
behind, is sent something of their own, or goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from proto.chat.outgoing import Outgoing
from proto.metrics import Tally
from proto.reactor.group import Group


class Client(Protocol):
    """Somebody whose outgoing side may be here."""

    out: Outgoing


class Abreast:
    """The outgoing sides for which nothing waits, of one audience: its `Together`."""

    __slots__ = ("_backs", "_bytes_sent", "_group", "newest", "seen")

    def __init__(self, bytes_sent: Tally) -> None:
        self.newest = 0
        """The last line that they are sent."""
        self.seen = 0
        """The last line that all of them have taken."""
        self._bytes_sent = bytes_sent
        self._group = Group()
        self._backs: dict[Outgoing, Callable[[], None]] = {}

    def admit(self, client: Client, back: Callable[[], None]) -> bool:
        """See `Together`."""
        out = client.out
        if not out.join(self):
            return False
        self._backs[out] = back
        self._group.add(out.transport)
        return True

    def give(self, data: bytes, newest: int) -> None:
        """See `Together`."""
        self.newest = newest
        self._bytes_sent.value += len(data) * len(self._backs)
        try:
            self._group.write(data)
        finally:
            self.seen = newest

    # The outgoing sides call this.
    def remove(self, out: Outgoing) -> None:
        """One of them stands for itself again."""
        self._group.discard(out.transport)
        self._backs.pop(out)()
