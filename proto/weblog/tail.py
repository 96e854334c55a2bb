"""The live tail: what reaches the disk as server-sent events, with a count of what is not shown.

The lines of a batch are encoded once for all who want to see the same.  Ten batches a second are
made at most, and nothing at all is done while nobody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from proto.logfile.intake import Intake
from proto.metrics import Metrics
from proto.web.events import EventStream
from proto.web.request import WebRequest
from proto.web.response import HTTPError, Response
from proto.weblog.excerpt import SCAN, SIZE, Allowance, Batch, View
from proto.weblog.query import fields_of, text_of

EVERY: Final = 0.1
"""Seconds between two batches."""
MOST_READERS: Final = 100
QUEUE: Final = 256 * 1024
"""Bytes that may wait for one reader; with more, the next batches are only counted for it."""
STUCK_AFTER: Final = 60.0
"""Seconds after which a reader that takes nothing is cut off."""
AGAIN_SECONDS: Final = 30

Admit = Callable[[WebRequest], Callable[[], None]]


class Tail:
    """All who look at one log."""

    def __init__(
        self,
        intake: Intake,
        clock: IReactorTime,
        metrics: Metrics,
        admit: Admit,
        *,
        most: int = MOST_READERS,
        queue: int = QUEUE,
        stuck_after: float = STUCK_AFTER,
    ) -> None:
        """`admit` counts a peer that stays, and returns what to call when it is gone; raises
        HTTPError when it may not come in."""
        self._intake = intake
        self._clock = clock
        self._admit = admit
        self._most = most
        self._queue = queue
        self._stuck_after = stuck_after
        self._readers: dict[View, set[Reader]] = {}
        self._count = 0
        self._batch = Batch()
        self._due: IDelayedCall | None = None
        self._last = float("-inf")
        self._first = 0
        self._dropped = metrics.tally(
            "logfile_tail_lines_dropped",
            "Lines that readers of the live tail were not shown, over all readers.",
        )
        metrics.gauge(
            "logfile_tail_readers", "Readers of the live tail.", lambda: float(self._count)
        )

    async def door(self, request: WebRequest) -> Response:
        """Whether one may look; a browser does not tell why events were refused."""
        self._let_in(request)()
        return Response(204)

    async def look(self, request: WebRequest) -> Response:
        """Stay until the peer leaves, and show it what comes.  Raises HTTPError."""
        fields = fields_of(request.target.query)
        name = text_of(fields, "name").decode("utf-8", "replace") if "name" in fields else None
        view = View(text_of(fields, "text"), name)
        release = self._let_in(request)
        reader = Reader(view, self._queue)
        ended: Deferred[None] = Deferred()

        def closed() -> None:
            release()
            self._leave(reader)
            if not ended.called:
                ended.callback(None)

        try:
            # More than the queue may be there for a moment: one batch, and its escapes.
            reader.stream = EventStream(
                request,
                self._clock,
                closed,
                max_queue=self._queue + 8 * SIZE,
                stuck_after=self._stuck_after,
            )
        except HTTPError:
            release()
            raise
        self._enter(reader)
        await ended
        return Response(204)  # nobody reads it: the request is over

    def _let_in(self, request: WebRequest) -> Callable[[], None]:
        if self._count >= self._most:
            again = [("Retry-After", str(AGAIN_SECONDS))]
            raise HTTPError(503, f"{self._most} others look at the log already.", again)
        return self._admit(request)

    def _enter(self, reader: Reader) -> None:
        if not self._count:
            self._batch = Batch()
            self._intake.watchers.append(self._heard)
        self._count += 1
        self._readers.setdefault(reader.view, set()).add(reader)
        self._size_batch()

    def _leave(self, reader: Reader) -> None:
        alike = self._readers[reader.view]
        alike.remove(reader)
        if not alike:
            del self._readers[reader.view]
        self._count -= 1
        self._size_batch()
        if not self._count:
            self._intake.watchers.remove(self._heard)
            if self._due is not None:
                self._due.cancel()
                self._due = None

    def _size_batch(self) -> None:
        self._batch.kept = SCAN if any(view.text for view in self._readers) else SIZE

    # The intake calls this.
    def _heard(self, name: str, records: bytes, lines: int) -> None:
        self._batch.add(name, records, lines)
        if self._due is None:
            self._show_in(self._last + EVERY - self._clock.seconds())

    def _show_in(self, seconds: float) -> None:
        self._due = self._clock.callLater(max(0.0, seconds), self._show)

    def _show(self) -> None:
        """Send everybody what they want to see of the batch; each view is the first in its turn."""
        self._due = None
        self._last = self._clock.seconds()
        batch, self._batch = self._batch, Batch(self._batch.kept)
        batch.gather()
        allowance = Allowance()
        views = list(self._readers)
        self._first = (self._first + 1) % len(views)
        for number, view in enumerate((*views[self._first :], *views[: self._first])):
            part = allowance.share(len(views) - number)
            rest = allowance.share(len(views) - number)
            events, dropped = batch.excerpt(view, rest)
            allowance.spend(part, rest)
            for reader in list(self._readers.get(view, ())):
                self._dropped.value += reader.show(events, dropped)
        owing = any(reader.owes for alike in self._readers.values() for reader in alike)
        if owing and self._due is None:
            # They are told as soon as they read on, even if nothing more comes.
            self._show_in(EVERY)


class Reader:
    """One who looks."""

    __slots__ = ("_queue", "owes", "stream", "view")

    stream: EventStream

    def __init__(self, view: View, queue: int) -> None:
        """`queue` is how many bytes may wait for it."""
        self.view = view
        self.owes = 0
        """Lines that it was not shown, and has not been told of."""
        self._queue = queue

    def show(self, events: bytes, dropped: int) -> int:
        """Send the events of a batch, after how many lines were left out before them.

        The result is how many more lines it is not shown than before.
        """
        if self.stream.waiting > self._queue:
            missed = dropped + events.count(b"event: line\n")
            self.owes += missed
            return missed
        self.owes += dropped
        if self.owes:
            self.stream.send_encoded(b'event: dropped\ndata: {"lines":%d}\n\n' % self.owes)
            self.owes = 0
        if events:
            self.stream.send_encoded(events)
        return dropped
