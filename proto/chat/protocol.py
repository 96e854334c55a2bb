"""The chat for telnet and netcat: a ChatProtocol for each person.

Read it from the top: somebody connects, is greeted, sends lines, hears what the room says, and
goes.  Everything hard is elsewhere: `house` and `room` know who hears what, `telnet` and `lines`
make lines of bytes, `turns` says when it is their turn, `commands` obeys them, `wire` puts events
into words, `outgoing` sends them to people who may not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.addresses import host_of, peer_name
from proto.chat import talk
from proto.chat.audience import SharedAudience
from proto.chat.commands import obey
from proto.chat.events import Entered, Event, Refused
from proto.chat.house import House
from proto.chat.lines import LineSplitter
from proto.chat.outgoing import Outgoing, Transport
from proto.chat.paste import Paste
from proto.chat.person import Person
from proto.chat.room import Room
from proto.chat.sniff import ANSWERS, Caller, sniff
from proto.chat.telnet import TelnetFilter
from proto.chat.text import decode, is_blank
from proto.chat.turns import Turns
from proto.chat.unread import read_little
from proto.errors import PeerError

if TYPE_CHECKING:
    from proto.chat.factory import ChatFactory

NOBODY: Final = Person()
"""Who somebody is before they are let in."""


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
        self.person = NOBODY
        self.room: Room | None = None
        self.audience: SharedAudience | None = None
        self.form = factory.form()
        self._opening: bytes | None = b""  # The first bytes, until the greeting.
        self._telnet = TelnetFilter()
        self._lines = LineSplitter(factory.line_limit)
        self._paste: Paste | None = None
        self._turns: Turns[bytes | None] = Turns(
            factory.clock,
            factory.bucket(),
            factory.backlog_limit,
            self._obey,
            self._may_speak,
            self._speak,
            self._is_free,
        )
        self._seen = 0  # What `seen` was when it was last asked.
        self._is_lost = False
        self._listening = True  # We read from the transport.
        self._input_ended = False
        self._leaving = False
        self._last_words = b""
        # The one thing they wait for: to be greeted or, when lost, to be let in.
        self._timer: IDelayedCall | None = None

    # Twisted calls these.

    def connectionMade(self) -> None:
        """Wait a moment before greeting: a browser or a TLS client speaks first."""
        factory = self.factory
        self._transport = cast(Transport, self.transport)
        read_little(self._transport)
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
        if reason.check(ConnectionDone) and not self._is_lost:
            self._seen = self.out.seen  # Their system has read it all before it said goodbye.
        self._is_lost = True
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
        """Something for them alone: it is written at the end of the turn."""
        if self.audience is not None:
            self.audience.settle(self)
        if isinstance(event, Entered):
            first = event.lines[0].sequence if event.lines else event.newest + 1
            self.out.begin(first - 1, event.newest)
        self.factory.figures.deliveries.value += 1
        self.out.send(self.form.encode(event))

    def departed(self) -> None:
        """They left, and everything before that has been delivered."""
        self._leaving = True  # Who was taken over did not leave by themselves.
        self._set_timer()
        if self._last_words:
            self.out.send(self._last_words)
        self.out.hang_up()

    @property
    def congested(self) -> bool:
        """Whether they do not keep up with reading."""
        return self.out.congested

    @property
    def seen(self) -> int:
        """The number of the last line that their system has acknowledged, or one before."""
        if not self._is_lost:
            seen, unread = self.out.seen, self.out.unread
            if unread:
                before = self.audience.before(unread) if self.audience is not None else 0
                seen = min(seen, max(before, self.out.begun))
            self._seen = seen
        return self._seen

    # Their audience calls this.

    def take(self, data: bytes, newest: int) -> None:
        """What they and others are sent, at the end of the turn."""
        self.out.take(data, newest)

    def step_out(self) -> None:
        """What they are sent is theirs alone from now on."""
        self.out.step_out()

    # Commands call these.

    def quit(self) -> None:
        """They want to go."""
        self._leave()

    def paste(self) -> None:
        """The lines up to a lone dot are to be said as one."""
        self._paste = Paste()

    def read_as(self, *, times: bool | None = None, colors: bool | None = None) -> None:
        """They want times, or colours, or not, in what they read."""
        self.form = self.factory.form(self.form, times=times, colors=colors)
        if self.room is not None:
            self.room.reform(self)

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
        self._seen = self.seen
        self._is_lost = True
        self._leave(reason)

    # The factory calls this.

    def dismiss(self, words: bytes) -> None:
        """The service is stopping: finish what was begun, say these words, hang up."""
        if self._opening is not None:
            self._hang_up_with(words)
            return
        if self._turns:
            unsaid = Refused(f"{len(self._turns)} of your lines were not said.")
            words = self.form.encode(unsaid) + words
        self._last_words = words
        self._leave("the server is stopping", quietly=True)

    # Coming in.

    def _greet(self) -> None:
        """Say welcome, and let them in."""
        opening, self._opening = self._opening or b"", None
        self._set_timer()
        self.out.send(self.factory.welcome())
        peer = self._transport.getPeer()
        self.house.admit(self, self.factory.address_of(peer), host=host_of(peer))
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
        self._turns.add(lines)
        if self._telnet.ended:
            self._end_input()
        else:
            self._speak()

    def _end_input(self) -> None:
        """No more will come; a last line without its line end counts."""
        self._input_ended = True
        if not self._leaving:
            self._turns.add(self._lines.finish())
            self._speak()

    def _may_speak(self) -> bool:
        """While they have room for what they hear."""
        return self.room is not None and not self.out.congested

    def _is_free(self, line: bytes | None) -> bool:
        """The lines of a paste cost nothing one by one.

        Nor do blank ones: many would wait, and meanwhile nobody would notice that their sender has
        gone.
        """
        return self._paste is not None or (line is not None and is_blank(line))

    def _speak(self) -> None:
        """Let the lines that wait have their turn."""
        self._turns.go_on()
        if self.out.gone and self._turns.delayed:
            self._forget_lines()
        answered = not self._turns and not self.person.asking
        if self._input_ended and answered and self.room is not None:
            self._say_paste()
            self._leave()
        self._listen_or_not()

    def _obey(self, line: bytes | None) -> None:
        try:
            if line is None:
                limit = self.factory.line_limit
                raise PeerError(f"That line is too long; {limit} bytes is the most.")
            if self._paste is None:
                if not is_blank(line):
                    obey(self, decode(line))
            elif self._paste.add(decode(line)):
                self._say_paste()
        except PeerError as refusal:
            self.deliver(Refused(str(refusal)))
        except Exception:
            self.log.failure("a line from {peer} met a bug", peer=self.peer)
            self.factory.figures.drops("bug").value += 1
            self.deliver(Refused("Something went wrong here; it has been written down."))
            self._leave()

    def _say_paste(self) -> None:
        """The dot came, or the end: say what was pasted."""
        paste, self._paste = self._paste, None
        if paste is not None and not paste.is_dropped:
            self._turns.charge(talk.extra_turns(paste.text))
            try:
                talk.say(self, paste.text)
            except PeerError as refusal:
                self.deliver(Refused(str(refusal)))

    def _forget_lines(self) -> None:
        lines = len(self._turns)
        self.log.info("{name} went with {lines} lines unsaid", name=self.name, lines=lines)
        self._turns.clear()

    def _listen_or_not(self) -> None:
        """Read on only if they read what they are sent and few of their lines wait."""
        listening = not self.out.congested and not self._turns.crowded
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
        self._turns.clear()
        self.out.expect_end()
        told = reason or "disconnected"
        self.log.info("{name} left ({peer}): {reason}", name=self.name, peer=self.peer, reason=told)
        self.house.leave(self, reason, quietly=quietly)

    def _set_timer(self, seconds: float = 0, act: Callable[[], None] | None = None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = act and self.factory.clock.callLater(seconds, act)
