"""Somebody in the chat whose client speaks JSON in whole messages: a browser, or a program.

Knows the house and `jsonwire`, and of the connection only that it takes messages (`Channel`): what
carries them, a WebSocket, is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from proto.chat import jsonwire, talk
from proto.chat.audience import SharedAudience, SharedForm
from proto.chat.commands import obey
from proto.chat.events import Entered, Event, Recalled, Refused, TakenOver
from proto.chat.house import LOBBY, House, Return
from proto.chat.jsonwire import Hello, Line, LookBack, Search, Tell, WhichRooms, Who
from proto.chat.names import fold
from proto.chat.person import Person
from proto.chat.room import Room
from proto.chat.text import clean
from proto.chat.turns import Turns
from proto.errors import PeerError
from proto.limits import TokenBucket

HELLO_SECONDS: Final = 10.0
"""A client has so long for its first message."""

# Close codes: RFC 6455, section 7.4; from 4000 on they are ours.
BYE: Final = 1000
GOING: Final = 1001
NOT_TEXT: Final = 1003
POLICY: Final = 1008
BUG: Final = 1011
TAKEN_OVER: Final = 4001
CUT_OFF: Final = 1006
"""No closing handshake: what is told with it is why we cut the connection, if we did."""


class Channel(Protocol):
    """What carries the messages."""

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        ...

    def send_text(self, text: bytes) -> None:
        """Send one message."""
        ...

    def send_frames(self, frames: bytes) -> None:
        """Send messages that are encoded already, and shared with others."""
        ...

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End it after what was sent."""
        ...


class Rules(Protocol):
    """What clients may do, and what they share: the chat's factory has it."""

    house: House
    clock: IReactorTime
    motd: Sequence[str]
    line_limit: int
    backlog_limit: int
    soft_mark: int
    stuck_after: float

    def bucket(self) -> TokenBucket:
        """How fast a newcomer may speak."""
        ...


class BrowserMember:
    """One client, and the `Member` of the house that they are.

    They are waited for (`hello`), then looked up if they come back, then present, then leaving.
    """

    log = Logger()

    def __init__(
        self,
        rules: Rules,
        form: SharedForm,
        count: Callable[[int], None],
        address: str | None,
        host: str | None,
        gone: Callable[[], None],
    ) -> None:
        """`form` is shared by all; `count` is told how many clients something is sent to.

        `address` and `host` are as in `Person`; `gone` is called when the connection is.
        """
        self.house = rules.house
        self.name = ""
        self.person = Person(address, host)
        self.room: Room | None = None
        self.audience: SharedAudience | None = None
        self.form = form
        self.seen = 0
        self._rules = rules
        self._count = count
        self._gone = gone
        self._channel: Channel | None = None
        self._greeted = False
        self._leaving = False
        self._farewell = (BYE, "")
        self._last_words = ""
        self._before_welcome: list[Event] | None = None
        self._listening = True
        self._turns: Turns[bytes] = Turns(
            rules.clock,
            rules.bucket(),
            rules.backlog_limit,
            self._act,
            self._may_speak,
            self._speak,
            lambda message: False,
        )
        self._deadline: IDelayedCall | None = None

    # The channel calls these.

    def opened(self, channel: Channel) -> None:
        """The connection is there; the client speaks first."""
        self._channel = channel
        self._set_deadline(HELLO_SECONDS, partial(self._end, POLICY, "nothing was said"))

    def text(self, message: str) -> None:
        """A message came."""
        if self._leaving:
            return
        self._turns.add((message.encode("utf-8", "replace"),))
        self._speak()

    def binary(self, message: bytes) -> None:
        """A message came that is not text."""
        self._end(NOT_TEXT, "messages are text")

    def writable(self) -> None:
        """The client has taken what waited."""
        self._speak()

    def dismissed(self) -> None:
        """The server hangs up; of what was not said yet they are told."""
        if self._turns and self.name and not self._leaving:
            self.deliver(Refused(f"{len(self._turns)} of your lines were not said."))
        self._farewell = (GOING, "the server hangs up")
        if self.name:
            self._leave()
        else:
            self._end(*self._farewell)

    def closed(self, code: int, reason: str) -> None:
        """The connection is gone; what they said before is still said, if not too fast."""
        self._channel = None
        self._gone()
        # Other reasons are the client's own words, and would be read by people as ours.
        self._last_words = reason if code == CUT_OFF else ""
        if not self._leaving:
            self._set_deadline()
            self._speak()

    # The house calls these.

    def deliver(self, event: Event) -> None:
        """Something for them alone."""
        if self._before_welcome is not None:
            self._before_welcome.append(event)
            return
        if self.audience is not None:
            self.audience.settle(self)
        mark = self.person.mark
        match event:
            case Entered():
                # What they read for certain they tell themselves when they come back.
                self.seen = event.newest
                mark = None  # mostly it comes late, when that is forgotten
                if not self._leaving:
                    self._set_deadline(0, self._speak)  # not now: the room is in the middle of it
            case TakenOver():
                # The house sees them out; their name is somebody else's then.
                self._farewell = (TAKEN_OVER, "")
                self._be_leaving()
            case Recalled() | Refused(_, int() | str()):
                mark = None  # it has its own
        self._send(jsonwire.encode(event, mark))

    def departed(self) -> None:
        """They left, and everything before that has been delivered."""
        if self._channel is not None:
            self._channel.close(*self._farewell)

    @property
    def congested(self) -> bool:
        """Whether they do not keep up with reading."""
        return self._channel is not None and self._channel.waiting > self._rules.soft_mark

    # Their audience calls this.

    def take(self, data: bytes, newest: int) -> None:
        """What they and others are sent, at the end of the turn."""
        if self._channel is not None:
            self._channel.send_frames(data)
            if not self._channel.waiting:
                self.seen = max(self.seen, newest)  # Their audience may be younger than its room.

    def step_out(self) -> None:
        """They are given everything by themselves."""

    # Commands call these.

    def quit(self) -> None:
        """They want to go."""
        self._leave()

    def paste(self) -> None:
        """Their messages may have several lines as they are."""
        raise PeerError("Here a message may have several lines; no /PASTE is needed.")

    def read_as(self, *, times: bool | None = None, colors: bool | None = None) -> None:
        """How it looks is the client's own business."""
        raise PeerError("Times and colours are for terminals; your client shows them as it likes.")

    # Coming in.

    def _greet(self, hello: Hello) -> None:
        self._greeted = True
        self._set_deadline()
        if hello.token:
            self.house.come_back(
                hello.token,
                None,
                partial(self._come_back, hello),
                partial(self._come, hello, None),
                by=self,
                wanted=lambda: not self._leaving,
            )
        else:
            self._come(hello, None, None)

    def _come_back(self, hello: Hello, back: Return) -> None:
        """The number they saw last counts in the room that they saw it in."""
        session = back.session
        if hello.after is not None and fold(hello.room or session.room) == fold(session.room):
            back = Return(back.token, session, hello.after)
        self._come(hello, back, None)

    def _come(self, hello: Hello, back: Return | None, refusal: PeerError | None) -> None:
        if self._leaving:
            return
        house, person = self.house, self.person
        if refusal is not None:
            self._send(jsonwire.encode_error(str(refusal), "token", hello.id))
        # A history that answers at once lets them in at once, but the welcome comes first.
        early: list[Event] = []
        self._before_welcome = early
        house.admit(
            self,
            person.address,
            host=person.host,
            back=back,
            wish=hello.name,
            room=hello.room or LOBBY,
        )
        token = house.sessions.token_of(self)
        welcome = jsonwire.encode_welcome(self.name, token, list(self._rules.motd), hello.id)
        self._send(welcome)
        self._before_welcome = None
        for event in early:
            self.deliver(event)
        self.log.info("{name} joined from {peer}", name=self.name, peer=person.host)

    # Their turn to speak.

    def _may_speak(self) -> bool:
        if self._leaving:
            return False
        return not self._greeted or (self.room is not None and not self.congested)

    def _speak(self) -> None:
        self._turns.go_on()
        channel = self._channel
        if channel is None:
            self._leave_when_all_is_said()
            return
        listening = not self.congested and not self._turns.crowded
        if listening != self._listening:
            self._listening = listening
            if listening:
                channel.resume_reading()
            else:
                channel.pause_reading()

    def _act(self, message: bytes) -> None:
        try:
            self._obey(jsonwire.decode(message))
        except jsonwire.WrongShape as wrong:
            self._send(jsonwire.encode_error(str(wrong), wrong.field, wrong.mark))
        except PeerError as refusal:
            self.deliver(Refused(str(refusal)))
        except Exception:
            self.log.failure("a message from {peer} met a bug", peer=self.person.host)
            self._end(BUG, "something went wrong here; it has been written down")
        finally:
            self.person.mark = None

    def _obey(self, request: jsonwire.Request) -> None:
        self.person.mark = request.id
        if isinstance(request, Hello):
            if self._greeted:
                raise PeerError("You have said hello already.")
            self._greet(request)
            return
        if not self._greeted:
            raise jsonwire.WrongShape("Say hello first.", "type", request.id)
        match request:
            case Line(text):
                self._type(text)
            case Tell(to, text):
                text = talk.cleaned(text, self._rules.line_limit)
                talk.tell(self.house, self, clean(to), text)
                self._turns.charge(talk.extra_turns(text))
            case LookBack(mark, before, after, count):
                talk.recall(self.house, self, count=count, before=before, after=after, mark=mark)
            case Search(words, mark, before, count):
                talk.recall(
                    self.house, self, count=count, before=before, words=clean(words), mark=mark
                )
            case Who():
                self.deliver(talk.people_in(self.house, self))
            case WhichRooms():
                self.deliver(talk.open_rooms(self.house))

    def _type(self, text: str) -> None:
        """Several lines are never a command."""
        text = talk.cleaned(text, self._rules.line_limit).rstrip()
        if "\n" in text:
            talk.say(self, text)
            self._turns.charge(talk.extra_turns(text))
        elif text:
            obey(self, text)
        else:
            raise talk.NothingSeen("Nothing of that line can be seen.")

    # Going.

    def _leave(self, reason: str = "") -> None:
        if self._leaving:
            return
        self._be_leaving()
        if self.name:
            self.log.info("{name} left: {reason}", name=self.name, reason=reason or "disconnected")
            self.house.leave(self, reason)

    def _leave_when_all_is_said(self) -> None:
        """The connection is gone; but the history may have to let them in first, in time."""
        if self._turns and self._greeted and self.room is None:
            self._set_deadline(self._rules.stuck_after, partial(self._leave, self._last_words))
        else:
            self._leave(self._last_words)

    def _be_leaving(self) -> None:
        self._leaving = True
        self._set_deadline()
        self._turns.clear()

    def _end(self, code: int, reason: str) -> None:
        """Close the connection, and be out."""
        if self._channel is not None:
            self._channel.close(code, reason)
        self._leave()

    def _send(self, text: bytes) -> None:
        if self._channel is not None:
            self._count(1)
            self._channel.send_text(text)

    def _set_deadline(self, seconds: float = 0, act: Callable[[], None] | None = None) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = act and self._rules.clock.callLater(seconds, act)
