"""The thread that puts records on the disk, and what the reactor sees of it.  Knows no connections.

The reactor appends to a list and never waits; the thread takes the whole list, writes and syncs it,
and hands over what came of that in one call.  While it syncs, the next batch forms by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Lock, Thread

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.logfile.portion import Portion
from proto.logfile.shelf import Shelf
from proto.logfile.writing import RETRY_SECONDS, Report, Writing
from proto.metrics import Metrics


def in_daemon_thread(run: Callable[[], None]) -> None:
    """Run it aside.  A disk that never answers must not keep the process from ending."""
    Thread(target=run, name="log writer", daemon=True).start()


class LogWriter:
    """Writes portions to the logs of a shelf, and settles each of them once.

    It belongs to the reactor, but for `step`, which belongs to the thread.
    """

    log = Logger()

    def __init__(
        self,
        shelf: Shelf,
        clock: IReactorTime,
        in_reactor: Callable[..., None],
        metrics: Metrics,
        *,
        sync: float | None,
        settled: Callable[[list[Portion], bool], None],
        trouble: Callable[[bool], None],
        tend: float | None = None,
        in_thread: Callable[[Callable[[], None]], None] = in_daemon_thread,
    ) -> None:
        """`sync` is the seconds between two syncs, 0 for one after each batch, None for none.

        `in_reactor` is reactor.callFromThread.  `settled` is told of portions in the order of
        `append` for each name, `trouble` when the disk takes no more and when it does again.
        `tend` is the seconds after which a log is looked at though nothing comes, as it has to be
        where files end by their age; None for never.
        """
        self._clock = clock
        self._in_reactor = in_reactor
        self._settled = settled
        self._trouble = trouble
        self._in_thread = in_thread
        self._writing = Writing(shelf, clock.seconds, metrics, sync, tend)
        self._unsettled: dict[int, Portion] = {}
        """All that was appended and not settled, by identity: what is lost if the disk hangs."""
        self._closing: list[Deferred[None]] = []
        self._deadline: IDelayedCall | None = None
        self._started = self._over = False
        self._news = Condition(Lock())
        """Held for an instant by both, for what is below."""
        self._is_news = False
        self._batch: list[Portion] = []
        self._hurry = self._to_rotate = self._to_close = self._given_up = False
        self._ended = False
        """The thread's own: it has closed the files."""

    # The reactor calls these.
    def start(self) -> None:
        """Begin to write, once; after twistd's fork, which a thread would not survive."""
        if not self._started:
            self._started = True
            self._in_thread(self._run)

    def append(self, portion: Portion) -> None:
        """Take it; after `close` it is settled as not stored before this returns."""
        with self._news:
            closed = self._to_close
            if not closed:
                self._batch.append(portion)
                # No more is sent before this is settled, so waiting for more would be in vain.
                self._hurry = self._hurry or portion.account.over or portion.urgent
                self._wake()
        if closed:
            self._tell_settled([portion], False)
        else:
            self._unsettled[id(portion)] = portion

    def rotate(self) -> None:
        """Go on in new files, and try at once what failed."""
        with self._news:
            self._to_rotate = True
            self._wake()

    def close(self, deadline: float) -> Deferred[None]:
        """Write and settle what is there, and close the files; fires when that is done.

        After `deadline` seconds it fires in any case; what is left is then settled as not stored.
        """
        if self._over:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._closing.append(done)
        if self._deadline is None:
            self._deadline = self._clock.callLater(deadline, self._give_up, deadline)
            with self._news:
                self._to_close = True
                self._wake()
            self.start()
        return done

    def _wake(self) -> None:
        """Only who holds the lock calls this."""
        if not self._is_news:
            self._is_news = True
            self._news.notify()

    def _deliver(self, report: Report) -> None:
        if self._over:
            return  # the disk answers after all, but this is settled already
        for portions, stored in report.settled:
            for portion in portions:
                del self._unsettled[id(portion)]
            self._tell_settled(portions, stored)
        for tell in report.told:
            tell()
        if report.stuck is not None:
            self._trouble(report.stuck)
        if report.ended:
            self._end()

    def _tell_settled(self, portions: list[Portion], stored: bool) -> None:
        try:
            self._settled(portions, stored)
        except Exception:
            self.log.failure("telling what is stored failed")

    def _give_up(self, deadline: float) -> None:
        with self._news:
            self._given_up = True
            self._wake()
        left = list(self._unsettled.values())
        self._unsettled.clear()
        self.log.error(
            "the log could not be closed within {deadline} s; {lines} lines are lost",
            deadline=deadline,
            lines=sum(portion.lines for portion in left),
        )
        if left:
            self._tell_settled(left, False)
        self._end()

    def _end(self) -> None:
        self._over = True
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        closing, self._closing = self._closing, []
        for done in closing:
            done.callback(None)

    # The thread calls these.
    def step(self) -> float | None:
        """Write what waits; the seconds until the next step though nothing comes, None for never.

        Only the thread calls this, or a test that has none.
        """
        with self._news:
            batch, self._batch = self._batch, []
            hurry, self._hurry = self._hurry or self._to_close, False
            rotate, self._to_rotate = self._to_rotate, False
            closing, given_up = self._to_close, self._given_up
            self._is_news = False
        if given_up:
            self._writing.close()
            self._ended = True
            return None
        self._writing.take(batch)
        self._writing.step(rotate=rotate, hurry=hurry)
        self._hand_over()
        if closing and self._writing.idle:
            self._writing.close()
            self._ended = True
            self._hand_over()
        return self._writing.rest()

    def _hand_over(self) -> None:
        report = self._writing.report()
        report.ended = self._ended
        if report:
            self._in_reactor(self._deliver, report)

    def _run(self) -> None:
        while not self._ended:
            try:
                rest = self.step()
            except Exception:
                # A bug.  Nothing is settled by it, and the next step tries again.
                self._in_reactor(self.log.failure, "the log's thread failed", Failure())
                rest = RETRY_SECONDS
            with self._news:
                if not (self._is_news or self._ended):
                    self._news.wait(rest)
