"""One log and what its doors share: open while one of them is, closed with the last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from proto.logfile.budget import Account
from proto.logfile.formats import FORMATS, Format
from proto.logfile.framing import Line
from proto.logfile.intake import Intake
from proto.logfile.origin import Origin
from proto.logfile.shelf import Shelf
from proto.logfile.writer import LogWriter, in_daemon_thread
from proto.metrics import Metrics

DEADLINE: Final = 10.0
"""Seconds for the doors to close, and then for what is in memory to be written."""
LAST_SECONDS: Final = 1.0
"""As many there are for that in any case."""


class Receiver:
    """Lines come in through `intake`; `join` opens the log, and the last `leave` closes it."""

    def __init__(
        self,
        shelf: Shelf,
        clock: IReactorTime,
        in_reactor: Callable[..., Any],
        metrics: Metrics,
        *,
        form: Format = FORMATS["raw"],
        sync: float | None = 0.0,
        tend: float | None = None,
        deadline: Callable[[], float] = lambda: DEADLINE,
        now: Callable[[], float] = time.time,
        name_of: Callable[[Origin], str] = lambda origin: "",
        in_thread: Callable[[Callable[[], None]], None] = in_daemon_thread,
    ) -> None:
        """`sync`, `tend` and `in_thread` are as in `LogWriter`; `in_reactor` is `callFromThread`.

        `deadline` tells, when the first door begins to close, how many seconds there are for all of
        it; `name_of` which file a sender's lines go to.
        """
        self._deadline = deadline
        self._clock = clock
        self._ends_at: float | None = None
        self._doors = 0
        self._closed: list[Deferred[None]] = []
        self._is_closed = False
        self._holds: list[Callable[[bool], None]] = []
        self._notes_lost = metrics.tally(
            "logfile_notes_lost", "Own lines that were not stored: the file took no more."
        )
        self.intake = Intake(
            lambda intake: self._made(
                LogWriter(
                    shelf,
                    clock,
                    in_reactor,
                    metrics,
                    sync=sync,
                    tend=tend,
                    in_thread=in_thread,
                    settled=intake.settled,
                    trouble=intake.trouble,
                )
            ),
            form,
            now,
            metrics,
            stopped=self._stop,
            name_of=name_of,
        )
        torn = "Half lines that a crash left at the end of files, put aside."
        metrics.gauge("logfile_torn_lines", torn, lambda: shelf.torn[0])
        metrics.gauge("logfile_torn_bytes", torn, lambda: shelf.torn[1])
        self._own = Account(_Nobody(), Origin("proto"), name_of(Origin("proto")))

    def hold(self, hold: Callable[[bool], None]) -> None:
        """From now on tell this listener when newcomers have to wait, and when not any more."""
        self._holds.append(hold)

    # The doors call these.
    def join(self) -> None:
        """A door opens."""
        self._doors += 1
        if self._doors == 1:
            self.writer.start()

    def ending(self) -> None:
        """A door is about to close: the time for the log to be closed runs from here."""
        if self._ends_at is None:
            self._ends_at = self._clock.seconds() + self._deadline()

    def leave(self) -> None:
        """A door has closed, and brings no more."""
        self._doors -= 1
        if self._doors == 0:
            self.ending()
            assert self._ends_at is not None
            left = max(LAST_SECONDS, self._ends_at - self._clock.seconds())
            self.writer.close(left).addCallback(self._over)

    def when_closed(self) -> Deferred[None]:
        """Fires when all that was stored is on the disk and the files are closed."""
        deferred: Deferred[None] = Deferred()
        if self._is_closed:
            deferred.callback(None)
        else:
            self._closed.append(deferred)
        return deferred

    # The service calls these.
    def rotate(self) -> None:
        """Go on in a new file (SIGHUP)."""
        if self._doors:
            self.writer.rotate()

    def note(self, line: bytes) -> None:
        """Append a line of this process's own.

        Nobody can be paused for it, so it is lost, and counted, while too much waits.
        """
        if self.intake.full or not self._doors:
            self._notes_lost.value += 1
        else:
            self.intake.take(self._own, [Line(line)])

    def _made(self, writer: LogWriter) -> LogWriter:
        self.writer = writer
        return writer

    def _stop(self, stop: bool) -> None:
        for hold in self._holds:
            hold(stop)

    def _over(self, _: object) -> None:
        self._is_closed = True
        closed, self._closed = self._closed, []
        for deferred in closed:
            deferred.callback(None)


class _Nobody:
    """A sender that cannot wait."""

    def pause(self) -> None:
        """It brings little."""

    def resume(self) -> None:
        """It went on all the time."""
