"""What the writer's thread does with the portions it took.  Knows no thread and no reactor.

What waits for one file goes into it in one write; then all files are synced, as `--sync` says; then
the portions are settled.  Where that fails the portions stay, first in line and in order, and are
tried again each second.  What is in the way of one client's file alone stops nobody else: after a
few tries its lines are refused, until the file can be opened again.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.logfile.budget import LOW
from proto.logfile.log import Log
from proto.logfile.portion import Portion
from proto.logfile.segment import remedy
from proto.logfile.shelf import Shelf
from proto.metrics import Metrics

RETRY_SECONDS: Final = 1.0
SLOW_READER_SECONDS: Final = 0.05
UNSYNCED: Final = LOW
"""Bytes that wait for a sync before it is due, at most; senders that wait for room get it then."""
TRIES: Final = 3
"""How often a client's own file is tried before its lines are refused."""
SHUT: Final = 1000
"""Files of clients that are remembered as refused; of more, the first are forgotten."""
OPENED: Final = 16
"""Files of clients that are opened in one step: so long, and no longer, the others wait."""
_OWN: Final = frozenset(
    (
        errno.EACCES,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENXIO,
        errno.EPERM,
        errno.ETXTBSY,
    )
)
"""What is wrong with one file and no other.  That a disk is full, broken or read-only, or a folder
gone, is not: it may pass, and whoever waits loses nothing."""


class _NotOpened(Exception):
    """The file of one name cannot be opened, or used, for a reason of its own."""


@dataclass(slots=True)
class Report:
    """What came of one step; the reactor is told in this order."""

    settled: list[tuple[list[Portion], bool]] = field(default_factory=list)
    """Portions in the order they came for each name, and whether they are stored."""
    told: list[Callable[[], None]] = field(default_factory=list)
    """For the log."""
    stuck: bool | None = None
    """Whether the disk takes no more, if that changed."""
    ended: bool = False
    """Nothing comes after this."""

    def __bool__(self) -> bool:
        return bool(self.settled or self.told or self.ended or self.stuck is not None)


@dataclass(slots=True)
class _Lane:
    """The portions of one name, on their way."""

    name: str
    path: str
    waiting: list[Portion] = field(default_factory=list)
    """Its log has not seen these."""
    handed: list[Portion] = field(default_factory=list)
    """Its log has these, and they come before those; they are not safe yet."""
    trouble: Exception | None = None
    tried_at: float = 0.0
    tended_in: int = 0
    """The step in which its log was tended last."""
    tries: int = 0
    """How often the file could not be opened, for a reason of its own."""

    @property
    def patience(self) -> float:
        """Seconds between two tries."""
        return SLOW_READER_SECONDS if isinstance(self.trouble, BlockingIOError) else RETRY_SECONDS

    def ready(self, now: float) -> bool:
        """Whether it may be tried now; also when the clock was set back."""
        return self.trouble is None or not _left(self.tried_at, self.patience, now)

    def hand_over(self) -> None:
        """The log has all of it."""
        self.handed += self.waiting
        self.waiting = []


class Writing:
    """Takes portions and puts them on the disk, a step at a time; all of it belongs to one thread.

    `sync` is the seconds between two syncs, 0 for one after each write, None for none.  `tend` is
    the seconds after which logs that nothing came for are tended too, None for never.
    """

    log = Logger()

    def __init__(
        self,
        shelf: Shelf,
        seconds: Callable[[], float],
        metrics: Metrics,
        sync: float | None,
        tend: float | None = None,
    ) -> None:
        self._shelf = shelf
        self._seconds = seconds
        self._sync = sync
        self._tend = tend
        self._lanes: dict[str, _Lane] = {}
        self._steps = 0
        self._now = seconds()
        self._tended_at = self._now
        self._unsynced = 0
        self._since: float | None = None
        """When the first of the unsynced bytes was written."""
        self._stuck = self._is_more = False
        self._said: set[int | str] = set()
        """What was said of the present trouble."""
        self._report = Report()
        self._batches = metrics.tally("logfile_batches", "Writes of all that waited for one file.")
        self._write_seconds = metrics.histogram("logfile_write_seconds", "How long a write took.")
        self._sync_seconds = metrics.histogram("logfile_sync_seconds", "How long a sync took.")
        metrics.gauge(
            "logfile_disk_full", "1 while the disk takes no more lines, else 0.", self._is_stuck
        )

    @property
    def idle(self) -> bool:
        """Whether all that was taken is settled."""
        return not any(lane.waiting or lane.handed for lane in self._lanes.values())

    def take(self, portions: Iterable[Portion]) -> None:
        """Remember what is to be written."""
        lanes = self._lanes
        for portion in portions:
            lane = lanes.get(portion.name)
            if lane is None:
                lane = lanes[portion.name] = _Lane(portion.name, portion.name or "the log")
            lane.waiting.append(portion)

    def step(self, *, rotate: bool = False, hurry: bool = False) -> None:
        """Write what waits, sync what is due; with `hurry` whatever is written is due."""
        self._steps += 1
        self._now = self._seconds()
        if rotate:
            self._rotate()
        if self._tend is not None and not _left(self._tended_at, self._tend, self._now):
            self._tended_at = self._now
            for log in list(self._shelf.open_logs()):
                log.tend()
        ready = self._in_turn()
        if any(lane.trouble is not None for lane in ready):
            hurry = True
        for lane in ready:
            if lane.waiting or lane.trouble is not None:
                self._attempt(lane, self._write)
        if self._due(hurry):
            self._since, self._unsynced = None, 0
            for lane in ready:
                if (lane.handed or lane.trouble is not None) and lane.ready(self._now):
                    self._attempt(lane, self._make_durable)
        self._forget()
        self._look_up()

    def _in_turn(self) -> list[_Lane]:
        """The lanes that are tried now: of those whose file has to be opened first only some."""
        ready = [lane for lane in self._lanes.values() if lane.ready(self._now)]
        closed = [
            lane
            for lane in ready
            if (lane.waiting or lane.trouble is not None) and not self._shelf.has(lane.name)
        ]
        self._is_more = len(closed) > OPENED
        if not self._is_more:
            return ready
        later = {lane.name for lane in closed[OPENED:]}
        return [lane for lane in ready if lane.name not in later]

    def report(self) -> Report:
        """What came of the steps since this was asked last."""
        report, self._report = self._report, Report()
        return report

    def rest(self) -> float | None:
        """Seconds until the next step is due though nothing comes; None for never."""
        if self._is_more:
            return 0.0
        now = self._seconds()
        due = [
            _left(lane.tried_at, lane.patience, now)
            for lane in self._lanes.values()
            if lane.trouble is not None
        ]
        if self._since is not None and self._sync is not None:
            due.append(_left(self._since, self._sync, now))
        if self._tend is not None:
            due.append(_left(self._tended_at, self._tend, now))
        return min(due, default=None)

    def close(self) -> None:
        """Give the files back; what goes wrong is said."""
        try:
            self._shelf.close()
        except OSError as error:
            # Some file systems (NFS) tell only now that earlier writes failed.
            self._tell(self.log.error, "closing the log: {why}", why=remedy(error))
        except Exception as error:
            self._tell(self.log.failure, "closing the log failed", Failure(error))

    def _due(self, hurry: bool) -> bool:
        if self._sync is None or self._since is None:
            return False
        if hurry or self._unsynced >= UNSYNCED:
            return True
        return not _left(self._since, self._sync, self._now)

    def _attempt(self, lane: _Lane, deed: Callable[[_Lane], None]) -> None:
        try:
            deed(lane)
        except Exception as error:
            why = _its_own(lane, error)
            if why is None:
                self._fail(lane, error)
                self._complain(lane, error)
                return
            lane.tries += 1
            self._fail(lane, why)
            if lane.tries >= TRIES:
                self._refuse(lane, why)

    def _write(self, lane: _Lane) -> None:
        log = self._log_of(lane)
        began = self._seconds()
        if lane.trouble is not None:
            log.write(b"")
        if lane.waiting:
            records = b"".join([portion.records for portion in lane.waiting])
            self._batches.value += 1
            self._unsynced += len(records)
            try:
                log.write(records)
            except OSError:
                lane.hand_over()  # the log keeps what the file did not take
                raise
            # After any other error nobody knows: it is then written twice rather than never.
            lane.hand_over()
        self._write_seconds.observe(max(0.0, self._seconds() - began))
        if self._sync is None:
            self._settle(lane)
        elif self._since is None:
            self._since = self._now

    def _make_durable(self, lane: _Lane) -> None:
        log = self._log_of(lane)
        began = self._seconds()
        log.sync()
        self._sync_seconds.observe(max(0.0, self._seconds() - began))
        self._settle(lane)

    def _log_of(self, lane: _Lane) -> Log:
        """Where it is to be written; it is tended first, so that a file is never synced that
        somebody removed meanwhile."""
        log = self._shelf.log(lane.name)
        lane.path = str(log.path)
        if lane.tended_in != self._steps:
            lane.tended_in = self._steps
            log.tend()
        return log

    def _settle(self, lane: _Lane) -> None:
        """What the log has is safe."""
        lane.trouble = None
        if lane.tries >= TRIES:
            self._tell(self.log.info, "{path} can be opened again", path=lane.path)
        lane.tries = 0
        if lane.handed:
            self._report.settled.append((lane.handed, True))
            lane.handed = []

    def _fail(self, lane: _Lane, error: Exception) -> None:
        lane.trouble = error
        lane.tried_at = self._now

    def _refuse(self, lane: _Lane, error: _NotOpened) -> None:
        """Nobody knows when its file can be opened again, and no other has to wait for that."""
        lane.hand_over()
        refused, lane.handed, lane.trouble = lane.handed, [], None
        self._report.settled.append((refused, False))
        if lane.tries == TRIES:
            self._tell(
                self.log.error,
                "cannot open the log of {name}: {why}; its lines are refused, {lines} so far",
                name=lane.name,
                why=str(error),
                lines=_lines(refused),
            )

    def _complain(self, lane: _Lane, error: Exception) -> None:
        """Say what is wrong, once for each kind until all is well again."""
        kind = error.errno or 0 if isinstance(error, OSError) else type(error).__name__
        if isinstance(error, BlockingIOError) or kind in self._said:
            return  # the reader of a FIFO is merely slow
        self._said.add(kind)
        if isinstance(error, OSError):
            self._tell(
                self.log.error,
                "cannot write {path}: {why}; {lines} lines are held, all senders are paused",
                path=lane.path,
                why=remedy(error),
                lines=self._held(),
            )
        else:
            self._tell(self.log.failure, "writing {path} failed", Failure(error), path=lane.path)

    def _look_up(self) -> None:
        """Tell if everybody has to wait from now on, or nobody any more."""
        stuck = any(
            lane.trouble is not None and not isinstance(lane.trouble, _NotOpened)
            for lane in self._lanes.values()
        )
        if stuck == self._stuck:
            return
        self._stuck = self._report.stuck = stuck
        if not stuck and self._said:
            self._said.clear()
            self._tell(self.log.info, "the disk takes lines again")

    def _forget(self) -> None:
        """Drop the lanes that are empty; who is refused is remembered, but not without bound."""
        empty = [lane for lane in self._lanes.values() if not (lane.handed or lane.waiting)]
        shut = [lane for lane in empty if lane.tries]
        for lane in empty:
            if not lane.tries:
                del self._lanes[lane.name]
        for lane in shut[: max(0, len(shut) - SHUT)]:
            del self._lanes[lane.name]

    def _rotate(self) -> None:
        """The files were perhaps moved to where there is room: try at once what failed."""
        for log in list(self._shelf.open_logs()):
            log.rotate()
        for lane in self._lanes.values():
            lane.tried_at = -math.inf

    def _held(self) -> int:
        return sum(_lines(lane.handed) + _lines(lane.waiting) for lane in self._lanes.values())

    def _is_stuck(self) -> int:
        return int(self._stuck)

    def _tell(self, say: Callable[..., None], *about: object, **fields: object) -> None:
        self._report.told.append(partial(say, *about, **fields))


def _its_own(lane: _Lane, error: Exception) -> _NotOpened | None:
    """What is wrong with that file alone, if it is no more than that."""
    if lane.name and isinstance(error, OSError) and error.errno in _OWN:
        return _NotOpened(remedy(error))
    return None


def _left(since: float, seconds: float, now: float) -> float:
    """How many of the seconds are left; none if the clock was set back."""
    return max(0.0, since + seconds - now) if since <= now else 0.0


def _lines(portions: Iterable[Portion]) -> int:
    return sum(portion.lines for portion in portions)
