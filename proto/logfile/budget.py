"""How many bytes wait in memory for the disk, and who has to stop sending meanwhile.

Two bounds.  Above `high` bytes in all everybody is paused until no more than `low` wait; above its
share a single sender is paused until a quarter of it is free: so one flood never stops the others,
and goes on while what came is being written.  What is on its way when somebody is paused is still
taken, one read for each sender.  Knows neither files nor sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from proto.logfile.origin import Origin

HIGH: Final = 8 * 1024 * 1024
LOW: Final = 2 * 1024 * 1024
SHARE: Final = 2 * 1024 * 1024
"""Bytes that one sender may have in memory.

What the disk takes in a batch and what comes meanwhile: with half of it a lone sender stands still
a quarter of the time.
"""
UNFINISHED: Final = 8 * 1024 * 1024
"""Bytes of lines not ended yet, of all senders together; above it they are cut where they are."""


class Sender(Protocol):
    """Whoever brings lines, as the budget sees it."""

    def pause(self) -> None:
        """Bring no more; what is on its way is still taken."""

    def resume(self) -> None:
        """Go on."""


class Account:
    """What one sender has in memory, and whether it waits."""

    __slots__ = ("_paused", "_sender", "held", "name", "origin", "over")

    def __init__(self, sender: Sender, origin: Origin, name: str = "") -> None:
        """`name` is the file that its lines go to, where each client has one of its own."""
        self._sender = sender
        self._paused = False
        self.origin = origin
        self.name = name
        self.held = 0
        """Bytes of this sender that wait for the disk."""
        self.over = False
        """Whether it is above its share."""

    def set_paused(self, paused: bool) -> None:
        """Tell the sender, once for each change."""
        if paused != self._paused:
            self._paused = paused
            if paused:
                self._sender.pause()
            else:
                self._sender.resume()


class Budget:
    """All that waits in memory.

    `stopped` is told when everybody has to wait, and when nobody has to any more: the listeners
    rest meanwhile.
    """

    def __init__(
        self,
        stopped: Callable[[bool], None] = lambda stop: None,
        *,
        high: int = HIGH,
        low: int = LOW,
        share: int = SHARE,
    ) -> None:
        self._stopped = stopped
        self._high = high
        self._low = low
        self._share = share
        self._accounts: set[Account] = set()
        self._stuck = False
        self._full = False
        self.held = 0
        """Bytes of everybody."""

    @property
    def full(self) -> bool:
        """Whether everybody waits."""
        return self._full

    @property
    def paused(self) -> int:
        """How many senders wait."""
        return len(self._accounts) if self._full else sum(each.over for each in self._accounts)

    def open(self, account: Account) -> None:
        """A sender came; it waits at once if everybody does."""
        self._accounts.add(account)
        account.set_paused(self._full)

    def close(self, account: Account) -> None:
        """A sender left; what it brought still waits, and still counts for all."""
        self._accounts.discard(account)

    def take(self, account: Account, size: int) -> None:
        """So many bytes of that sender wait from now on."""
        account.held += size
        self.held += size
        if account.held > self._share and not account.over:
            account.over = True
            account.set_paused(True)
        if self.held > self._high:
            self._look()

    def give(self, account: Account, size: int) -> None:
        """So many of them wait no longer."""
        account.held -= size
        self.held -= size
        if account.over and account.held * 4 <= self._share * 3:
            account.over = False
            if account in self._accounts and not self._full:
                account.set_paused(False)
        if self._full:
            self._look()

    def stick(self, stuck: bool) -> None:
        """The disk takes no more, or does again; meanwhile everybody waits."""
        self._stuck = stuck
        self._look()

    def _look(self) -> None:
        if self._full:
            full = self._stuck or self.held > self._low
        else:
            full = self._stuck or self.held > self._high
        if full == self._full:
            return
        self._full = full
        self._stopped(full)
        for account in _still_there(self._accounts):
            account.set_paused(self._full or account.over)


class Beginning(Protocol):
    """Who keeps the beginning of a line whose end has not come yet."""

    @property
    def held(self) -> int:
        """How many bytes that are."""

    def cut(self) -> None:
        """Keep little of it, and nothing more."""


class Unfinished:
    """All lines whose end has not come yet.  No disk can take them, so nobody waits for them."""

    def __init__(self, most: int = UNFINISHED) -> None:
        self._most = most
        self.held = 0
        """Bytes of everybody."""

    def weigh(self, before: int, beginning: Beginning) -> int:
        """Count one that had so many bytes before; how many it has now.

        It is cut if it has grown and all together are too much.
        """
        now = beginning.held
        self.held += now - before
        if now > before and self.held > self._most:
            beginning.cut()
            self.held += beginning.held - now
            now = beginning.held
        return now

    def forget(self, before: int) -> None:
        """One that had so many bytes is gone."""
        self.held -= before


def _still_there(accounts: set[Account]) -> Iterable[Account]:
    """Each account in turn, but for those that left because another one was told."""
    for account in list(accounts):
        if account in accounts:
            yield account
