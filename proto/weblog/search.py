"""`GET .../search`: what the log and its segments hold, looked for off the reactor, one at a time.

Knows no files: it checks what is asked, and has `looking` answer in another thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.addresses import group_of, host_of
from proto.errors import PeerError
from proto.logfile.filesystem import REAL
from proto.metrics import Metrics
from proto.web.request import WebRequest
from proto.web.response import HTTPError, Response
from proto.weblog.cursor import decode
from proto.weblog.finding import Wanted
from proto.weblog.looking import SECONDS, SIZE, Answer, Effort, Looking, Memory
from proto.weblog.problems import WrongField, json_of
from proto.weblog.query import fields_of, number_of, text_of, time_of
from proto.weblog.reading import Stamp

MOST_LINES: Final = 1000
LINES: Final = 100
QUEUE: Final = 10
"""Searches that may wait."""
QUEUE_EACH: Final = 3
"""Searches of one address that may wait or run."""

Ask = Callable[[Effort], Answer]
InThread = Callable[..., Deferred[Any]]


class Searches:
    """All searches of one process."""

    log = Logger()

    def __init__(
        self,
        path_of: Callable[[str], Path | None],
        in_thread: InThread,
        metrics: Metrics,
        stamp: Stamp | None,
        *,
        size: int = SIZE,
        seconds: float = SECONDS,
        queue: int = QUEUE,
        each: int = QUEUE_EACH,
    ) -> None:
        """`path_of` tells the file of a log's name, if there is such a log; `in_thread(f, ...)`
        calls f in another thread and returns a Deferred, as deferToThreadPool does.  `stamp` tells
        the times of lines; without it those of the segments count.  One search reads `size` bytes
        in `seconds` at most; `queue` may wait, of one address `each`, with the one that runs."""
        self._path_of = path_of
        self._in_thread = in_thread
        self._stamp = stamp
        self._size = size
        self._seconds = seconds
        self._queue = queue
        self._each = each
        self._memory = Memory()
        self._waiting: list[tuple[Ask, Deferred[Answer]]] = []
        self._running: Effort | None = None
        self._asking: Counter[str] = Counter()
        self._done = metrics.tally("logfile_searches", "Searches that were done.")
        self._read = metrics.tally("logfile_search_bytes", "Bytes that searches have read.")
        metrics.gauge("logfile_searches_waiting", "Searches that wait.", lambda: len(self._waiting))

    async def search(self, request: WebRequest) -> Response:
        """Lines, newest first.  Raises HTTPError: 400, 404, 410, 429 or 503."""
        fields = fields_of(request.target.query)
        wanted = Wanted(
            text_of(fields, "text"),
            time_of(fields, "since"),
            time_of(fields, "until"),
            number_of(fields, "limit", LINES, MOST_LINES),
        )
        cursor = decode(fields["cursor"]) if fields.get("cursor") else None
        looking = self._log_of(text_of(fields, "name").decode("utf-8", "replace"))
        ask = partial(looking.look, wanted, cursor)
        group = group_of(host_of(request.client))
        if self._asking[group] >= self._each:
            raise HTTPError(429, f"{self._each} of your searches wait.", [("Retry-After", "1")])
        self._asking[group] += 1
        try:
            return json_of(await self._answer(ask))
        except OSError as error:
            self.log.error("the log cannot be searched: {error}", error=str(error))
            why = "The log cannot be read now."
            raise HTTPError(503, why, [("Retry-After", "10")]) from None
        finally:
            self._asking[group] -= 1
            if not self._asking[group]:
                del self._asking[group]

    def _log_of(self, name: str) -> Looking:
        path = self._path_of(name)
        if path is None:
            if not name:
                raise WrongField("name tells which log is searched.", "name")
            raise HTTPError(404, "There is no log of that name.")
        return Looking(partial(REAL.folder, path.parent), path.name, self._stamp, self._memory)

    def _answer(self, ask: Ask) -> Deferred[Answer]:
        """Raises HTTPError, 503, when too many wait."""
        if len(self._waiting) >= self._queue:
            why = f"{self._queue} searches wait already."
            raise HTTPError(503, why, [("Retry-After", str(int(self._seconds) + 1))])
        answer: Deferred[Answer] = Deferred(self._cancelled)
        self._waiting.append((ask, answer))
        self._begin()
        return answer

    def _cancelled(self, answer: Deferred[Answer]) -> None:
        """Whoever asked has left."""
        waiting = [each for each in self._waiting if each[1] is not answer]
        if len(waiting) == len(self._waiting) and self._running is not None:
            self._running.is_stopped = True
        self._waiting = waiting

    def _begin(self) -> None:
        if self._running is not None or not self._waiting:
            return
        ask, answer = self._waiting.pop(0)
        self._running = effort = Effort(self._size, self._seconds)

        def done(found: Answer | Failure) -> None:
            self._running = None
            self._done.value += 1
            self._read.value += effort.read
            if not answer.called:
                if isinstance(found, Failure):
                    answer.errback(found)
                else:
                    answer.callback(found)
            elif isinstance(found, Failure) and not found.check(PeerError, OSError):
                self.log.failure("a search failed that nobody waits for", failure=found)
            self._begin()

        self._in_thread(ask, effort).addBoth(done)
