"""One WebSocket after its handshake: what its application says and hears.

Knows no application and no HTTP: it is handed a listener, and the transport of a connection that
has left HTTP.  The frames are those of `frames`; what a slow peer has waiting is in `backlog`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.metrics import Tally
from proto.web.backlog import Backlog, Bounds
from proto.web.frames import INTERNAL_ERROR, LOST, PING, Dialogue
from proto.web.handshake import Agreement

CLOSING_SECONDS: Final = 5.0
"""For the closing handshake, and then once more for the connection to end."""
SLICE: Final = 2048
"""Bytes that are parsed at a time: what was inflated out of more could not be held back."""
SHARE: Final = 1000
"""Frames that one peer may have parsed in a turn of the reactor; then it is the others' turn."""


class Listener(Protocol):
    """The application's side of one connection; nothing is called after `closed`."""

    def opened(self, socket: Socket) -> None: ...

    def text(self, message: str) -> None:
        """One whole text message."""
        ...

    def binary(self, message: bytes) -> None:
        """One whole binary message."""
        ...

    def writable(self) -> None:
        """What waited was taken; `socket.waiting` is 0 again."""
        ...

    def dismissed(self) -> None:
        """The server stops, or was idle with this peer for too long: `close` it, and soon."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """Called once; the code is 1006 when there was no closing handshake."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What all sockets of a resource share."""

    bounds: Bounds
    max_message: int
    sockets: set[Socket]
    received: Tally
    dropped: Tally
    log: Logger


class _Held:
    """What came while the application did not want to hear."""

    __slots__ = ("data", "is_ending", "messages")

    def __init__(self) -> None:
        self.messages: deque[str | bytes] = deque()
        self.data = b""
        self.is_ending = False  # it will be delivered in the next turn


class Socket:
    """One connection as its application sends with it.

    What is sent after the end, or after `close`, is ignored.
    """

    __slots__ = (
        "_backlog",
        "_deadline",
        "_deaf",
        "_dialogue",
        "_fate",
        "_gone",
        "_heard",
        "_held",
        "_listener",
        "_pinged",
        "_terms",
        "subprotocol",
        "transport",
    )
    transport: Any

    def __init__(self, terms: Terms, agreement: Agreement, listener: Listener) -> None:
        self.subprotocol = agreement.subprotocol
        self._terms = terms
        self._listener: Listener | None = listener
        self._dialogue = Dialogue(
            agreement.extensions, terms.max_message, self._receive, self._deliver_held
        )
        self._backlog = Backlog(self, terms.bounds)
        self._held: _Held | None = None
        self._deadline: IDelayedCall | None = None
        self._deaf = False  # who has closed does not want to hear more
        self._fate = ""  # why it was aborted
        self._gone = False  # nothing is read or written any more
        self._heard = terms.bounds.clock.seconds()
        self._pinged = False

    # The application calls these.
    @property
    def waiting(self) -> int:
        """Bytes that the transport has not taken yet."""
        return self._backlog.waiting

    @property
    def is_open(self) -> bool:
        """Whether what is sent can still arrive."""
        return not self._gone and self._dialogue.is_open

    def send_text(self, text: str | bytes) -> None:
        """Send one message; bytes are taken for UTF-8."""
        if self.is_open:
            payload = text.encode("utf-8", "replace") if isinstance(text, str) else text
            self._backlog.send(self._dialogue.text(payload))

    def send_binary(self, message: bytes) -> None:
        """Send one binary message."""
        if self.is_open:
            self._backlog.send(self._dialogue.binary(message))

    def send_frames(self, frames: bytes) -> None:
        """Send frames that are made already, by `text_frame`; many sockets can share them."""
        if self.is_open:
            self._backlog.send(frames)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; the peer that does not answer is cut off.

        Raises:
            ValueError: nobody may send this code.
        """
        if self.is_open:
            self._backlog.send(self._dialogue.farewell(code, reason))
            self._deaf = True
            if not self._gone:
                self.resume_reading()  # the peer's answer is wanted
                self._set_deadline()

    def abort(self) -> None:
        """Cut the connection; the listener is told when it is gone."""
        self._cut("aborted")

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading`; the peer has to wait."""
        if not self.is_open:
            return
        if self._held is None:
            self._held = _Held()
            self.transport.pauseProducing()
        self._held.is_ending = False

    def resume_reading(self) -> None:
        """Go on, from the next turn of the reactor."""
        if self._held is not None and not self._held.is_ending:
            self._held.is_ending = True
            self._terms.bounds.clock.callLater(0, self._hear_again)

    # The connection calls these.
    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self._terms.sockets.add(self)
        transport.registerProducer(self._backlog, True)
        self._tell(lambda listener: listener.opened(self))

    def dataReceived(self, data: bytes) -> None:
        self._heard = self._terms.bounds.clock.seconds()
        self._pinged = False
        if self._held is not None:
            self._held.data += data
        elif not self._gone:
            self._parse(data)

    def connectionLost(self, reason: Failure) -> None:
        self._gone = True
        self._backlog.close()
        self._cancel_deadline()
        self._end(LOST, self._fate)

    def dismiss(self) -> None:
        """The server wants to hang up; the application may have last words."""
        self._tell(lambda listener: listener.dismissed())

    # The resource calls this.
    def check(self, now: float, period: float) -> None:
        """Ping a peer that is silent for a period; cut off one that is for two."""
        self._dialogue.rest()
        if self._held is not None:  # we ourselves do not listen
            self._heard = now
        silent = now - self._heard
        if silent >= 2 * period:
            self._drop(f"silent for {2 * period:g} s")
        elif silent >= period and not self._pinged and self.is_open:
            self._pinged = True
            self._backlog.send(PING)

    # The backlog calls these.
    def put(self, data: bytes) -> None:
        self.transport.write(data)

    def drained(self) -> None:
        if self.is_open:
            self._tell(lambda listener: listener.writable())

    def overdue(self, why: str) -> None:
        self._drop(why)

    def _parse(self, data: bytes) -> None:
        self._dialogue.frames = 0
        for start in range(0, len(data), SLICE):
            if self._gone:
                return
            if self._held is not None:
                self._held.data = data[start:] + self._held.data
                return
            self._dialogue.receive_data(data[start : start + SLICE])
            if not self._gone:
                self._answer()
            if self._dialogue.frames > SHARE and self._held is None:
                self.pause_reading()
                self.resume_reading()

    def _answer(self) -> None:
        """Send what the protocol itself has to say; hang up when all is said."""
        dialogue = self._dialogue
        if answer := b"".join(dialogue.data_to_send()):
            self._backlog.send(answer)
        if dialogue.is_over and not self._gone:
            self._gone = True
            code, reason = dialogue.outcome()
            self._deliver_held()
            if not self._fate:
                self._hang_up()
            self._end(code, reason)

    def _receive(self, message: str | bytes) -> None:
        self._terms.received.value += 1
        if pongs := b"".join(self._dialogue.data_to_send()):
            self._backlog.send(pongs)  # they answer what came before this message
        if self._held is not None:
            self._held.messages.append(message)
        else:
            self._deliver(message)

    def _deliver(self, message: str | bytes) -> None:
        if self._deaf:
            return
        if isinstance(message, str):
            self._tell(lambda listener: listener.text(message))
        else:
            self._tell(lambda listener: listener.binary(message))

    def _hear_again(self) -> None:
        held = self._held
        if held is None or self._gone or not held.is_ending:
            return
        while held.messages and held.is_ending:
            self._deliver(held.messages.popleft())
        if held.is_ending and self._held is held:
            self._held = None
            self.transport.resumeProducing()
            self._parse(held.data)

    def _deliver_held(self) -> None:
        """The peer has said its last: what waits to be heard is heard now, and can be answered."""
        held, self._held = self._held, None
        if held is None:
            return
        self.transport.resumeProducing()  # its end is wanted
        for message in held.messages:
            self._deliver(message)

    def _tell(self, call: Callable[[Listener], None]) -> None:
        """Call the listener; when it fails the peer gets 1011."""
        if self._listener is None:
            return
        try:
            call(self._listener)
        except Exception:
            self._terms.log.failure("a WebSocket's listener failed; closing the connection")
            self._deaf = True
            self.close(INTERNAL_ERROR)

    def _end(self, code: int, reason: str) -> None:
        """Tell the listener, once, and forget it."""
        self._terms.sockets.discard(self)
        self._dialogue.forget()
        self._tell(lambda listener: listener.closed(code, reason))
        self._listener = self._held = None

    def _hang_up(self) -> None:
        """End the connection after what is written.

        Closing while the peer still sends would reset the connection, and with it destroy the
        close frame that says why: so only the writing side closes, and the rest is thrown away.
        A TLS layer does the same by itself.
        """
        transport = self.transport
        self._backlog.release()
        transport.unregisterProducer()
        half_close = getattr(transport, "loseWriteConnection", None)
        if self._dialogue.has_failed and half_close and not ISSLTransport.providedBy(transport):
            half_close()
        else:
            transport.loseConnection()
        self._set_deadline()

    def _drop(self, why: str) -> None:
        if self._listener is not None and not self._fate:
            self._terms.dropped.value += 1
            self._terms.log.info("a WebSocket was cut off: the peer {why}", why=why)
        self._cut(why)

    def _cut(self, why: str) -> None:
        self._fate = self._fate or why
        self._gone = self._deaf = True
        self._backlog.close()
        self._cancel_deadline()
        self.transport.abortConnection()

    def _set_deadline(self) -> None:
        self._cancel_deadline()
        clock = self._terms.bounds.clock
        self._deadline = clock.callLater(CLOSING_SECONDS, self._time_is_up)

    def _time_is_up(self) -> None:
        self._deadline = None
        self._cut("did not answer the closing handshake")

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
