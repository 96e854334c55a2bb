"""A connection to a server: one request at a time, its answer, and what the two may take.

Which server it is and what becomes of a failure is decided in `upstreams`; what the bytes mean in
`replies`.  What is not an answer to the letter is never passed on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from proto.web.alarm import Alarm
from proto.web.proxy.asking import head_of
from proto.web.proxy.messages import Ask, Reply, ReplyLost
from proto.web.proxy.replies import BadReply, ReplyHead, ReplyHeads, ReplyReader
from proto.web.proxy.replybody import ReplyBody
from proto.web.proxy.upload import Upload

GOODBYE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long a server may take, in seconds."""

    connect: float = 5.0
    read: float = 60.0
    """between two pieces of an answer, and before the first"""
    send: float = 60.0
    """to take something of a request's body"""
    idle: float = 60.0
    """for which a connection is kept"""
    tunnel: float = 600.0
    """without a byte either way, after an upgrade"""


class Failed(Exception):
    """No answer came.  `status` is what a client is told, 502 or 504."""

    def __init__(self, status: int, why: str, *, was_silent: bool = False) -> None:
        """`was_silent`: the connection ended before a byte of the answer."""
        super().__init__(why)
        self.status = status
        self.was_silent = was_silent


@dataclass(slots=True)
class Switched(Reply):
    """A 101: the connection is another protocol's now."""

    connection: Connection | None = None
    early: bytes = b""
    """What the server has said in it already."""
    protocol: bytes = b""
    """What it says that it speaks now."""


class Keeper(Protocol):
    """Who has the connections that wait for a request."""

    def keep(self, connection: Connection) -> bool:
        """Whether it is kept; otherwise it is to be closed."""
        ...

    def forget(self, connection: Connection) -> None: ...


Ended = Callable[[bool | None, str], None]
"""Told once how an answer ended whose head was here: well, badly, or (None) for no reason of the
server's."""


class Receiver(Protocol):
    """What has the connection after an upgrade."""

    def from_server(self, data: bytes) -> None: ...

    def server_left(self) -> None: ...


class Connection(TwistedProtocol):
    """One connection to a server of ours."""

    transport: Any

    def __init__(
        self,
        keeper: Keeper,
        server: object,
        heads: ReplyHeads,
        waits: Waits,
        clock: IReactorTime,
        host: bytes = b"",
    ) -> None:
        """`host` is what the server is told in Host; without it, what the request says."""
        self.server = server
        self.received = 0
        """Bytes of the answer's body, or of what came in a tunnel."""
        self.is_sent = False
        """Something of the last request was written."""
        self.has_body_begun = False
        """Something of the last request's body was."""
        self._host = host
        self._keeper = keeper
        self._heads = heads
        self._waits = waits
        self._clock = clock
        self._alarm = Alarm(clock, self._ring)
        self._is_lost = False
        self._is_closing = False
        self._reader: ReplyReader | None = None  # None: nothing is asked
        self._waiting: Deferred[Reply] | None = None
        self._upload: Upload | None = None
        self._is_whole = False  # all of the request is written
        self._body: ReplyBody | None = None
        self._ended: Ended | None = None
        self._is_held = False
        self._moved = 0.0  # when something happened
        self._receiver: Receiver | None = None

    # Whoever asks calls these.
    def ask(self, ask: Ask, upgrades: bool, ended: Ended) -> Deferred[Reply]:
        """Send a request; its answer, when its head is here.

        Fails with Failed, or with what the body of the request raised; cancelling gives it up.
        Raises HTTPError for a request that cannot be sent.
        """
        upload = None
        head = b""
        if ask.body is None:
            head = head_of(ask, self._host, False)
        else:
            upload = Upload(
                self.transport, ask, self._host, self._clock, self._body_is_sent, self._no_body
            )
        self._reader = ReplyReader(self._heads, ask.method, upgrades)
        self._ended = ended
        self._moved = self._clock.seconds()
        self.received = 0
        self._upload = upload
        self.is_sent = self._is_whole = upload is None
        self.has_body_begun = False
        waiting: Deferred[Reply] = Deferred(self._cancelled)
        self._waiting = waiting
        self._alarm.by(self._moved + min(self._waits.read, self._waits.send))
        if upload is None:
            self.transport.write(head)
        else:
            upload.start()
        return waiting

    @property
    def is_lost(self) -> bool:
        """It has ended."""
        return self._is_lost

    @property
    def has_news(self) -> bool:
        """The server has ended it or said something, which nobody has read yet."""
        handle = getattr(self.transport, "getHandle", lambda: None)()
        if not isinstance(handle, socket.socket):
            return False
        try:
            handle.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:  # it broke, and that is news
            return True
        return True

    def give_up(self) -> None:
        """Nobody wants the rest of the answer."""
        if self._reader is not None:
            self._end(None, "")
            self.transport.abortConnection()

    def close(self) -> None:
        """Hang up; nothing is asked.  TLS asks the server to say goodbye, too."""
        self._is_closing = True
        self._alarm.by(self._clock.seconds() + GOODBYE_SECONDS)
        self.transport.loseConnection()

    # The body of the answer calls these.
    def hold(self) -> None:
        """Read no more now."""
        if not self._is_held:
            self._is_held = True
            self.transport.pauseProducing()

    def go_on(self) -> None:
        """Read again."""
        if self._is_held:
            self._is_held = False
            self._moved = self._clock.seconds()
            if not self._is_lost:
                self.transport.resumeProducing()

    # A tunnel calls this.
    def leave_to(self, receiver: Receiver) -> None:
        """After a 101: what comes is the receiver's."""
        self._receiver = receiver

    # The transport calls these.
    def connectionMade(self) -> None:
        set_no_delay = getattr(self.transport, "setTcpNoDelay", None)
        if set_no_delay is not None:
            set_no_delay(True)

    def dataReceived(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            if self._receiver is not None:
                self.received += len(data)
                self._receiver.from_server(data)
            else:  # nobody has asked: what is said cannot be told from the next answer
                self._keeper.forget(self)
                self.transport.abortConnection()
            return
        self._moved = self._clock.seconds()
        try:
            piece = reader.feed(data)
            if reader.rest and reader.head is not None and reader.head.status != 101:
                raise BadReply("it sent more than its answer")
        except BadReply as bad:
            self._fail(Failed(502, str(bad)))
            return
        head = reader.head
        if head is None:
            if reader.has_continued and self._upload is not None:
                self._upload.permit()
            return
        self.received += len(piece)
        if self._body is None:
            self._begin(reader, head, piece)
        elif reader.done:
            body = self._body
            self._finish(reader)
            body.put_last(piece)
        elif piece:
            self._body.put(piece)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_lost = True
        self._alarm.stop()
        reader, receiver = self._reader, self._receiver
        if receiver is not None:
            self._receiver = None
            receiver.server_left()
        if reader is None:
            self._end(True, "")
            self._keeper.forget(self)
        else:
            self._lost(reader, reason)

    def _lost(self, reader: ReplyReader, reason: Failure) -> None:
        silent = reader.is_untouched
        try:
            if not reason.check(ConnectionDone):
                raise BadReply("the connection to it broke")
            reader.end()
        except BadReply as bad:
            self._fail(Failed(502, str(bad), was_silent=silent))
            return
        body = self._body
        self._end(True, "")
        if body is not None:
            body.put_last(b"")

    # An exchange from its head to its end.
    def _begin(self, reader: ReplyReader, head: ReplyHead, piece: bytes) -> None:
        """The head is here, and perhaps all of it."""
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        if head.status == 101:
            self._switch(waiting, reader, head)
            return
        upload = self._upload
        if upload is not None and upload.waits_for_100:
            upload.stop()  # the answer came without the body
        self._body = body = ReplyBody(self)
        if reader.done:
            self._finish(reader)
            body.put_last(piece)
        elif piece:
            body.put(piece)
        waiting.callback(Reply(head.status, head.reason, head.fields, body, body.close))

    def _switch(self, waiting: Deferred[Reply], reader: ReplyReader, head: ReplyHead) -> None:
        self._reader = self._upload = None
        self._alarm.stop()
        self.transport.pauseProducing()  # until somebody has it
        switched = Switched(
            *(101, head.reason, head.fields),
            connection=self,
            early=reader.rest,
            protocol=head.upgrade,
        )
        switched.close = self.transport.abortConnection
        waiting.callback(switched)

    def _finish(self, reader: ReplyReader) -> None:
        """The last byte of the answer is here."""
        self._end(True, "")
        if self._is_held:
            self.go_on()
        if not self._is_whole:
            self._hang_up()
            return
        self._alarm.by(self._moved + self._waits.idle)
        if not (reader.is_reusable and self._keeper.keep(self)):
            self.close()

    def _hang_up(self) -> None:
        """The connection is of no more use; what the server has not taken is not for it."""
        self._alarm.stop()
        self.transport.abortConnection()

    def _end(self, ok: bool | None, why: str, is_told: bool = False) -> None:
        """Nothing is asked any more; `is_told`: who asked finds out without `ended`."""
        upload, ended = self._upload, self._ended
        self._reader = self._upload = self._ended = self._body = None
        if upload is not None:
            self.is_sent, self.has_body_begun = upload.is_begun, upload.has_body_begun
            upload.stop()
        if ended is not None and not is_told:
            ended(ok, why)

    def _fail(self, failed: Failed) -> None:
        waiting, self._waiting = self._waiting, None
        body = self._body
        self._end(False, str(failed), is_told=waiting is not None)
        self._hang_up()
        if waiting is not None:
            waiting.errback(failed)
        elif body is not None:
            body.fail(ReplyLost(str(failed)))

    def _cancelled(self, _: Deferred[Reply]) -> None:
        self._waiting = self._ended = None
        self.give_up()

    def _body_is_sent(self) -> None:
        self._is_whole = True
        self._moved = self._clock.seconds()

    def _no_body(self, failure: Failure) -> None:
        """The client has not sent all of the request: it is none."""
        waiting, self._waiting = self._waiting, None
        body = self._body
        self._end(None, "", is_told=waiting is not None)
        self._hang_up()
        if waiting is not None:
            waiting.errback(failure)
        elif body is not None:
            body.fail(ReplyLost("the request has no end"))

    # How long anything may take.
    def _ring(self, now: float) -> float | None:
        upload = self._upload
        if self._reader is None:
            return self._ring_idle(now)
        due, why = self._moved + self._waits.read, f"it was silent for {self._waits.read:g} s"
        if upload is not None and not upload.done:
            if upload.stuck_since is None:  # it is the client's turn, and others watch it
                return now + min(self._waits.read, self._waits.send)
            due = upload.stuck_since + self._waits.send
            why = f"it took nothing of the request for {self._waits.send:g} s"
        elif self._is_held:
            return now + self._waits.read
        if now < due:
            return due
        self._fail(Failed(504, why))
        return None

    def _ring_idle(self, now: float) -> float | None:
        if self._is_closing:
            self._hang_up()
            return None
        if now < self._moved + self._waits.idle:
            return self._moved + self._waits.idle
        self._keeper.forget(self)
        self.close()
        return None
