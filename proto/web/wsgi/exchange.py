"""One request and the application that answers it: the reactor at one end, a thread at the other.

A small answer is one call into the reactor.  A longer one goes out as the peer takes it; the
thread waits meanwhile, and is let go when the peer has left.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from io import BytesIO
from threading import Condition, Lock
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from proto.web.outgoing import Outgoing, PeerLeft
from proto.web.request import WebRequest
from proto.web.wsgi.answerhead import AnswerHead
from proto.web.wsgi.handover import Handover
from proto.web.wsgi.streams import BodyRefused, Errors, Input, PeerGone

FULL: Final = 64 * 1024
"""Bytes that wait for the peer before the thread does."""


class Exchange:
    """The `Peer` of a call, and the streams that its application gets."""

    log = Logger()

    def __init__(self, request: WebRequest, handover: Handover) -> None:
        self.input: Input | BytesIO
        if request.body is None:
            self.input = BytesIO()
        else:
            is_awaited = bool(request.field("Expect"))
            self.input = Input(request.body, handover.post, is_awaited=is_awaited)
        self.errors: Final = Errors(self._complain, handover.post)
        self._request = request
        self._post = handover.post
        self._lock = Lock()
        # Both sides touch these with the lock held.
        self._room: Condition | None = None  # of an answer that is longer than one piece
        self._unsent = 0
        self._is_gone = False
        # The reactor's own.
        self._queue: deque[bytes | None] = deque()
        self._outgoing: Outgoing | None = None
        self._is_sending = False
        request.when_over().addBoth(self._over)

    # The thread calls these.
    @property
    def is_gone(self) -> bool:
        """See `Peer`."""
        return self._is_gone

    def answer(self, head: AnswerHead, length: int | None, body: bytes) -> None:
        """See `Peer`."""
        self._post(self._answer, head, length, body)

    def begin(self, head: AnswerHead, length: int | None) -> None:
        """See `Peer`."""
        with self._lock:
            self._room = Condition(self._lock)
        self._post(self._begin, head, length)

    def send(self, data: bytes) -> None:
        """See `Peer`."""
        room = self._room
        assert room is not None
        with room:
            while self._unsent > FULL and not self._is_gone:
                room.wait()
            if self._is_gone:
                raise PeerGone("the peer has left")
            self._unsent += len(data)
        self._post(self._put, data)

    def end(self) -> None:
        """See `Peer`."""
        self._post(self._put, None)

    def fail(self, error: BaseException) -> None:
        """See `Peer`."""
        self._post(self._fail, Failure(error, type(error), error.__traceback__))

    # The reactor calls these.
    def _answer(self, head: AnswerHead, length: int | None, body: bytes) -> None:
        if self._set_head(head, length):
            self._request.write(body)
            self._request.finish()

    def _begin(self, head: AnswerHead, length: int | None) -> None:
        if self._set_head(head, length):
            self._outgoing = Outgoing(self._request)

    def _set_head(self, head: AnswerHead, length: int | None) -> bool:
        """Whether there is somebody to be answered."""
        request = self._request
        if request.is_over:
            return False
        if request.refusal is not None:  # whatever the application made of it
            request.refuse(request.refusal)
            return False
        request.code, request.code_message = head.status, head.phrase
        request.defaultContentType = None
        fields = request.responseHeaders
        seen: set[bytes] = set()
        for name, value in head.fields:
            key = _spelled(name)
            if key in seen:
                fields.setRawHeaders(key, [*fields.values(key), value])
            else:
                seen.add(key)
                fields.put(key, value)
        if length is not None:
            fields.put(b"Content-Length", b"%d" % length)
        return True

    def _put(self, data: bytes | None) -> None:
        """More of the body, or None at its end."""
        if self._outgoing is None:
            return
        self._queue.append(data)
        if not self._is_sending:
            self._is_sending = True
            sending = Deferred.fromCoroutine(self._send_queue(self._outgoing))
            sending.addErrback(self._request.fail)

    async def _send_queue(self, outgoing: Outgoing) -> None:
        try:
            while self._queue:
                data = self._queue.popleft()
                if data is None:
                    outgoing.finish()
                    return
                await outgoing.write(data)
                self._sent(len(data))
        except PeerLeft:
            self._queue.clear()
        finally:
            self._is_sending = False

    def _sent(self, size: int, is_over: bool = False) -> None:
        """So much was taken; or nothing ever will be."""
        with self._lock:
            self._unsent -= size
            self._is_gone |= is_over
            if self._room is not None:
                self._room.notify()

    def _fail(self, failure: Failure) -> None:
        request = self._request
        if request.refusal is not None and not request.is_over and not request.startedWriting:
            request.refuse(request.refusal)
        if self._outgoing is not None:
            self._outgoing.break_off()
        if not isinstance(failure.value, BodyRefused):
            request.fail(failure)  # which logs it, whoever is still there

    def _over(self, _: object) -> None:
        self._sent(0, is_over=True)
        if isinstance(self.input, Input):
            self.input.lose()

    def _complain(self, line: str) -> None:
        self.log.warn(
            "the application says at {method} {uri}: {line}",
            method=ascii(self._request.verb),
            uri=ascii(self._request.uri),
            line=line,
        )


@lru_cache(1024)
def _spelled(name: bytes) -> bytes:
    """A name as Twisted spells it, and therefore we: what is there already is found by that."""
    headers = Headers()
    headers.setRawHeaders(name, [b""])
    return next(iter(headers.getAllRawHeaders()))[0]
