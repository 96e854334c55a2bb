"""A file on its way to a peer, as fast as the peer takes it and with little of it in memory.

What is not in the page cache is read aside; so a disk that hangs keeps nobody waiting but those
who asked for it.  Where the transport can, the kernel sends the file itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.addresses import group_of, host_of
from proto.reactor.backlog import CannotSendFile, FileTooShort
from proto.reactor.connection import LeanConnection, sends_files
from proto.web.aside import Aside, TooBusy
from proto.web.files import Opened
from proto.web.known import LARGEST
from proto.web.ranges import Piece, Span
from proto.web.reading import CHUNK, is_cached, read_ahead, read_cached, read_from_disk
from proto.web.request import WebRequest

# A transport that never says "stop" still lets others have their turn after so many bytes.
TURN: Final = 16 * CHUNK
# So much is given to the kernel at a time: what is in memory now may not be so for long.
SLICE: Final = 8 * CHUNK


def send_file(
    request: WebRequest,
    file: Opened,
    pieces: Sequence[Piece],
    clock: IReactorTime,
    aside: Aside,
    place: bytes,
) -> None:
    """Write the pieces of an answer whose head is set, and close the file in the end.

    `place` is the key with which the file's disk is asked.
    """
    transport = sends_files(getattr(request.channel, "transport", None))
    span = pieces[0]
    if (
        transport is not None
        and request.is_http1
        and len(pieces) == 1
        and isinstance(span, Span)
        and span.length > _at_once(request)
    ):
        KernelSender(request, file, span, transport, aside, place).start()
    else:
        FileSender(request, file, pieces, clock, aside, place).start()


def stays_open(request: WebRequest, pieces: Sequence[Piece]) -> bool:
    """Whether the file is open until the peer has taken its time to read."""
    spans = [piece for piece in pieces if isinstance(piece, Span)]
    return len(spans) != 1 or spans[0].length > _at_once(request)


def _at_once(request: WebRequest) -> int:
    """Bytes of a body that are read in one go: more if others will get the same ones."""
    return LARGEST if request.is_repeatable else CHUNK


def close_aside(file: Opened, aside: Aside, place: bytes) -> None:
    """Close a file without waiting for a disk that may take its time even for that."""
    if not (file.waits and aside.in_threads):
        file.close()
        return

    def close_here(failure: Failure) -> None:
        # So much waits already that nothing more is taken: to wait too is better than a leak.
        failure.trap(TooBusy)
        file.close()

    aside.run(place, file.close).addErrback(close_here)


class _Sender:
    """What both ways to send have in common: the file, and when it is closed."""

    log = Logger()

    def __init__(self, request: WebRequest, file: Opened, aside: Aside, place: bytes) -> None:
        self._request = request
        self._file = file
        self._aside = aside
        self._place = place
        self._is_over = False
        self._is_in_use = False  # a thread, or the kernel, has the descriptor
        self._group: str | None = None  # for whom it counts as open
        request.when_over().addBoth(self._over)

    def _count(self) -> None:
        """The file is open for as long as the peer takes."""
        if not self._is_over:
            self._group = group_of(host_of(self._request.client))
            self._request.owner.open_files.take(self._group)

    def _use(self, use: Deferred[Any]) -> Deferred[Any]:
        """Keep the file open until this is done."""
        self._is_in_use = True
        return use.addBoth(self._used)

    def _used(self, result: Any) -> Any:
        self._is_in_use = False
        self._close_if_over()
        return result

    def _over(self, _: object) -> None:
        self._is_over = True
        if self._group is not None:
            self._request.owner.open_files.give(self._group)
        self._close_if_over()

    def _close_if_over(self) -> None:
        if self._is_over and not self._is_in_use:
            close_aside(self._file, self._aside, self._place)

    def _break_off(self, failure: Failure) -> None:
        """The answer cannot be completed."""
        if self._is_over:
            return
        if not failure.check(TooBusy, FileTooShort):
            self.log.failure("cannot read a file that is being sent", failure)
        self._request.break_off()


@implementer(IPushProducer)
class FileSender(_Sender):
    """Writes literal bytes and spans of an opened file to a request, then finishes it.

    The file is closed when the request is over, however it ends.  A file that turns out shorter
    than it was ends the connection: a lie about Content-Length would be taken for the next answer.
    """

    def __init__(
        self,
        request: WebRequest,
        file: Opened,
        pieces: Iterable[Piece],
        clock: IReactorTime,
        aside: Aside,
        place: bytes,
    ) -> None:
        self._pieces = deque(pieces)
        self._chunk = _at_once(request)
        self._clock = clock
        self._paused = False
        self._is_registered = False
        self._next_turn: IDelayedCall | None = None
        super().__init__(request, file, aside, place)

    def start(self) -> None:
        """Send what fits into one chunk at once; more than that as a producer."""
        if not stays_open(self._request, self._pieces):
            self._send(self._chunk)
        else:
            self._count()
            self._is_registered = True
            self._request.registerProducer(self, True)
            self.resumeProducing()

    # The transport calls these.
    def resumeProducing(self) -> None:
        self._paused = False
        self._forget_next_turn()
        self._go_on()

    def pauseProducing(self) -> None:
        self._paused = True
        self._forget_next_turn()

    def stopProducing(self) -> None:
        self.pauseProducing()
        self._pieces.clear()

    def _go_on(self) -> None:
        self._send(TURN)
        if self._pieces and not (self._paused or self._is_in_use or self._is_over):
            self._next_turn = self._clock.callLater(0, self.resumeProducing)

    def _send(self, limit: int) -> None:
        """Write until the limit, the end, until the transport has enough or the disk is asked."""
        sent = 0
        while self._pieces and sent < limit and not (self._paused or self._is_in_use):
            piece = self._pieces[0]
            try:
                chunk = piece if isinstance(piece, bytes) else self._read(piece)
            except OSError:
                self._give_up(Failure())
                return
            if chunk is None or not self._write(chunk):
                return
            sent += len(chunk)

    def _read(self, span: Span) -> bytes | None:
        """The next bytes; None when the disk is asked for them, which then come later."""
        fd, start, length = self._file.fd, span.start, min(self._chunk, span.length)
        if not self._aside.in_threads:
            return read_from_disk(fd, start, length)
        chunk = read_cached(fd, start, length)
        if chunk is None:
            reading = self._aside.run(self._place, read_from_disk, fd, start, length)
            self._use(reading).addCallbacks(self._was_read, self._give_up)
        return chunk

    def _was_read(self, chunk: bytes) -> None:
        if self._pieces and not self._is_over and self._write(chunk):
            self._go_on()

    def _write(self, chunk: bytes) -> bool:
        """Send the next bytes; whether there may be more to send."""
        piece = self._pieces.popleft()
        if not chunk:  # the file does not have them any more
            self._end()
            self._request.break_off()
            return False
        if isinstance(piece, Span) and len(chunk) < piece.length:
            rest = Span(piece.start + len(chunk), piece.length - len(chunk))
            self._pieces.appendleft(rest)
        self._request.write(chunk)
        if self._pieces or self._is_over:
            return not self._is_over
        self._end()
        self._request.finish()
        return False

    def _give_up(self, failure: Failure) -> None:
        if not self._is_over:
            self._end()
        self._break_off(failure)

    def _end(self) -> None:
        self._pieces.clear()
        if self._is_registered:
            self._is_registered = False
            self._request.unregisterProducer()

    def _over(self, _: object) -> None:
        self._pieces.clear()
        self._forget_next_turn()
        super()._over(_)

    def _forget_next_turn(self) -> None:
        if self._next_turn is not None and self._next_turn.active():
            self._next_turn.cancel()
        self._next_turn = None


class KernelSender(_Sender):
    """Lets the kernel send one span of a file, slice by slice, then finishes the request."""

    def __init__(
        self,
        request: WebRequest,
        file: Opened,
        span: Span,
        transport: LeanConnection,
        aside: Aside,
        place: bytes,
    ) -> None:
        self._span = span
        self._transport = transport
        super().__init__(request, file, aside, place)

    def start(self) -> None:
        """Write the head, and the file behind it."""
        self._count()
        self._request.write(b"")
        self._go_on()

    def _go_on(self, _: object = None) -> None:
        if self._is_over:
            return
        start, length = self._span.start, min(SLICE, self._span.length)
        if not length:
            self._request.finish()
            return
        try:
            ready = not self._aside.in_threads or is_cached(self._file.fd, start, length)
        except OSError:
            self._break_off(Failure())
            return
        if ready:
            self._send()
            return
        ahead = self._aside.run(self._place, read_ahead, self._file.fd, start, length)
        self._use(ahead).addCallback(self._send).addErrback(self._break_off)

    def _send(self, _: object = None) -> None:
        if self._is_over:
            return
        start, length = self._span.start, min(SLICE, self._span.length)
        try:
            sending = self._transport.sendFile(self._file.fd, start, length)
        except CannotSendFile:  # somebody has hung up, and the end is on its way
            self._request.break_off()
            return
        self._use(sending).addCallback(self._sent).addErrback(self._break_off)

    def _sent(self, length: int) -> None:
        self._request.sentLength += length
        self._span = Span(self._span.start + length, self._span.length - length)
        self._go_on()
