"""Server-sent events: an answer that goes on, one event after the other, over HTTP/1.1 or HTTP/2.

https://html.spec.whatwg.org/multipage/server-sent-events.html; knows nothing of who sends what.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.web._http2 import H2Stream
from zope.interface import implementer

from proto.web.backlog import Backlog, Bounds
from proto.web.request import WebRequest
from proto.web.response import HTTPError, refusal_of

HEARTBEAT_SECONDS: Final = 15.0
MAX_ID: Final = 1024
"""Bytes of the longest Last-Event-ID that is believed to be one of ours."""

_COMMENT: Final = b":\n\n"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_FIELDS: Final = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-store"),
    ("X-Accel-Buffering", "no"),  # nginx in front of us would collect events
)


def event_text(data: str, id: str | None = None, event: str | None = None) -> str:
    """One event as it is sent.

    Raises:
        ValueError: the id or the event's name has a line end, or the id a NUL.
    """
    lines = []
    for name, value in (("id", id), ("event", event)):
        if value is not None:
            if any(char in value for char in "\r\n\0"):
                raise ValueError(f"{value!r} cannot be the {name} of an event")
            lines.append(f"{name}: {value}\n")
    lines.extend(f"data: {line}\n" for line in _LINE_END.split(data))
    return "".join(lines) + "\n"


@implementer(IPushProducer)
class EventStream:
    """The answer to one GET; it begins at once.

    `closed` is called once, when it has ended or the peer has left.  Above `max_queue` bytes that
    wait, or when nothing was taken for `stuck_after` seconds, the peer is cut off.
    """

    log = Logger()

    def __init__(
        self,
        request: WebRequest,
        clock: IReactorTime,
        closed: Callable[[], None],
        *,
        max_queue: int = 1 << 20,
        stuck_after: float = 30.0,
    ) -> None:
        """Raises HTTPError, 405 for what is not a GET and 503 when the server stops."""
        if request.verb != "GET":
            raise refusal_of(request.verb, ("GET",))
        if request.owner.leaving:
            raise HTTPError(503, "The server is stopping.")
        self._request = request
        self._clock = clock
        self._closed = closed
        self._ending = False
        self._is_over = False
        self._is_full = False  # the connection, or the window of an HTTP/2 stream
        self._is_blocked = False  # the transport below HTTP/2
        self._backlog = Backlog(self, Bounds(clock, max_queue, stuck_after))
        self._heartbeat: IDelayedCall = clock.callLater(HEARTBEAT_SECONDS, self._beat)
        if request.is_over:  # the peer has left before its answer began
            self._heartbeat.cancel()
            clock.callLater(0, self._over, None)
            return
        request.when_over().addBoth(self._over)
        for name, value in _FIELDS:
            request.responseHeaders.setRawHeaders(name, [value])
        request.owner.endless.add(self)
        request.is_endless = True
        request.registerProducer(self, True)
        self._backlog.send(_COMMENT)  # the head leaves with it

    # The application calls these.
    @property
    def last_event_id(self) -> str:
        """Where the peer wants to go on: the id of the last event it has seen, or nothing."""
        told = self._request.requestHeaders.getRawHeaders(b"Last-Event-ID", [b""])[0]
        return told.decode("utf-8", "replace") if len(told) <= MAX_ID else ""

    @property
    def waiting(self) -> int:
        """Bytes that the connection has not taken yet."""
        return self._backlog.waiting

    def send(self, data: str, id: str | None = None, event: str | None = None) -> None:
        """Send one event; does nothing after the end.

        Raises:
            ValueError: the id or the event's name has a line end, or the id a NUL.
        """
        self.send_encoded(event_text(data, id, event).encode("utf-8", "replace"))

    def send_encoded(self, events: bytes) -> None:
        """Send what `event_text` made, encoded; many streams can share it."""
        if not self._ending and self._heartbeat.active():
            self._heartbeat.reset(HEARTBEAT_SECONDS)
            self._backlog.send(events)

    def end(self) -> None:
        """End the answer after what is sent."""
        if not self._ending:
            self._stop()
            if not self._backlog.waiting:
                self._finish()

    # The backlog calls these.
    def put(self, data: bytes) -> None:
        self._request.write(data)
        self._heed_transport()

    def drained(self) -> None:
        if self._ending:
            self._finish()

    def overdue(self, why: str) -> None:
        self.log.info("a stream of events was cut off: the peer {why}", why=why)
        self._stop()
        # Not now: whoever sends to many must not hear that one is gone while doing so.
        self._clock.callLater(0, self._cut_off)

    # The channel calls these.
    def pauseProducing(self) -> None:
        self._is_full = True
        self._backlog.pauseProducing()

    def resumeProducing(self) -> None:
        self._is_full = False
        self._go_on()

    def stopProducing(self) -> None:
        """The connection is gone; the request will be told."""

    def _heed_transport(self) -> None:
        """HTTP/2 tells us when the stream's window is full, but not when its transport is."""
        channel = self._request.channel
        if isinstance(channel, H2Stream) and not self._is_blocked:
            blocked: Any = channel._conn._consumerBlocked
            if blocked is not None:
                self._is_blocked = True
                self._backlog.pauseProducing()
                blocked.addCallback(self._unblocked)

    def _unblocked(self, result: object) -> object:
        self._is_blocked = False
        self._go_on()
        return result

    def _go_on(self) -> None:
        if not (self._is_over or self._is_full or self._is_blocked):
            self._backlog.resumeProducing()

    def _beat(self) -> None:
        self._heartbeat = self._clock.callLater(HEARTBEAT_SECONDS, self._beat)
        self._backlog.send(_COMMENT)

    def _stop(self) -> None:
        """No event is taken any more."""
        self._ending = True
        if self._heartbeat.active():
            self._heartbeat.cancel()

    def _finish(self) -> None:
        self._backlog.close()
        if not self._request.is_over:
            self._request.unregisterProducer()
            self._request.finish()

    def _cut_off(self) -> None:
        if not self._request.is_over:
            self._request.cut_off()

    def _over(self, _: object) -> None:
        self._is_over = True
        self._stop()
        self._backlog.close()
        self._request.owner.endless.discard(self)
        self._closed()
