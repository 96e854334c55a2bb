"""What an application reads, and where it complains: `wsgi.input`, `wsgi.errors`, file_wrapper.

All of it is used in the application's thread, and blocks that thread only.  What happens in the
reactor is said where it does.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore, Condition
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from proto.web.incoming import BodyLost, IncomingBody
from proto.web.response import HTTPError

FULL: Final = 64 * 1024
"""Bytes of a body that wait for the application before no more is taken from the peer."""
LONGEST_LINE: Final = 8 * 1024
LINES_WAITING: Final = 256
"""Lines of complaint that wait for the log before the application has to."""
FILE_CHUNK: Final = 64 * 1024

Post = Callable[..., None]


class PeerGone(ConnectionResetError):
    """Nobody is there any more to be read or answered."""


class BodyRefused(OSError):
    """The body of the request is too long or malformed, and the peer is told so."""

    def __init__(self, refusal: HTTPError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class Input:
    """The body of a request as a file that is read once, from its beginning to its end."""

    def __init__(self, body: IncomingBody, post: Post, *, is_awaited: bool = False) -> None:
        """`post` has something called in the reactor.

        With `is_awaited` the peer sends nothing before somebody reads; otherwise what comes is
        taken at once, up to a bound.
        """
        self._body = body
        self._post = post
        self._rest = b""  # the thread's own
        self._news = Condition()
        # Both sides touch these with `_news` held.
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._is_held = False
        self._is_over = False
        self._failure: Exception | None = None
        # The reactor's own.
        self._room: Deferred[None] | None = None
        self._is_asleep = is_awaited
        if not is_awaited:
            self._start()

    # The application calls these.
    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes, or all that is still to come.

        Raises:
            BodyRefused: the body is too long or malformed.
            PeerGone: the rest will not come.
        """
        if size is None or size < 0:
            return b"".join(self._all())
        parts: list[bytes] = []
        while size:
            data = self._next()
            if not data:
                break
            parts.append(data[:size])
            self._rest = data[size:]
            size -= len(parts[-1])
        return b"".join(parts)

    def readline(self, size: int | None = -1) -> bytes:
        """A line with its end, or at most `size` bytes of it; raises what `read` does."""
        left = sys.maxsize if size is None or size < 0 else size
        parts: list[bytes] = []
        while left:
            data = self._next()
            if not data:
                break
            end = data.find(b"\n", 0, left) + 1
            part = data[: end or left]
            parts.append(part)
            self._rest = data[len(part) :]
            left = 0 if end else left - len(part)
        return b"".join(parts)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Lines, about `hint` bytes of them or all; raises what `read` does."""
        lines: list[bytes] = []
        size = 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _all(self) -> Iterator[bytes]:
        while data := self._next():
            yield data

    def _next(self) -> bytes:
        """What comes next, empty at the end; it is the caller's to keep what it does not use."""
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        with self._news:
            if self._is_asleep:
                self._is_asleep = False
                self._post(self._start)
            while not self._chunks:
                if self._failure is not None:
                    raise self._failure
                if self._is_over:
                    return b""
                self._news.wait()
            data = self._chunks.popleft()
            self._size -= len(data)
            if self._is_held and self._size <= FULL // 2:
                self._is_held = False
                self._post(self._go_on)
        return data

    # The reactor calls these.
    def lose(self) -> None:
        """The request is over; whoever still reads is told."""
        if not self._is_over:
            self._end(PeerGone("the peer has left"))
        self._go_on()

    def _start(self) -> None:
        Deferred.fromCoroutine(self._take()).addErrback(self._fail)

    async def _take(self) -> None:
        """Move what comes to the thread, no faster than it reads."""
        try:
            async for chunk in self._body:
                if self._is_over:
                    return
                if self._put(chunk):
                    self._room = Deferred()
                    if self._is_held:
                        await self._room
                    self._room = None
        except HTTPError as refusal:
            self._end(BodyRefused(refusal))
        except BodyLost as lost:
            self._end(PeerGone(str(lost)))
        else:
            self._end(None)

    def _put(self, chunk: bytes) -> bool:
        """Whether it is enough for now."""
        with self._news:
            self._chunks.append(chunk)
            self._size += len(chunk)
            self._is_held = self._size > FULL
            self._news.notify()
            return self._is_held

    def _end(self, failure: Exception | None) -> None:
        with self._news:
            self._failure = failure
            self._is_over = True
            self._news.notify_all()

    def _fail(self, failure: Failure) -> None:
        self._end(PeerGone(failure.getErrorMessage()))

    def _go_on(self) -> None:
        room = self._room
        if room is not None and not room.called:
            room.callback(None)


class Errors:
    """A text file whose lines are told one by one, escaped: nobody forges a line of the log."""

    def __init__(self, tell: Callable[[str], None], post: Post) -> None:
        """`tell` is called with each line, in the reactor."""
        self._tell = tell
        self._post = post
        self._begun = ""
        self._room: BoundedSemaphore | None = None

    # The application calls these.
    def write(self, text: str) -> int:
        """Add to the line that was begun; waits when too many lines wait to be logged."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str and not {type(text).__name__}")
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._add(line)
        if len(self._begun) > LONGEST_LINE:
            self.flush()
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Let what was begun be a line."""
        line, self._begun = self._begun, ""
        if line:
            self._add(line)

    def _add(self, line: str) -> None:
        if self._room is None:
            self._room = BoundedSemaphore(LINES_WAITING)
        for start in range(0, len(line) or 1, LONGEST_LINE):
            self._room.acquire()
            self._post(self._told, self._room, line[start : start + LONGEST_LINE])

    # The reactor calls this.
    def _told(self, room: BoundedSemaphore, line: str) -> None:
        room.release()
        self._tell(line.encode("unicode_escape").decode("ascii"))


class FileWrapper:
    """`wsgi.file_wrapper`: a file in chunks."""

    def __init__(self, file: Any, size: int = FILE_CHUNK) -> None:
        self._file = file
        self._size = max(size, FILE_CHUNK)

    def __iter__(self) -> FileWrapper:
        return self

    def __next__(self) -> Any:
        data = self._file.read(self._size)
        if not data:
            raise StopIteration
        return data

    def close(self) -> None:
        """Close the file, if it can be."""
        close = getattr(self._file, "close", None)
        if close is not None:
            close()
