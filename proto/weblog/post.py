"""`POST /log`: lines in the body of a request, answered when they are on the disk.

At least once: whoever gets no 200 may find its lines in the log nevertheless, and sends them again.
The body is taken a chunk in each turn of the reactor, and not faster than the budget allows; what
has arrived is stored even if the client leaves.  Knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import SEEK_END, BytesIO
from typing import BinaryIO, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from proto.addresses import peer_name
from proto.logfile.framing import LONGEST_LINE, LineFraming, Piece
from proto.logfile.intake import Intake, lines_in
from proto.logfile.origin import Origin
from proto.logfile.peers import subject_of
from proto.metrics import Metrics
from proto.web.handshake import check_origin
from proto.web.request import WebRequest
from proto.web.response import HTTPError, Response
from proto.weblog.problems import json_of

TYPES: Final = ("text/plain", "application/x-ndjson")
CHUNK: Final = 32 * 1024
"""Bytes of a body that are taken in one turn of the reactor."""
WAIT: Final = 30.0
"""Seconds without any progress until a client is told to try again."""
MOST_WAITING: Final = 1000
"""Bodies that are on their way to the disk at once."""
AGAIN_SECONDS: Final = 5


class Posts:
    """All the bodies on their way to one log."""

    def __init__(
        self,
        intake: Intake,
        clock: IReactorTime,
        metrics: Metrics,
        *,
        max_line: int = LONGEST_LINE,
        wait: float = WAIT,
        most: int = MOST_WAITING,
    ) -> None:
        """`max_line` is in bytes, `wait` in seconds without progress; `most` bodies at once."""
        self._intake = intake
        self._clock = clock
        self._max_line = max_line
        self._wait = wait
        self._most = most
        self._waiting = 0
        metrics.gauge(
            "logfile_posts_waiting",
            "Bodies of POST /log on their way to the disk.",
            lambda: self._waiting,
        )

    async def post(self, request: WebRequest) -> Response:
        """Store the lines of the body.  Raises HTTPError, 403, 415 or 503."""
        _check(request)
        if self._intake.full:
            raise _unavailable("The disk takes no lines now; none of yours was taken.")
        if self._waiting >= self._most:
            raise _unavailable(f"{self._most} requests wait for the disk already.")
        # What has arrived is stored even if the client leaves; Twisted would close it.
        content, request.content = request.content, BytesIO()
        size = content.seek(0, SEEK_END)
        content.seek(0)
        origin = Origin(peer_name(request.client), subject_of(request.transport))
        framing = LineFraming(self._max_line)
        delivery = Delivery(self._intake, self._clock, content, size, framing, origin, self._wait)
        self._waiting += 1
        delivery.over.addBoth(self._over)
        delivery.begin()
        return json_of({"stored": await delivery.answer})

    def _over(self, _: object) -> None:
        self._waiting -= 1


class Delivery:
    """One body on its way to the disk: a sender that is paused by not reading on."""

    def __init__(
        self,
        intake: Intake,
        clock: IReactorTime,
        content: BinaryIO,
        size: int,
        framing: LineFraming,
        origin: Origin,
        wait: float,
    ) -> None:
        self.answer: Deferred[int] = Deferred()
        """How many lines are on the disk; or HTTPError, 503."""
        self.over: Deferred[None] = Deferred()
        """The body is read, and all that was taken of it is on the disk or will never be."""
        self._intake = intake
        self._clock = clock
        self._content = content
        self._left = size
        self._framing = framing
        self._wait = wait
        self._lines = 0
        self._unsettled = 0
        self._paused = self._ended = self._turn_is_due = False
        self._account = intake.open(self, origin)
        self._deadline = clock.callLater(wait, self._too_late)

    def begin(self) -> None:
        """Take the first chunk."""
        self._step()

    # The budget calls these.
    def pause(self) -> None:
        """Read no more of the body."""
        self._paused = True

    def resume(self) -> None:
        """Read on, in a turn of its own."""
        self._paused = False
        self._step_soon()

    def _step_soon(self) -> None:
        if not (self._ended or self._turn_is_due):
            self._turn_is_due = True
            self._clock.callLater(0, self._step)

    def _step(self) -> None:
        self._turn_is_due = False
        if self._paused or self._ended:
            return
        chunk = self._content.read(CHUNK)
        self._left -= len(chunk)
        self._take(self._framing.feed(chunk))
        if self._left:
            self._step_soon()
            return
        if chunk and not chunk.endswith(b"\n"):
            # A body has an end: its last line is whole, with a line's end or without.
            self._take(self._framing.feed(b"\n"))
        self._end()
        self._settle()

    def _take(self, pieces: Sequence[Piece]) -> None:
        if pieces:
            self._unsettled += 1
            self._lines += lines_in(pieces)
            self._intake.take(self._account, pieces, self._stored)

    def _stored(self, stored: bool) -> None:
        self._unsettled -= 1
        if self._deadline.active():
            self._deadline.reset(self._wait)
        if not stored:
            self._refuse("Not all of the lines were stored; send them again.")
        self._settle()

    def _settle(self) -> None:
        """Answer if there is nothing more to wait for."""
        if self._ended and not self._unsettled:
            if self._deadline.active():
                self._deadline.cancel()
            if not self.answer.called:
                self.answer.callback(self._lines)
            if not self.over.called:
                self.over.callback(None)

    def _too_late(self) -> None:
        self._refuse("The disk is too slow now; the lines may be stored nevertheless.")
        self._settle()

    def _refuse(self, why: str) -> None:
        self._end()
        if not self.answer.called:
            self.answer.errback(_unavailable(why))

    def _end(self) -> None:
        """Read no more, ever."""
        if not self._ended:
            self._ended = True
            self._content.close()
            self._intake.close(self._account)


def _check(request: WebRequest) -> None:
    """Raises HTTPError for pages of others, and for bodies that are no lines."""
    told = [each.decode("latin-1") for each in request.requestHeaders.getRawHeaders(b"Origin", [])]
    check_origin(told, request.header("Host"), request.isSecure(), frozenset())
    media_type = request.header("Content-Type").partition(";")[0].strip().lower()
    if media_type not in TYPES:
        raise HTTPError(415, f"Send {' or '.join(TYPES)}.", [("Accept", ", ".join(TYPES))])
    if request.header("Content-Encoding").strip().lower() not in ("", "identity"):
        raise HTTPError(
            415, "Send the lines as they are, not compressed.", [("Accept-Encoding", "identity")]
        )


def _unavailable(why: str) -> HTTPError:
    return HTTPError(503, why, [("Retry-After", str(AGAIN_SECONDS))])
