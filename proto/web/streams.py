"""One stream of HTTP/2: a request, and the transport that its answer goes to.

It counts what comes of a body and what waits of an answer.  It knows no frames: its connection,
in `http2`, cuts and sends them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from h2.errors import ErrorCodes
from twisted.internet.interfaces import IReactorTime
from twisted.web._http2 import H2Stream

from proto.web.h2heads import Field, check_trailers, parse_head, request_line
from proto.web.response import HTTPError

if TYPE_CHECKING:
    from proto.web.request import WebRequest

VERSION: Final = b"HTTP/2.0"


class Peer:
    """What a request may know of the connection that it shares with others.

    It knows no request, or each would wait for the cycle collector.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def getPeer(self) -> Any:
        """The peer's address."""
        return self._connection.getPeer()

    def getHost(self) -> Any:
        """Our own."""
        return self._connection.getHost()

    def getPeerCertificate(self) -> Any:
        """What the peer has shown in its TLS handshake, if anything."""
        return getattr(self._connection.transport, "getPeerCertificate", lambda: None)()


class Stream(H2Stream):
    """A request on its way, and what is queued of its answer."""

    command: bytes
    path: bytes
    _request: WebRequest
    _conn: Any  # Http2Connection
    producing: bool
    producer: Any

    def __init__(self, stream_id: int, connection: Any, clock: IReactorTime) -> None:
        self.is_whole = False
        """The peer has sent all of its request."""
        self.is_ending = False
        """The answer ends with what is queued."""
        self.is_refused = False
        """It was answered before it was whole; the rest of the body is thrown away."""
        self.is_answered = False
        """All of the answer is sent."""
        self.is_gone = False
        """The connection knows it no longer."""
        self.in_turn = False
        """The connection will send something of it."""
        self.queued = 0
        """Bytes of the answer that wait."""
        self.has_waited = False
        """The end of the answer waits no longer for the rest of the request."""
        self._clock = clock
        self._queue: deque[bytes] = deque()
        self._offset = 0  # bytes of the first one that are sent
        self._moved = self._since = self._came = clock.seconds()
        self._paused_at: float | None = None
        self._received = 0
        self._length: int | None = None
        self._expects_continue = False
        super().__init__(
            stream_id,
            connection,
            (),
            connection.requestFactory,
            connection.site,
            connection.factory,
        )

    @property
    def transport(self) -> Peer:  # type: ignore[override]
        """Who is at the other end; a request writes to its stream, and not to this."""
        return Peer(self._conn)

    # The connection calls these.
    def begin(self, headers: Sequence[Field], ended: bool) -> None:
        """Take the head of the request, or answer what is wrong with it."""
        self.command, self.path = request_line(headers)
        try:
            head = parse_head(headers, ended)
        except HTTPError as refusal:
            self.refuse(refusal)
            return
        self._length = head.length
        request = self._request
        for name, value in head.fields:
            request.requestHeaders.addRawHeader(name, value)
        request.parseCookies()
        if ended:
            return
        request.gotLength(head.length)
        self._heed_refusal()
        self._expects_continue = head.expects_continue
        if request.wants_body and request.body is None:
            self.ask_for_body()

    def receiveDataChunk(self, data: bytes, flowControlledLength: int) -> None:
        self._received += len(data)
        self._came = self._clock.seconds()
        if self._length is not None and self._received > self._length:
            self.refuse(HTTPError(400, "The body is longer than Content-Length says."))
        if self.is_refused or self._request.is_over:
            if self._received > self._request.most_body:
                self.end_now()
            self._conn.openStreamWindow(self.streamID, flowControlledLength)
            return
        super().receiveDataChunk(data, flowControlledLength)
        self._heed_refusal()

    def receive_trailers(self, headers: Sequence[Field]) -> None:
        """Look at what came behind the body."""
        try:
            check_trailers(headers)
        except HTTPError as refusal:
            self.refuse(refusal)

    def requestComplete(self) -> None:
        """Answer: all of the request has come."""
        if self.is_refused or self._request.is_over:
            return
        if self._length is not None and self._received != self._length:
            self.refuse(HTTPError(400, "The body is shorter than Content-Length says."))
        elif not self.producing:
            super().requestComplete()  # it comes behind what is not read yet
        else:
            self._request.requestReceived(self.command, self.path, VERSION)
            self._heed_refusal()

    def refuse(self, error: HTTPError) -> None:
        """Answer now, and read no more of the body."""
        if self.is_refused:
            return
        self.is_refused = True
        request = self._request
        if request.is_over:
            return
        if request.body is not None and request.has_arrived:
            request.refuse_body(error)  # whoever reads it says it
        elif request.startedWriting:
            request.break_off()
        else:
            request.method, request.uri, request.clientproto = self.command, self.path, VERSION
            request.path = self.path
            request.has_arrived = True
            request.refuse_early(error)

    def end(self) -> None:
        """The answer ends with what is queued; what comes of the body now is thrown away."""
        self.is_ending = True
        if not self.producing:
            self.resumeProducing()
        if not self.is_whole:
            self._came = self._clock.seconds()
            self._conn.look_in(self.site.patience.linger)

    def holds(self, size: int) -> bool:
        """Whether what is queued, if it is that little, waits for the rest of the request.

        A whole answer may come before that (RFC 9113, 8.1), and then the peer should stop.  But
        curl 7.88 sends on and hears nothing more, unless the answer is an error.
        """
        if not self.is_ending or self.queued > size or self.is_whole or self.is_refused:
            return False
        is_sending = self._received > 0 or not self._expects_continue
        return is_sending and not self.has_waited and self._request.code < 400

    def end_now(self) -> None:
        """Let the answer end though the request is not whole."""
        if self.holds(self.queued):
            self.has_waited = True
            self._moved = self._clock.seconds()
            self._conn.endRequest(self.streamID)

    def answered(self) -> None:
        """All of the answer is sent, though the request is not whole."""
        self.is_answered = True
        self._moved = self._clock.seconds()

    def deadlines(self, partial: int) -> Iterator[tuple[float, HTTPError | ErrorCodes | None]]:
        """When this stream is overdue, and with what it is then refused or reset, or ends.

        `partial` bytes of the body have come in a frame that is not whole.
        """
        patience = self.site.patience
        if self.is_answered:
            yield self._moved + patience.linger, ErrorCodes.NO_ERROR  # RFC 9113, 8.1
            return
        if self.holds(self.queued):
            yield self._came + patience.linger, None
            return
        if not (self.is_whole or self.is_refused) and self.producing:
            came = self._received + partial
            due = self._since + patience.body_grace + came / patience.body_rate
            yield due, HTTPError(408, "The body of the request came too slowly.")
        if self.queued or (self.producer is not None and not self._producerProducing):
            yield self._moved + patience.stall, ErrorCodes.CANCEL

    def put(self, data: bytes) -> None:
        """Queue bytes of the answer."""
        if not self.queued:
            self._moved = self._clock.seconds()
        self._queue.append(data)
        self.queued += len(data)

    def take(self, limit: int) -> bytes:
        """At most so many bytes of what is queued."""
        self._moved = self._clock.seconds()
        taken: list[bytes] = []
        while limit and self._queue:
            chunk = self._queue[0]
            piece = chunk[self._offset : self._offset + limit]
            self._offset += len(piece)
            if self._offset == len(chunk):
                self._queue.popleft()
                self._offset = 0
            taken.append(piece)
            limit -= len(piece)
        data = taken[0] if len(taken) == 1 else b"".join(taken)
        self.queued -= len(data)
        return data

    def forget(self) -> int:
        """Nothing is sent or read any more; how many bytes of the body have never been."""
        self.is_gone = True
        self._queue.clear()
        self.queued = 0
        unread = sum(length or 0 for _, length in self._inboundDataBuffer)
        self._inboundDataBuffer.clear()
        return unread

    # The request calls these.
    def ask_for_body(self) -> None:
        """Tell a peer that waits to be told that its body will be read."""
        if self._expects_continue and not (self.is_whole or self._received or self.is_gone):
            self._send100Continue()

    def pauseProducing(self) -> None:
        super().pauseProducing()
        if self._paused_at is None:
            self._paused_at = self._clock.seconds()

    def resumeProducing(self) -> None:
        if self._paused_at is not None:  # the time in which we read nothing is not the peer's
            self._since += self._clock.seconds() - self._paused_at
            self._paused_at = None
            self._conn.look_in(self.site.patience.body_grace)
        super().resumeProducing()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(HTTPError(400, "The form in the body is malformed."))

    # H2Stream calls this.
    def _convertHeaders(self, headers: Any) -> None:
        """Nothing yet: `begin` does it, when the connection knows this stream."""

    def _heed_refusal(self) -> None:
        """The request may have found out that it has no room for its body."""
        if self._request.refusal is not None:
            self.refuse(self._request.refusal)
