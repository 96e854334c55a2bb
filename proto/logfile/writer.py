"""From whole records to the file.  Knows when to write and when to wait; knows no connections.

`Writer` is all that the protocols know; `TurnWriter` is the one there is.  The identity

    received = written + held + refused     (lines)

holds whenever no method of a writer is running, and each term of it is exported.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from proto.errors import StartError
from proto.logfile.segment import Segment, remedy
from proto.metrics import Metrics

RETRY_SECONDS: Final = 1.0
SLOW_READER_SECONDS: Final = 0.05


class Writer(Protocol):
    """What the protocols ask of whoever puts their records on disk.

    It is made with two callbacks: `pause` when no more should be sent to it, `resume` when it may
    be again.  It still takes what was on its way when it said `pause`.  It calls both on
    the reactor, wherever it writes.
    """

    @property
    def full(self) -> bool:
        """Whether it said `pause` last; whoever connects now has to wait too."""

    def append(self, records: bytes, lines: int) -> None:
        """Take `lines` whole records; those of one caller are written in the order of its calls."""

    def reopen(self) -> None:
        """Go on in a new file of the same name: the old one was moved away."""

    def close(self) -> None:
        """Write what is held and close the file; what comes later is refused."""


class Ledger:
    """Where each line went, in figures."""

    def __init__(self, metrics: Metrics) -> None:
        self.received = metrics.tally("logfile_lines_received", "Lines that peers sent.")
        self.written = metrics.tally("logfile_lines_written", "Lines that the file took whole.")
        self.refused = metrics.tally(
            "logfile_lines_refused", "Lines lost: the file was closed, or took no more at the end."
        )
        self.bytes_written = metrics.tally("logfile_bytes_written", "Bytes that the file took.")
        self.held = 0
        metrics.gauge("logfile_lines_held", "Lines in memory, not yet written.", lambda: self.held)


class TurnWriter:
    """All that one turn of the reactor brought, in one write, made in the reactor.

    When the file takes no more, what it did not take is held, everybody is paused, and the write is
    tried again each second.  Memory is bounded by the peers: after `pause` each connection can
    bring at most the one read that was under way.
    """

    log = Logger()

    def __init__(
        self,
        path: Path,
        clock: IReactorTime,
        metrics: Metrics,
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
        open_segment: Callable[[Path], Segment] = Segment.open,
    ) -> None:
        self._path = path
        self._clock = clock
        self._pause = pause
        self._resume = resume
        self._open_segment = open_segment
        self._segment = open_segment(path)
        self._ledger = Ledger(metrics)
        self._batch: list[bytes] = []
        self._next_write: IDelayedCall | None = None
        self._trouble: OSError | None = None
        self._closed = False
        metrics.gauge(
            "logfile_disk_full", "1 while the file takes no more lines, else 0.", lambda: self.full
        )
        self._seconds = metrics.histogram("logfile_write_seconds", "How long one write took.")

    @property
    def full(self) -> bool:
        """Whether the last write failed and everybody is paused."""
        return self._trouble is not None

    def append(self, records: bytes, lines: int) -> None:
        """Take whole records; they are written when this turn of the reactor ends."""
        self._ledger.received.value += lines
        if self._closed:
            self._ledger.refused.value += lines
            return
        self._ledger.held += lines
        self._batch.append(records)
        if self._next_write is None:
            self._next_write = self._clock.callLater(0, self._write)

    def reopen(self) -> None:
        """Go on in a new file of the same name; if that cannot be opened, in the old one.

        A record that the old file took only in part is written whole to the new one.
        """
        if self._closed:
            return
        self._write()
        try:
            segment = self._open_segment(self._path)
        except StartError as error:
            self.log.error("not reopened, going on in the old file: {why}", why=str(error))
            return
        old, self._segment = self._segment, segment
        self._batch.append(old.unwritten)
        self._close(old)
        self.log.info("reopened {path}", path=str(self._path))
        self._write()

    def close(self) -> None:
        """Write what is held and close the file; say how much could not be written, if any."""
        if self._closed:
            return
        self._closed = True
        self._write()
        if self._ledger.held:
            self.log.error(
                "{lines} lines ({bytes} bytes) could not be written to {path} and are lost",
                lines=self._ledger.held,
                bytes=len(self._segment.unwritten),
                path=str(self._path),
            )
            self._ledger.refused.value += self._ledger.held
            self._ledger.held = 0
        self._close(self._segment)

    def _write(self) -> None:
        self._cancel()
        records = b"".join(self._batch)
        self._batch.clear()
        if not records and not self.full:
            return
        began, taken = self._clock.seconds(), self._segment.taken
        trouble: OSError | None = None
        try:
            self._segment.append(records)
        except OSError as error:
            trouble = error
        self._seconds.observe(max(0.0, self._clock.seconds() - began))
        self._ledger.bytes_written.value += self._segment.taken - taken
        self._count_written()
        self._go_on(trouble)

    def _count_written(self) -> None:
        left = self._segment.unwritten.count(b"\n")
        self._ledger.written.value += self._ledger.held - left
        self._ledger.held = left

    def _go_on(self, trouble: OSError | None) -> None:
        """Wait or run, as the last write went; each change is said once."""
        before, self._trouble = self._trouble, trouble
        if self._closed:
            return
        if trouble is not None:
            slow = isinstance(trouble, BlockingIOError)  # a FIFO: its reader is merely slow
            delay = SLOW_READER_SECONDS if slow else RETRY_SECONDS
            self._next_write = self._clock.callLater(delay, self._write)
            if not slow and (before is None or before.errno != trouble.errno):
                self.log.error(
                    "cannot write {path}: {why}; {lines} lines are held, all senders are paused",
                    path=str(self._path),
                    why=remedy(trouble),
                    lines=self._ledger.held,
                )
            if before is None:
                self._pause()
        elif before is not None:
            if not isinstance(before, BlockingIOError):
                self.log.info("{path} takes lines again", path=str(self._path))
            self._resume()

    def _cancel(self) -> None:
        if self._next_write is not None and self._next_write.active():
            self._next_write.cancel()
        self._next_write = None

    def _close(self, segment: Segment) -> None:
        try:
            segment.close()
        except OSError as error:
            # Some file systems (NFS) tell only now that earlier writes failed.
            self.log.error("closing {path}: {why}", path=str(self._path), why=remedy(error))
