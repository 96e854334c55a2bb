"""One call of an application, in a thread: what it gives, in the order in which PEP 3333 has it.

Knows no sockets and no reactor: what is to be sent is given to a `Peer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Protocol

from proto.web.wsgi.answerhead import AnswerHead, BadAnswer, read_head
from proto.web.wsgi.streams import PeerGone

AT_ONCE: Final = 64 * 1024
"""Bytes of a body that leave together with their head, when they are all of it."""
PIECE: Final = 64 * 1024
"""Bytes that are given to the reactor at a time."""

Environ = dict[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
Write = Callable[[bytes], object]
Application = Callable[[Environ, Callable[..., Write]], Iterable[bytes]]


class Peer(Protocol):
    """Who is answered; all of it is called in the thread."""

    @property
    def is_gone(self) -> bool:
        """Nobody waits for an answer."""

    def answer(self, head: AnswerHead, length: int | None, body: bytes) -> None:
        """Send a whole answer; without a `length` nothing is said of it."""

    def begin(self, head: AnswerHead, length: int | None) -> None:
        """A body follows, of so many bytes if that is known."""

    def send(self, data: bytes) -> None:
        """Send more of it, and wait until there is room.  Raises PeerGone."""

    def end(self) -> None:
        """That was all."""

    def fail(self, error: BaseException) -> None:
        """Something went wrong: an error page, or an answer that is broken off."""


class Call:
    """Calls the application once."""

    def __init__(self, application: Application, environ: Environ, peer: Peer) -> None:
        self._application = application
        self._environ = environ
        self._peer = peer
        self._is_head = environ["REQUEST_METHOD"] == "HEAD"
        self._head: AnswerHead | None = None
        self._length: int | None = None  # of the body, if it is known
        self._sent = 0
        self._has_begun = False
        self._is_complete = False

    def run(self) -> None:
        """Call it, send what it gives, close what it gave; raises nothing."""
        if self._peer.is_gone:
            return
        try:
            self._send_all(self._application(self._environ, self.start_response))
        except PeerGone:
            pass  # an application that finds this out has done what it could
        # SystemExit, too: it is the application's, and ends neither the thread nor the process.
        except BaseException as error:
            self._peer.fail(error)

    # The application calls these.
    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Write:
        """Take the head of the answer; it is sent with the first bytes of the body.

        Raises:
            BadAnswer: it cannot be sent, or was given before.
        """
        if exc_info is not None:
            try:
                if self._has_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame
        elif self._head is not None:
            raise BadAnswer("start_response was called twice, and without exc_info")
        self._head = None
        self._head = read_head(status, headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Send these bytes now.  Raises PeerGone."""
        self._put(data, is_all=False)

    # What it gives.
    def _send_all(self, parts: Iterable[bytes]) -> None:
        try:
            is_all = isinstance(parts, (list, tuple)) and len(parts) == 1
            for data in parts:
                self._put(data, is_all)
                if self._is_complete and self._is_bodiless:
                    break  # nobody will see the rest, and it need not have an end
            self._finish()
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    def _put(self, data: bytes, is_all: bool) -> None:
        if not isinstance(data, bytes):
            raise BadAnswer(f"a part of the body is {type(data).__name__} and not bytes")
        if not data:
            return
        head = self._head
        if head is None:
            raise BadAnswer("a part of the body came before start_response was called")
        if not self._has_begun:
            self._begin(head, data, is_all)
        elif not self._is_bodiless:
            self._count(data)
            self._send(data)

    def _begin(self, head: AnswerHead, data: bytes, is_all: bool) -> None:
        self._length = head.length
        if self._length is None and is_all:
            self._length = len(data)
        self._has_begun = True
        if self._is_bodiless:
            self._complete(head, b"")
        elif self._length == len(data) <= AT_ONCE:
            self._sent = len(data)
            self._complete(head, data)
        else:
            self._count(data)
            self._peer.begin(head, self._length)
            self._send(data)

    def _complete(self, head: AnswerHead, body: bytes) -> None:
        self._is_complete = True
        self._peer.answer(head, self._length if head.has_body else head.length, body)

    def _count(self, data: bytes) -> None:
        self._sent += len(data)
        if self._length is not None and self._sent > self._length:
            raise BadAnswer(f"there are more than the {self._length} bytes of Content-Length")

    def _send(self, data: bytes) -> None:
        if len(data) <= PIECE:
            self._peer.send(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), PIECE):
            self._peer.send(bytes(view[start : start + PIECE]))

    def _finish(self) -> None:
        head = self._head
        if head is None:
            raise BadAnswer("start_response was not called")
        if not self._has_begun:
            self._length = head.length
            if self._length is None and not self._is_bodiless:
                self._length = 0
        if not self._is_bodiless and self._length is not None and self._sent != self._length:
            raise BadAnswer(f"there are {self._sent} bytes, and Content-Length is {self._length}")
        if not self._has_begun:
            self._has_begun = True
            self._complete(head, b"")
        elif not self._is_complete:
            self._is_complete = True
            self._peer.end()

    @property
    def _is_bodiless(self) -> bool:
        return self._is_head or (self._head is not None and not self._head.has_body)
