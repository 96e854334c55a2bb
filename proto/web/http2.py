"""A connection of HTTP/2: many requests at once, none of which waits for another.

It is twisted.web's connection with its own sending: frames of all answers in turn, and no more of
each in memory than its peer takes.  Whoever wastes our time is told so by GOAWAY, and cut off.
What bytes mean `h2frames`, `h2state` and `h2heads` know; what a request is, `streams`.  The
priorities of RFC 7540 are not obeyed: RFC 9113 withdrew them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web._http2 import H2Connection

from proto.addresses import peer_name
from proto.web.alarm import Alarm
from proto.web.h2events import Listener
from proto.web.h2frames import MAX_FRAME, Allowance, BadFrame
from proto.web.h2sending import Sender
from proto.web.h2state import MAX_STREAMS, State
from proto.web.liveness import taken
from proto.web.response import HTTPError
from proto.web.streams import Stream

MAX_WAITING: Final = 8 << 20
"""Bytes of answers that may wait for one peer; above it none of its requests is begun."""
MAX_CONTROL: Final = 64 * 1024
"""Bytes of frames without flow control that may wait for one peer."""
TURN: Final = 4 * MAX_FRAME
"""Bytes that one connection sends before others have their turn."""
AT_ONCE: Final = 16
"""Requests of one connection that are begun before others have their turn."""
_CLOSE_ENOUGH: Final = 0.001
"""Seconds by which a timer may be early."""


class Http2Connection(H2Connection):
    """All the requests of one peer."""

    log = Logger()

    conn: State
    streams: dict[int, Stream]
    site: Any  # ProtoSite
    requestFactory: Any
    transport: Any
    _reactor: IReactorTime

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(clock)
        self.conn = State()
        self._maxBufferedControlFrameBytes = MAX_CONTROL
        self._allowance = Allowance(clock.seconds())
        self._listener = Listener(self.conn, self._allowance)
        self._complete: deque[Stream] = deque()  # requests that are not begun yet
        self._sender = Sender(self.conn, self._allowance)
        self._is_reading = self._is_leaving = self._is_over = False
        self._blocked_at: float | None = None
        self._took = 0  # of what the peer has taken by then
        self._idle_since = self._over_at = clock.seconds()
        self._linger = 0.0
        self._next_turn: IDelayedCall | None = None
        self._alarm = Alarm(clock, self._ring)

    # Twisted calls these.
    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self.conn.greet()
        self._tryToWriteControlData()
        if self.timeOut is not None:
            self.look_in(self.timeOut)

    def dataReceived(self, data: bytes) -> None:
        if self._is_over:
            return
        self._is_reading = True
        try:
            for event in self._listener.hear(data, self._reactor.seconds()):
                self._heed(event)
        except BadFrame as bad:
            self._hang_up(bad.code, str(bad))
        except ProtocolError as error:
            self._hang_up(error.error_code, str(error))
        else:
            if self._listener.begun is not None:
                self._alarm.by(self._listener.begun + self.site.patience.head)
            self._work()
        finally:
            self._is_reading = False

    def connectionLost(self, reason: Failure = connectionDone, _: bool = True) -> None:
        self._is_over = True
        self._forget_turn()
        self._alarm.stop()
        self._drop_all(reason)

    def pauseProducing(self) -> None:
        if self._consumerBlocked is None and not self._is_over:
            super().pauseProducing()
            self._blocked_at, self._took = self._reactor.seconds(), taken(self.transport)
            self.look_in(self.site.patience.stall)

    def resumeProducing(self) -> None:
        self._blocked_at = None
        super().resumeProducing()
        self._soon()

    # The site calls this, through its WebConnection.
    def dismiss(self) -> None:
        """Take no new request, and close when those that have come are answered."""
        if not self._is_over and not self._is_leaving:
            self._is_leaving = True
            self.conn.take_leave()
            self._soon()

    # The streams call these.
    def look_in(self, seconds: float) -> None:
        """Look at the deadlines then, if not earlier."""
        self._alarm.by(self._reactor.seconds() + seconds)

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Any, streamID: int
    ) -> None:
        if streamID in self.streams:
            self.conn.send_headers(streamID, [(b":status", code), *headers])
            self._soon()

    def writeDataToStream(self, streamID: int, data: bytes) -> None:
        stream = self.streams.get(streamID)
        if stream is not None and not stream.is_ending:
            self._sender.put(stream, data)
            self.look_in(self.site.patience.stall)
            self._soon()

    def endRequest(self, streamID: int) -> None:
        stream = self.streams.get(streamID)
        if stream is not None:
            if not stream.is_ending:
                stream.end()
            self._sender.wake(stream)
            self._soon()

    def abortRequest(self, streamID: int) -> None:
        stream = self.streams.get(streamID)
        if stream is not None:
            self._reset(stream, ErrorCodes.INTERNAL_ERROR)

    def remainingOutboundWindow(self, streamID: int) -> int:
        return self._sender.room(self.streams[streamID])

    def openStreamWindow(self, streamID: int, increment: int) -> None:
        if not self._is_over:
            self.conn.acknowledge_received_data(increment, streamID)
            self._soon()

    # What the peer says.
    def _heed(self, event: Event) -> None:
        if self._is_over:
            return
        match event:
            case RequestReceived():
                self._requestReceived(event)
            case DataReceived():
                self._requestDataReceived(event)
            case StreamEnded():
                self._requestEnded(event)
            case StreamReset():
                self._requestAborted(event)
            case WindowUpdated() | RemoteSettingsChanged():
                self._handleWindowUpdate(event)
            case TrailersReceived() if event.stream_id in self.streams:
                self.streams[event.stream_id].receive_trailers(event.headers)
            case ConnectionTerminated():
                self._is_leaving = True
                if event.error_code != ErrorCodes.NO_ERROR:
                    self._hang_up(None, f"The peer said GOAWAY: {event.error_code!r}")

    def _requestReceived(self, event: RequestReceived) -> None:
        number = event.stream_id
        if self._is_leaving or len(self.streams) >= MAX_STREAMS:
            self.conn.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            self._allowance.futile(self._reactor.seconds())
            return
        stream = self.streams[number] = Stream(number, self, self._reactor)
        ended = event.stream_ended is not None
        stream.begin(event.headers, ended)
        if not ended:
            self.look_in(self.site.patience.body_grace)

    def _requestDataReceived(self, event: DataReceived) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.receiveDataChunk(event.data, event.flow_controlled_length)

    def _requestEnded(self, event: StreamEnded) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        stream.is_whole = True
        if stream.is_answered:
            self._forget(stream)
        else:
            self._sender.wake(stream)
            self._complete.append(stream)

    def _requestAborted(self, event: StreamReset) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            self._forget(stream)
            stream.connectionLost(Failure(ConnectionLost(f"RST_STREAM: {event.error_code!r}")))
            if stream.is_answered:
                return
        self._allowance.futile(self._reactor.seconds())

    def _handleWindowUpdate(self, event: WindowUpdated | RemoteSettingsChanged) -> None:
        number = event.stream_id if isinstance(event, WindowUpdated) else 0
        chosen = [self.streams.get(number)] if number else list(self.streams.values())
        for stream in chosen:
            if stream is not None:
                self._sender.wake(stream)
                self._sender.let_produce(stream)

    # Turns.
    def _soon(self) -> None:
        """There is something to do when others have had their turn."""
        if self._next_turn is None and not (self._is_reading or self._is_over):
            self._next_turn = self._reactor.callLater(0, self._sendPrioritisedData)

    def _sendPrioritisedData(self, *_: object) -> None:
        """What stock's sending loop was."""
        self._next_turn = None
        if not self._is_over:
            self._work()

    def _work(self) -> None:
        """Begin some requests, and send some of the answers."""
        for _ in range(AT_ONCE):
            if not self._may_begin():
                break
            stream = self._complete.popleft()
            if not stream.is_gone:
                stream.requestComplete()
        sent = 0
        while self._sender.has_work and sent < TURN and self._may_send():
            sent += self._sender.send_frame(self._answered)
        self._is_reading = False
        if self._is_leaving and not self.streams:
            self._close()
        elif not self._is_over:
            self._tryToWriteControlData()
            if self._may_begin() or (self._sender.has_work and self._may_send()):
                self._soon()

    def _may_send(self) -> bool:
        return self._consumerBlocked is None and not self._is_over

    def _may_begin(self) -> bool:
        """Whether a request waits whose peer reads what it has asked for before."""
        return bool(self._complete) and self._may_send() and self._sender.waiting <= MAX_WAITING

    # Ends.
    def _answered(self, stream: Stream) -> None:
        """An answer is sent.  If the request goes on, its peer has a while to read the answer.

        curl 7.88 does not read an answer whose stream was reset right behind it.
        """
        if stream.is_whole:
            self._forget(stream)
        else:
            stream.answered()
            self.look_in(self.site.patience.linger)

    def _reset(self, stream: Stream, code: ErrorCodes) -> None:
        self.conn.reset_stream(stream.streamID, code)
        self._forget(stream)
        self._soon()

    def _forget(self, stream: Stream) -> None:
        del self.streams[stream.streamID]
        self._sender.forget(stream)
        if not self.streams and not self._is_over:
            self._idle_since = self._reactor.seconds()
            if self._is_leaving:
                self._soon()
            elif self.timeOut is not None:
                self.look_in(self.timeOut)

    def _close(self) -> None:
        """End the connection, on which everything is said."""
        if not self._is_over:
            self._tryToWriteControlData()
            self._end(self.site.patience.stall, "It was asked to end.")

    def _hang_up(self, code: ErrorCodes | None, why: str) -> None:
        """End the connection because of what the peer does; the peer is told why."""
        if self._is_over:
            return
        if code is not None and not self.conn.has_sent_goaway():
            self.conn.close_connection(code)
        if code:
            peer = peer_name(self.transport.getPeer())
            self.log.info("HTTP/2 with {peer} was ended: {why}", peer=peer, why=ascii(why)[1:-1])
        self._end(self.site.patience.linger, why)

    def _end(self, linger: float, why: str) -> None:
        self._is_over = True
        self._over_at, self._linger = self._reactor.seconds(), linger
        self._forget_turn()
        held, self._bufferedControlFrames = self._bufferedControlFrames, deque()
        self.transport.write(b"".join((*held, self.conn.data_to_send())))
        self._drop_all(Failure(ConnectionLost(why)))
        # A TLS transport does not close while somebody may still produce.
        self.transport.unregisterProducer()
        self.look_in(linger)
        self.transport.loseConnection()

    def _drop_all(self, reason: Failure) -> None:
        for stream in list(self.streams.values()):
            del self.streams[stream.streamID]
            self._sender.forget(stream)
            stream.connectionLost(reason)
        self._complete.clear()

    def _forget_turn(self) -> None:
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None

    # Deadlines.
    def _ring(self, now: float) -> float | None:
        """Do what is due; when the next thing will be."""
        for due, act in list(self._dues()):
            if due <= now + _CLOSE_ENOUGH:
                act()
        return min((due for due, _ in self._dues()), default=None)

    def _dues(self) -> Iterator[tuple[float, Callable[[], None]]]:
        if self._is_over:
            yield self._over_at + self._linger, self._abort
            return
        patience = self.site.patience
        if self._listener.begun is not None:
            late = partial(self._hang_up, ErrorCodes.ENHANCE_YOUR_CALM, "A head came too slowly.")
            yield self._listener.begun + patience.head, late
        if self._blocked_at is not None:
            yield self._blocked_at + patience.stall, self._is_blocked
            return
        if not self.streams and self.timeOut is not None:
            idle = partial(self._hang_up, ErrorCodes.NO_ERROR, "It was idle.")
            yield self._idle_since + self.timeOut, idle
        for stream in self.streams.values():
            for due, then in stream.deadlines(self._listener.partial(stream.streamID)):
                yield due, partial(self._overdue, stream, then)

    def _overdue(self, stream: Stream, then: HTTPError | ErrorCodes | None) -> None:
        if stream.is_gone:
            return
        if then is None:
            stream.end_now()
            return
        if isinstance(then, HTTPError):
            stream.refuse(then)
            return
        self._reset(stream, then)
        stream.connectionLost(Failure(ConnectionLost("The peer was too slow.")))

    def _is_blocked(self) -> None:
        """The transport has been full for long: does the peer take anything?"""
        took = taken(self.transport)
        if took == self._took:
            self._abort()
        else:
            self._blocked_at, self._took = self._reactor.seconds(), took

    def _abort(self) -> None:
        self.connectionLost(Failure(ConnectionLost("The peer does not read.")))
        self.transport.abortConnection()
