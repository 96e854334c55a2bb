"""The threads in which applications run: so many at once, so many requests waiting, no more.

Of threads that have nothing to do the one that worked last is woken first, and whoever wakes up
wakes the next if there is more to do: a burst of small requests is done by few of them.  Knows
neither WSGI nor the reactor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from time import monotonic
from typing import Final

Job = Callable[[], None]

THREADS: Final = 16
WAITING: Final = 64


class Workers:
    """A bounded number of daemon threads, started when they are needed."""

    def __init__(
        self,
        size: int = THREADS,
        waiting: int = WAITING,
        *,
        name: str = "wsgi",
        observe: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`size` jobs run at once and `waiting` may wait.

        `observe` is told the seconds that each took, one after another.
        """
        self._size = size
        self._most = size + waiting
        self._name = name
        self._observe = observe
        self._lock = Lock()
        # All below is touched with the lock held.
        self._jobs: deque[Job] = deque()
        self._beds: list[Lock] = []  # of those who sleep; releasing one wakes its owner
        self._threads = 0
        self._busy = 0
        self._is_waking = False  # somebody was woken, and has not looked at the jobs yet
        self._over: Callable[[], None] | None = None

    @property
    def busy(self) -> int:
        """Jobs that run."""
        return self._busy

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    @property
    def is_full(self) -> bool:
        """Nothing more would be taken now."""
        return self._over is not None or self._busy + len(self._jobs) >= self._most

    def add(self, job: Job) -> None:
        """Queue `job`, which raises nothing, until `wake` is called; it is not to be full."""
        with self._lock:
            self._jobs.append(job)

    def wake(self) -> None:
        """Let threads do what was added."""
        with self._lock:
            if self._jobs:
                self._rouse()

    def stop(self, over: Callable[[], None]) -> None:
        """Take nothing more; `over` is called, from a thread perhaps, when the last has ended.

        What waits is done before.
        """
        with self._lock:
            self._over = over
            beds, self._beds = self._beds, []
            for bed in beds:
                bed.release()
            is_over = not self._threads
        if is_over:
            over()

    def _rouse(self) -> None:
        """Wake one thread or start one, unless one is on its way."""
        if self._is_waking:
            return
        if self._beds:
            self._is_waking = True
            self._beds.pop().release()
        elif self._threads < self._size:
            try:
                Thread(target=self._serve, name=self._name, daemon=True).start()
            except RuntimeError:  # the system gives no more; what waits is for those there are
                if not self._threads:
                    raise
                return
            self._threads += 1
            self._is_waking = True

    # What follows happens in the threads.
    def _serve(self) -> None:
        bed = Lock()
        bed.acquire()
        seconds: float | None = None  # that the last job took
        has_woken = True
        while True:
            with self._lock:
                if seconds is not None:
                    self._busy -= 1
                    self._observe(seconds)
                    seconds = None
                elif has_woken:
                    self._is_waking = False
                if not self._jobs:
                    if self._over is not None:
                        break
                    self._beds.append(bed)
                    job = None
                else:
                    job = self._jobs.popleft()
                    self._busy += 1
                    if self._jobs:
                        self._rouse()
            has_woken = job is None
            if job is None:
                bed.acquire()
                continue
            began = monotonic()
            job()
            seconds = monotonic() - began
            del job  # and all that it holds, while nobody asks for more
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._threads -= 1
            over = None if self._threads else self._over
        if over is not None:
            over()
