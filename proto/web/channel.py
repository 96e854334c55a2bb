"""A connection of HTTP/1.1: head, body, answer, one request at a time.

What the bytes mean is in `http1` and `bodies`, what an answer says in `request`.  Here is whose
turn it is, how long anybody may take, and how a connection ends.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from proto.web.alarm import Alarm
from proto.web.bodies import Body, body_of
from proto.web.carrier import Carried
from proto.web.http1 import BadRequest, Head, HeadReader
from proto.web.liveness import is_gone, probe
from proto.web.patience import LOOK_AGAIN, Stall
from proto.web.response import HTTPError

if TYPE_CHECKING:
    from proto.web.connection import Successor, WebConnection
    from proto.web.request import WebRequest
    from proto.web.site import ProtoSite

HELD: Final = 16 * 1024
"""Bytes behind the request that is being answered, above which the peer is read no more."""
TOO_SLOW: Final = 408
"""The status in the access log of a body that came too slowly."""
REQUESTS_AT_ONCE: Final = 16
"""Pipelined requests that are answered before others have their turn."""


class Channel(Carried):
    """HTTP/1.1 on llhttp; to requests and their producers it is Twisted's channel."""

    connection: WebConnection | None = None
    site: ProtoSite
    requests: list[WebRequest]
    head = b""
    """That of the last request, byte for byte."""
    _alarm: Alarm
    _head_since: float | None = None
    _body: Body | None = None  # what has not come yet of the request's body
    _is_asked = False  # the peer waits to be told that its body will be read
    _body_since = 0.0
    _body_bytes = 0
    _body_is_held = False  # whoever reads it wants no more now
    _buffer = b""  # what has come and has had no turn yet
    _is_busy = False  # a turn is on its way, or will be
    _is_deaf = False  # what comes is thrown away
    _is_gone = False
    _lingers_until: float | None = None
    _may_say_more = False  # though the request is over
    _soon: IDelayedCall | None = None
    _peer_ended = False  # the peer sends no more, but may still read
    _stall: Stall

    def __init__(self) -> None:
        super().__init__()
        self._reader = HeadReader()

    # The transport calls these.
    def connectionMade(self) -> None:
        self._alarm = Alarm(self.site.clock, self._ring)
        self._stall = Stall(self.site.patience.stall)
        keep_alive, self.timeOut = self.timeOut, None  # Twisted would set a timer for it
        super().connectionMade()
        self.timeOut = keep_alive
        self._be_idle()

    def dataReceived(self, data: bytes) -> None:
        if self._is_deaf:
            self._discard(data)
            return
        self._buffer = self._buffer + data if self._buffer else data
        if self._is_busy or (self.requests and self._body is None):
            self._heed()
        else:
            self._go_on()

    def readConnectionLost(self) -> None:
        """The peer has sent all it wants to; what was whole by then is answered."""
        self._peer_ended = True
        waits = bool(self.requests or self._buffer) and self._body is None
        if not waits or self._is_deaf or any(request.is_endless for request in self.requests):
            self.loseConnection()
        else:
            # Whoever has closed altogether looks the same, and only the kernel can find out.
            probe(self.transport)
            self._look_in(LOOK_AGAIN)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_deaf = self._has_hung_up = self._is_gone = True
        self._buffer = b""
        self._alarm.stop()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        super().connectionLost(reason)

    def pauseProducing(self) -> None:
        """The peer does not take its answers as fast as they come."""
        self._waitingForTransport = True
        if self._requestProducer is not None:
            self._requestProducer.pauseProducing()
        self._watch_for_stall()

    def resumeProducing(self) -> None:
        self._waitingForTransport = False
        self._stall.forget()
        if self._requestProducer is not None:
            self._requestProducer.resumeProducing()
        if not self.requests and not self._has_hung_up:
            self._be_idle()
            self._go_on_soon()

    # The request calls these.
    def requestDone(self, request: WebRequest) -> None:
        self.requests.remove(request)
        is_last = self._peer_ended and not self._buffer
        if is_last or not self.persistent or self._body is not None:
            self._end()
            return
        self._be_idle()
        if self._buffer and not self._is_busy:
            self._go_on()

    def hold_body(self) -> None:
        """Whoever reads the body wants no more now."""
        self._body_is_held = True
        self._heed()

    def resume_body(self) -> None:
        """It wants more."""
        if self._body_is_held:
            self._body_is_held = False
            self._body_since, self._body_bytes = self.site.clock.seconds(), 0
            self._go_on_soon()

    def ask_for_body(self) -> None:
        """Tell a peer that waits to be told that its body will be read."""
        if self._is_asked and self._body is not None and not self._buffer and not self._body_bytes:
            self._send100Continue()

    def hand_over(self, successor: Successor) -> None:
        """Leave the connection to another protocol, with what came behind the request."""
        assert self.connection is not None
        self._alarm.stop()
        self._is_deaf = True
        self._networkProducer.unregisterProducer()
        self._networkProducer.resumeProducing()  # a long wait for the answer may have paused it
        self.requests.clear()
        early, self._buffer = self._buffer, b""
        self.connection.hand_over(successor)
        if early:
            successor.dataReceived(early)

    @property
    def is_unread(self) -> bool:
        """Something of the request has not come, and will not be read."""
        return self._body is not None or self._may_say_more

    def repeat(self, wire: bytes) -> bool:
        """Answer at once with what was said before; whether it is the peer's turn."""
        waits = self._is_busy or self._is_deaf or self._waitingForTransport
        if waits or not self.persistent or not self.is_idle:
            return False
        transport: Any = self.transport
        transport.write(wire)
        self._idle_since = self.site.clock.seconds()
        return True

    # These end it.
    @property
    def is_idle(self) -> bool:
        """Nothing was asked for that is not answered."""
        return not (self.requests or self._buffer or self._reader.begun)

    def retire(self) -> None:
        """HTTP/2 takes over; nothing has come yet."""
        self._alarm.stop()
        self._networkProducer.unregisterProducer()

    def loseConnection(self) -> None:
        if not self._has_hung_up:
            self._has_hung_up = self._is_deaf = True
            self._buffer = b""
            super().loseConnection()
            if not self._is_gone:  # a connection whose other half is closed ends at once
                self._watch_for_stall()

    def abort(self) -> None:
        """Hang up at once."""
        self._is_deaf = self._has_hung_up = True
        self._networkProducer.abortConnection()

    def _abort_slow_body(self) -> None:
        for request in self.requests:
            request.lost_as = TOO_SLOW
        self.abort()

    def _end(self) -> None:
        """Hang up after the answer; hear the peer out if it has more to say."""
        if self._has_hung_up:
            return
        if self._peer_ended or not (self.is_unread or self._buffer):
            self.loseConnection()
            return
        early, self._buffer = self._buffer, b""
        self._is_deaf = True
        if self._discard(early):
            return
        self.set_reading(True)
        self._lingers_until = self.site.clock.seconds() + self.site.patience.linger
        self._look_in(self.site.patience.linger)
        self.close_half()

    def _discard(self, data: bytes) -> bool:
        """Throw this away; hang up if it was the end of a body that was refused."""
        if self._body is None or self._has_hung_up:
            return self._has_hung_up
        try:
            self._body.feed(data)
        except BadRequest:
            self._body = None
            return False
        if self._body.done:
            self.loseConnection()
        return self._body.done

    # Whose turn it is.
    def _go_on(self) -> None:
        """Take what has come: a part of a body, or heads, and answer."""
        self._soon = None
        self._is_busy = True
        for _ in range(REQUESTS_AT_ONCE):
            if not self._has_turn():
                break
            data, self._buffer = self._buffer, b""
            if self._body is None:
                self._take_head(data)
            else:
                self._take_body(self._body, data)
        self._is_busy = False
        if self._has_turn():
            self._go_on_soon()
        elif self._peer_ended and not (self.requests or self._buffer or self._is_deaf):
            self.loseConnection()
        self._heed()

    def _go_on_soon(self) -> None:
        if not self._is_busy and self._buffer:
            self._is_busy = True
            self._soon = self.site.clock.callLater(0, self._go_on)
        else:
            self._heed()

    def _has_turn(self) -> bool:
        if not self._buffer or self._is_deaf:
            return False
        if self._body is not None:
            return not self._body_is_held
        # Whoever does not take the answers asks in vain for more.
        return not (self.requests or self._waitingForTransport)

    def _take_head(self, data: bytes) -> None:
        try:
            raw = self._reader.feed(data)
            if raw is None:
                return
            self._buffer = self._reader.rest
            self._head_since = None
            self.head = raw
            head = self.site.heads.known.get(raw) or self.site.heads.parse(raw)
        except BadRequest as refusal:
            self._refuse_head(refusal, self._reader.first_line or data)
            return
        self._begin(head)

    def _begin(self, head: Head) -> None:
        self.persistent = bool(self.persistent and head.keep_alive)
        request: Any = self.requestFactory(self)
        self.requests.append(request)
        request.take_head(head)
        if head.length == 0:
            request.requestReceived(head.method, head.target, head.version)
            return
        self._body, self._is_asked = body_of(head.length), head.expects_continue
        self._body_since, self._body_bytes = self.site.clock.seconds(), 0
        request.gotLength(head.length)
        if request.wants_body:
            if request.body is None:
                self.ask_for_body()
            request.begin_body()

    def _take_body(self, body: Body, data: bytes) -> None:
        request = self.requests[0]
        try:
            piece, used = body.feed(data)
        except BadRequest as refusal:
            self._body, self._may_say_more = None, True
            request.refuse_body(refusal)
            return
        self._buffer = data[used:]
        self._body_bytes += used
        if body.announced > request.most_body:
            request.refuse_body(request.too_long())
            return
        if body.done:
            self._body = None
        if piece:
            request.handleContentChunk(piece)
        if body.done and request.wants_body:
            request.end_body()

    def _refuse_head(self, refusal: HTTPError, seen: bytes) -> None:
        """Answer what is no request, and close."""
        self.persistent = False
        self._may_say_more = True
        self._head_since = None
        request: Any = self.requestFactory(self)
        self.requests.append(request)
        request.refuse_head(refusal, seen)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Twisted's request calls this when the form in a body is malformed."""
        self.requests[0].refuse_early(HTTPError(400, "The form in the body is malformed."))

    def _heed(self) -> None:
        """Read as fast as what is read is taken, and set the next deadline."""
        self.set_reading(not self._body_is_held and len(self._buffer) <= HELD)
        if self._body is not None:
            if not self._body_is_held:
                self._alarm.by(self._body_due())
        elif self.requests:
            self._look_in(LOOK_AGAIN)
        elif self._reader.begun and not self._is_deaf:
            if self._head_since is None:
                self._head_since = self.site.clock.seconds()
            self._alarm.by(self._head_since + self.site.patience.head)

    # How long anybody may take.
    def _be_idle(self) -> None:
        self._idle_since = self.site.clock.seconds()
        if self.timeOut and not self._alarm.is_set:
            self._alarm.by(self._idle_since + self.timeOut)

    def _body_due(self) -> float:
        patience = self.site.patience
        return self._body_since + patience.body_grace + self._body_bytes / patience.body_rate

    def _watch_for_stall(self) -> None:
        now = self.site.clock.seconds()
        self._stall.watch(now, self.transport, True)
        self._alarm.by(self._stall.due(now))

    def _look_in(self, seconds: float) -> None:
        self._alarm.by(self.site.clock.seconds() + seconds)

    def _ring(self, now: float) -> float | None:
        """A deadline may have passed; when to look again."""
        must_take = bool(self._waitingForTransport or self._has_hung_up)
        has_left = self._peer_ended and is_gone(self.transport)
        if has_left or self._stall.watch(now, self.transport, must_take):
            self.abort()
            return None
        found = self._deadline()
        if found is not None and found[0] <= now:
            found[1]()
            found = None
        due = None if found is None else found[0]
        if self._stall.is_watched or self.requests:
            due = min(due or inf, self._stall.due(now))
        return due

    def _deadline(self) -> tuple[float, Callable[[], None]] | None:
        """What the peer must have done by when, and what happens otherwise."""
        if self._has_hung_up:
            return None
        if self._lingers_until is not None:
            return self._lingers_until, self.loseConnection
        if self._body is not None:
            return None if self._body_is_held else (self._body_due(), self._abort_slow_body)
        if self.requests or self._buffer or self._waitingForTransport:
            return None
        if self._head_since is not None:
            return self._head_since + self.site.patience.head, self._refuse_slow_head
        if not self.timeOut:
            return None
        return self._idle_since + self.timeOut, self.loseConnection

    def _refuse_slow_head(self) -> None:
        seconds = f"{self.site.patience.head:g}"
        late = HTTPError(408, f"The head of the request took more than {seconds} s.")
        self._refuse_head(late, self._reader.first_line)
