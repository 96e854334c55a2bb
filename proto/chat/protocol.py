"""The chat for telnet and netcat: a ChatProtocol for each person, and the ChatFactory.

Read it from the top: somebody connects, is greeted, sends lines, hears what the room says, and
goes.  Everything hard is elsewhere: `house` and `room` know who hears what, `telnet` and `lines`
make lines of bytes, `commands` obeys them, `wire` puts events into words, `outgoing` sends them
to people who may not read.  What is left here is one person's connection and their turn to speak.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from twisted.internet.interfaces import IAddress, IDelayedCall, IHalfCloseableProtocol, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.addresses import host_of, peer_name
from proto.chat import names, wire
from proto.chat.commands import obey
from proto.chat.events import Event, Refused
from proto.chat.figures import Figures
from proto.chat.house import House
from proto.chat.lines import LONGEST, LineSplitter
from proto.chat.outgoing import Budget, Outgoing, Transport
from proto.chat.room import Room
from proto.chat.sniff import ANSWERS, Caller, sniff
from proto.chat.telnet import TelnetFilter
from proto.chat.text import decode, is_blank
from proto.errors import PeerError
from proto.limits import TokenBucket
from proto.metrics import Metrics


@implementer(IHalfCloseableProtocol)
class ChatProtocol(Protocol):
    """One person's connection, and the `Member` of the house that they are.

    They are waited for, then greeted and present, then leaving: `house.leave` was called, and
    when everything before that is delivered the house calls `departed` and the connection closes.
    """

    log = Logger()
    factory: ChatFactory
    out: Outgoing

    def __init__(self, factory: ChatFactory) -> None:
        self.factory = factory
        self.house: House = factory.house
        self.name = ""
        self.room: Room | None = None
        self._encode = factory.encoder.encode
        self._deliveries = factory.figures.deliveries
        self._opening: bytes | None = b""  # The first bytes, until the greeting.
        self._telnet = TelnetFilter()
        self._lines = LineSplitter(factory.line_limit)
        self._backlog: deque[bytes | None] = deque()
        self._bucket = TokenBucket(factory.flood_lines, factory.flood_rate, factory.clock.seconds())
        self._listening = True  # We read from the transport.
        self._input_ended = False
        self._leaving = False
        self._last_words = b""
        # The one thing they wait for: to be greeted, to speak, or, when lost, to be let in.
        self._timer: IDelayedCall | None = None

    # Twisted calls these.

    def connectionMade(self) -> None:
        """Wait a moment before greeting: a browser or a TLS client speaks first."""
        factory = self.factory
        self._transport = cast(Transport, self.transport)
        self.peer = peer_name(self._transport.getPeer())
        sent = factory.figures.bytes_out
        self.out = Outgoing(
            self._transport, self, factory.budget, factory.clock, factory.wake, sent
        )
        factory.clients.add(self)
        if factory.greet_after:
            self._set_timer(factory.greet_after, self._greet)
        else:
            self._greet()

    def dataReceived(self, data: bytes) -> None:
        """Bytes arrived; the first ones tell who is there."""
        self.factory.figures.bytes_in.value += len(data)
        if self._opening is None:
            self._receive(data)
            return
        self._opening += data
        caller = sniff(self._opening)
        if caller is Caller.PERSON:
            self._greet()
        elif caller is not Caller.UNDECIDED:
            self._turn_away(caller)

    def readConnectionLost(self) -> None:
        """They send no more, but may still read: answer everything, then close.

        Who came and went without a word was a probe, and nobody hears of it.
        """
        if self._opening:
            self._greet()
        if self._opening is None:
            self._end_input()
        else:
            self._hang_up_with(b"")

    def writeConnectionLost(self) -> None:
        """Only we could close our own half, and we never do."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """They are gone; what they sent before is still said, as far as flood control lets it."""
        self.out.lost()
        self._set_timer()
        self.factory.clients.discard(self)
        if self._opening is None:
            self._end_input()
            if not self._leaving:
                # They wait for the history to let them in; not for ever.
                self._set_timer(self.factory.stuck_after, self._leave)

    # The house calls these.

    def deliver(self, event: Event) -> None:
        """Something happened that they should see: it is written at the end of the turn."""
        self._deliveries.value += 1
        self.out.send(self._encode(event))

    def departed(self) -> None:
        """They left, and everything before that has been delivered."""
        if self._last_words:
            self.out.send(self._last_words)
        self.out.hang_up()

    @property
    def congested(self) -> bool:
        """Whether they do not keep up with reading."""
        return self.out.congested

    # Commands call this.

    def quit(self) -> None:
        """They want to go."""
        self._leave()

    # The outgoing side calls these.

    def flushed(self) -> None:
        """They read what they were sent, and may speak."""
        self._speak()

    def crowded(self) -> None:
        """They do not read what they are sent, and are not listened to."""
        self._listen_or_not()

    def dropped(self, reason: str) -> None:
        """They did not read for too long, or too much; the connection is aborted."""
        self.factory.figures.drops(reason.replace(" ", "_")).value += 1
        self._leave(reason)

    # The factory calls this.

    def dismiss(self, words: bytes) -> None:
        """The service is stopping: finish what was begun, say these words, hang up."""
        if self._opening is not None:
            self._hang_up_with(words)
            return
        if self._backlog:
            unsaid = Refused(f"{len(self._backlog)} of your lines were not said.")
            words = self._encode(unsaid) + words
        self._last_words = words
        self._leave("the server is stopping", quietly=True)

    # Coming in.

    def _greet(self) -> None:
        """Say welcome, and let them in."""
        opening, self._opening = self._opening or b"", None
        self._set_timer()
        self.out.send(self.factory.welcome())
        self.house.admit(self, self.factory.address_of(self._transport.getPeer()))
        self.log.info("{name} joined from {peer}", name=self.name, peer=self.peer)
        self._receive(opening)

    def _turn_away(self, caller: Caller) -> None:
        """Tell a TLS client or a browser, in its own protocol, that this is a chat."""
        self.log.info("turned {caller} away from {peer}", caller=caller.value, peer=self.peer)
        self.factory.figures.drops(caller.value).value += 1
        self._hang_up_with(ANSWERS[caller])

    def _hang_up_with(self, words: bytes) -> None:
        """Close a connection that nobody has heard of."""
        self._opening = None
        self._leaving = True
        self._set_timer()
        self.out.send(words)
        self.out.hang_up()

    # Their turn to speak.

    def _receive(self, data: bytes) -> None:
        if self._leaving:
            return
        text, replies = self._telnet.feed(data)
        if replies:
            self.out.send(replies)
        lines = self._lines.feed(text)
        self.factory.figures.lines.value += len(lines)
        # Blank lines would wait, and meanwhile nobody would notice that their sender has gone.
        self._backlog.extend(line for line in lines if line is None or not is_blank(line))
        if self._telnet.ended:
            self._end_input()
        else:
            self._speak()

    def _end_input(self) -> None:
        """No more will come; a last line without its line end counts."""
        self._input_ended = True
        if not self._leaving:
            self._backlog.extend(self._lines.finish())
            self._speak()

    def _speak(self) -> None:
        """Obey the lines that wait: while they have room for what they hear, and not too fast."""
        while self._backlog and self.room is not None and not self.out.congested:
            wait = self._bucket.take(self.factory.clock.seconds())
            if not wait:
                self._obey(self._backlog.popleft())
            elif self.out.gone:
                self._forget_backlog()
            else:
                self._set_timer(wait, self._speak)
                break
        if self._input_ended and not self._backlog and self.room is not None:
            self._leave()
        self._listen_or_not()

    def _obey(self, line: bytes | None) -> None:
        try:
            if line is None:
                limit = self.factory.line_limit
                raise PeerError(f"That line is too long; {limit} bytes is the most.")
            else:
                obey(self, decode(line))
        except PeerError as refusal:
            self.deliver(Refused(str(refusal)))
        except Exception:
            self.log.failure("a line from {peer} met a bug", peer=self.peer)
            self.factory.figures.drops("bug").value += 1
            self.deliver(Refused("Something went wrong here; it has been written down."))
            self._leave()

    def _forget_backlog(self) -> None:
        lines = len(self._backlog)
        self.log.info("{name} went with {lines} lines unsaid", name=self.name, lines=lines)
        self._backlog.clear()

    def _listen_or_not(self) -> None:
        """Read on only if they read what they are sent and few of their lines wait."""
        listening = not self.out.congested and len(self._backlog) <= self.factory.backlog_limit
        if listening == self._listening or self._input_ended or self._leaving:
            return
        self._listening = listening
        if listening:
            self._transport.resumeProducing()
        else:
            self._transport.pauseProducing()

    # Going.

    def _leave(self, reason: str = "", *, quietly: bool = False) -> None:
        """Leave the house; `departed` comes when everything before that is delivered."""
        if self._leaving:
            return
        self._leaving = True
        self._set_timer()
        self._backlog.clear()
        self.out.expect_end()
        told = reason or "disconnected"
        self.log.info("{name} left ({peer}): {reason}", name=self.name, peer=self.peer, reason=told)
        self.house.leave(self, reason, quietly=quietly)

    def _set_timer(self, seconds: float = 0, act: Callable[[], None] | None = None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = act and self.factory.clock.callLater(seconds, act)


class ChatFactory(Factory[ChatProtocol]):
    """Builds a ChatProtocol for everyone who connects; all of them share one house.

    greet_after     seconds a newcomer may speak first, so that a TLS client or a browser that
                    came to the wrong port is told so in its own protocol; 0 greets at once
    hide_addresses  newcomers are called guest-7 and not by their address
    soft_mark       bytes that wait because a client does not read, above which its own input
                    is held
    hard_mark       the same, above which it is dropped
    stuck_after     seconds without taking what it was sent after which a client is dropped
    flood_lines     lines a client may send at once; then `flood_rate` lines a second, 0 = no limit
    backlog_limit   lines that may wait for their turn before reading pauses; one read of the
                    transport (64 KiB) comes on top of it
    line_limit      bytes of the longest line
    at_end_of_turn  runs a function after the present turn of the reactor; callLater(0) by default

    `motd` and the numbers are attributes that may be changed while it runs, for newcomers.
    """

    noisy = False

    def __init__(
        self,
        house: House,
        clock: IReactorTime,
        *,
        motd: Sequence[str] = (),
        greet_after: float = 0.2,
        hide_addresses: bool = False,
        soft_mark: int = 65536,
        hard_mark: int = 1 << 20,
        stuck_after: float = 30.0,
        flood_lines: int = 10,
        flood_rate: float = 5.0,
        backlog_limit: int = 200,
        line_limit: int = LONGEST,
        at_end_of_turn: Callable[[Callable[[], None]], object] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.house = house
        self.clock = clock
        self.motd = motd
        self.greet_after = greet_after
        self.hide_addresses = hide_addresses
        self.soft_mark = soft_mark
        self.hard_mark = hard_mark
        self.stuck_after = stuck_after
        self.flood_lines = flood_lines
        self.flood_rate = flood_rate
        self.backlog_limit = backlog_limit
        self.line_limit = line_limit
        self.encoder = wire.Encoder()
        self.clients: set[ChatProtocol] = set()
        self.figures = Figures(metrics or Metrics(), house, self._queue_bytes)
        self._at_end_of_turn = at_end_of_turn or (lambda act: clock.callLater(0, act))
        self._awake: list[Outgoing] = []

    # Twisted calls these.

    def startFactory(self) -> None:
        """Read the table of look-alikes now, and not while people wait for their lines."""
        names.looks("")

    def buildProtocol(self, addr: IAddress | None) -> ChatProtocol:
        """A protocol for a new connection."""
        return ChatProtocol(self)

    # The door calls these.

    def refusal(self, reason: PeerError) -> bytes:
        """What somebody reads who cannot be let in."""
        return wire.encode_refusal(reason)

    def farewell(self) -> None:
        """The service is stopping: say goodbye to everyone, and hang up when it is sent."""
        words = wire.encode_lines(wire.FAREWELL)
        for client in list(self.clients):
            client.dismiss(words)

    # Its clients call these.

    @property
    def budget(self) -> Budget:
        """What a newcomer may have waiting."""
        return Budget(self.soft_mark, self.hard_mark, self.stuck_after)

    def welcome(self) -> bytes:
        """The first lines that a newcomer reads; `motd` may be changed at any time."""
        return wire.encode_lines(*wire.WELCOME, *self.motd)

    def address_of(self, peer: IAddress) -> str | None:
        """The address to call a newcomer by, or None when it is hidden or there is none."""
        host = host_of(peer)
        return None if self.hide_addresses or not names.is_address(host) else host

    def wake(self, out: Outgoing) -> None:
        """Flush what goes out to this client at the end of the turn."""
        if not self._awake:
            self._at_end_of_turn(self._flush)
        self._awake.append(out)

    def _flush(self) -> None:
        awake, self._awake = self._awake, []
        for out in awake:
            out.flush()

    def _queue_bytes(self) -> float:
        return sum(client.out.waiting for client in self.clients)
