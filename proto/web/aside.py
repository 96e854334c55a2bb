"""Where work that may wait for a disk is done: in threads of its own, so that nobody else waits.

A file system that hangs takes the threads that ask it, and no more than a share of them for one
`key`; who asks elsewhere still gets one.  Knows nothing of files.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import Any, Final, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.web.response import HTTPError

T = TypeVar("T")

THREADS: Final = 16
SHARE: Final = 12
WAITING: Final = 1_000

CallInReactor = Callable[..., object]
Unwanted = Callable[[Any], object]


class TooBusy(HTTPError):
    """So much waits for the disk already that no more is taken (503)."""

    def __init__(self) -> None:
        text = "The disk does not answer as fast as it is asked."
        super().__init__(503, text, [("Retry-After", "5")])


class Aside(Protocol):
    """Something that does work which may take its time."""

    in_threads: bool
    """Whether the work is done elsewhere; otherwise it is done before `run` returns."""

    def run(
        self, key: bytes, work: Callable[..., T], *args: Any, unwanted: Unwanted | None = None
    ) -> Deferred[T]:
        """Call `work(*args)`; the Deferred fires with the result, in the reactor.

        Cancelling it takes back what was not begun, and gives a result that comes all the same to
        `unwanted`.  It fails with TooBusy when nothing more is taken.
        """
        ...


class AtOnce:
    """No threads: for tests, and for those who do not mind to wait."""

    in_threads = False

    def run(
        self, key: bytes, work: Callable[..., T], *args: Any, unwanted: Unwanted | None = None
    ) -> Deferred[T]:
        return maybeDeferred(work, *args)


class _Job:
    __slots__ = ("args", "deferred", "is_wanted", "key", "unwanted", "work")

    def __init__(
        self, key: bytes, work: Callable[..., Any], args: Any, unwanted: Unwanted | None
    ) -> None:
        self.key = key
        self.work = work
        self.args = args
        self.unwanted = unwanted
        self.is_wanted = True
        self.deferred: Deferred[Any]


class DiskThreads:
    """A bounded number of daemon threads, started when they are needed.

    `size` threads do the work; at most `share` of them for one key; `waiting` jobs may wait.
    `call_in_reactor` is reactor.callFromThread.
    """

    log = Logger()
    in_threads = True

    def __init__(
        self,
        call_in_reactor: CallInReactor,
        *,
        name: str = "disk",
        size: int = THREADS,
        share: int = SHARE,
        waiting: int = WAITING,
    ) -> None:
        self._call_in_reactor = call_in_reactor
        self._name = name
        self._size = size
        self._share = min(share, size)
        self._most_waiting = waiting
        self._news = Condition()
        # All below is touched with `_news` held.
        self._jobs: deque[_Job] = deque()
        self._running: Counter[bytes] = Counter()
        self._threads = 0
        self._idle = 0
        self._stopped = False

    def run(
        self, key: bytes, work: Callable[..., T], *args: Any, unwanted: Unwanted | None = None
    ) -> Deferred[T]:
        """See `Aside`."""
        job = _Job(key, work, args, unwanted)
        job.deferred = Deferred(lambda _: self._take_back(job))
        with self._news:
            if self._stopped or len(self._jobs) >= self._most_waiting or not self._has_thread():
                return fail(TooBusy())
            self._jobs.append(job)
        return job.deferred

    def stop(self) -> None:
        """Take nothing more; threads end when what waits is done."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def _has_thread(self) -> bool:
        """Wake or start one for another job; whether there is any."""
        if self._idle:
            self._idle -= 1  # here, or the next job would count on the same thread
            self._news.notify()
        elif self._threads < self._size:
            try:
                Thread(target=self._serve, name=self._name, daemon=True).start()
            except RuntimeError:  # the system gives no more
                return self._threads > 0
            self._threads += 1
        return True

    def _take_back(self, job: _Job) -> None:
        job.is_wanted = False
        with self._news:
            if job in self._jobs:
                self._jobs.remove(job)

    # What follows happens in the threads.
    def _serve(self) -> None:
        while (job := self._next()) is not None:
            result: Any
            try:
                result = job.work(*job.args)
            except Exception:
                result = Failure()
            with self._news:
                self._running[job.key] -= 1
                if not self._running[job.key]:
                    del self._running[job.key]
            self._call_in_reactor(self._settle, job, result)

    def _next(self) -> _Job | None:
        """Wait for work whose key has not its share of the threads already."""
        with self._news:
            while True:
                for job in self._jobs:
                    if self._running[job.key] < self._share:
                        self._jobs.remove(job)
                        self._running[job.key] += 1
                        return job
                if self._stopped:
                    self._threads -= 1
                    return None
                self._idle += 1
                self._news.wait()

    # The reactor calls this.
    def _settle(self, job: _Job, result: Any) -> None:
        if isinstance(result, Failure):
            if job.is_wanted:
                job.deferred.errback(result)
            else:
                self.log.debug("unwanted work failed: {why}", why=result.getErrorMessage())
        elif job.is_wanted:
            job.deferred.callback(result)
        elif job.unwanted is not None:
            job.unwanted(result)
