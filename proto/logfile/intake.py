"""Where the lines of every door come together, on their way to the writer and back.

A door opens an `Account` for each sender and hands over the pieces that its framing found; the
intake makes records of them, keeps the figures and the budget, and tells the door when they are on
the disk.  Knows neither sockets nor files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.logger import Logger

from proto.logfile.budget import Account, Budget, Sender, Unfinished
from proto.logfile.formats import Format
from proto.logfile.framing import Line, Piece, Run
from proto.logfile.ledger import Ledger
from proto.logfile.origin import Origin
from proto.logfile.portion import Portion, Writer
from proto.metrics import Metrics

PIECE: Final = 256
"""Bytes that the budget counts for each piece besides its records: what a portion takes in memory,
and in time what it costs to take lines one by one."""


class Intake:
    """All lines of one log; reactor only."""

    log = Logger()

    def __init__(
        self,
        writer: Callable[[Intake], Writer],
        form: Format,
        now: Callable[[], float],
        metrics: Metrics,
        *,
        stopped: Callable[[bool], None] = lambda stop: None,
        name_of: Callable[[Origin], str] = lambda origin: "",
    ) -> None:
        """`writer` makes the writer, which calls `settled` and `trouble`; `now` is UTC, in seconds
        since the epoch.  `stopped` is told when no peer should come or send any more, and when they
        may again; `name_of` tells which file a sender's lines go to."""
        self.budget = Budget(stopped)
        self.unfinished = Unfinished()
        self.watchers: list[Callable[[str, bytes, int], None]] = []
        """Each is called with a file's name, the records that are on the disk now, and how many."""
        self._form = form
        self._now = now
        self._name_of = name_of
        self._next = 1
        self._ledger = Ledger(metrics)
        self._cut = metrics.tally("logfile_lines_cut", "Lines longer than the limit, cut there.")
        self._unfinished = metrics.tally(
            "logfile_lines_unfinished", "Last lines whose sender hung up before their end."
        )
        metrics.gauge(
            "logfile_bytes_held",
            "Bytes in memory, not yet durable, and what keeps them there.",
            lambda: self.budget.held,
        )
        metrics.gauge(
            "logfile_senders_paused",
            "Senders that wait because too much is in memory, or the disk takes no more.",
            lambda: self.budget.paused,
        )
        metrics.gauge(
            "logfile_bytes_unfinished",
            "Bytes of lines whose end has not come yet.",
            lambda: self.unfinished.held,
        )
        self._writer = writer(self)

    @property
    def full(self) -> bool:
        """Whether everybody has to wait."""
        return self.budget.full

    # The doors call these.
    def open(self, sender: Sender, origin: Origin) -> Account:
        """A sender came; it may be paused at once."""
        account = Account(sender, origin, self._name_of(origin))
        self.budget.open(account)
        return account

    def identify(self, account: Account, origin: Origin) -> None:
        """More is known of the sender now, such as what TLS found out."""
        if origin != account.origin:
            account.origin = origin
            account.name = self._name_of(origin)

    def close(self, account: Account) -> None:
        """A sender left; what it brought is stored all the same."""
        self.budget.close(account)

    def take(
        self,
        account: Account,
        pieces: Sequence[Piece],
        stored: Callable[[bool], None] | None = None,
    ) -> int:
        """Store these lines, of which there is at least one; the result is how many.

        `stored` is told once: True when they are all on the disk, False when they will never be;
        after the log was closed, before this returns.
        """
        for piece in pieces:
            if isinstance(piece, Line):
                self._cut.value += piece.left_out > 0
                self._unfinished.value += not piece.ended
        lines = lines_in(pieces)
        records = self._form(pieces, account.origin, self._now(), self._next)
        self._next += lines
        self._ledger.take(lines)
        weight = len(records) + PIECE * len(pieces)
        self.budget.take(account, weight)
        urgent = self.budget.full
        self._writer.append(Portion(records, lines, account, account.name, stored, weight, urgent))
        return lines

    # The writer calls these, in the reactor.
    def settled(self, portions: Sequence[Portion], stored: bool) -> None:
        """These are on the disk, or will never be."""
        for portion in portions:
            self._ledger.settle(portion.lines, len(portion.records), stored=stored)
            self._tell(portion, stored)
        for portion in portions:
            self.budget.give(portion.account, portion.weight)
        if stored and self.watchers:
            for portion in portions:
                self._show(portion)

    def trouble(self, stuck: bool) -> None:
        """The disk takes no more; or it does again."""
        self.budget.stick(stuck)

    # One that fails takes no other with it.
    def _tell(self, portion: Portion, stored: bool) -> None:
        if portion.stored is not None:
            try:
                portion.stored(stored)
            except Exception:
                self.log.failure("telling {peer} failed", peer=portion.account.origin.peer)

    def _show(self, portion: Portion) -> None:
        for watcher in tuple(self.watchers):
            try:
                watcher(portion.name, portion.records, portion.lines)
            except Exception:
                self.log.failure("a watcher failed")


def lines_in(pieces: Sequence[Piece]) -> int:
    """How many lines these are."""
    return sum(piece.count if isinstance(piece, Run) else 1 for piece in pieces)
