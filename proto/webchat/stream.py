"""A room's lines as server-sent events: who listens there is not present in the room.

The id of an event is the line's sequence number, so a browser that lost its connection comes back
by itself with the last one it read (`Last-Event-ID`), and misses nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.chat import jsonwire
from proto.chat.audience import SharedAudience, SharedForm
from proto.chat.events import Entered, Event, Stored
from proto.chat.factory import ChatFactory
from proto.chat.person import Person
from proto.chat.room import Room
from proto.errors import PeerError
from proto.web.events import EventStream, event_text
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.webchat.parameters import after_of, room_name


class Rooms(Resource):
    """`rooms`: below it, each room's `events`."""

    def __init__(self, factory: ChatFactory, admit: Callable[[WebRequest], Callable[[], None]]):
        """`admit` counts a peer, and returns what to call when it is gone; raises HTTPError."""
        super().__init__()
        self._factory = factory
        self._admit = admit
        self._form = SharedForm(_event, factory.wake, factory.figures.delivered)

    # Twisted calls this.
    def getChild(self, path: bytes, request: WebRequest) -> Resource:
        if request.postpath != [b"events"]:
            raise HTTPError(404)
        return _Events(self._factory, self._form, self._admit, path.decode("utf-8", "replace"))


class _Events(Resource):
    isLeaf = True

    def __init__(
        self,
        factory: ChatFactory,
        form: SharedForm,
        admit: Callable[[WebRequest], Callable[[], None]],
        name: str,
    ) -> None:
        super().__init__()
        self._factory = factory
        self._form = form
        self._admit = admit
        self._name = name

    # Twisted calls this.
    def render_GET(self, request: WebRequest) -> int:
        factory = self._factory
        after = after_of(request)
        name = room_name(self._name)
        release = self._admit(request)
        room: Room | None = None
        try:
            room = factory.house.room(name)
            member = StreamMember(room, self._form, release)
            stream = EventStream(
                request,
                factory.clock,
                member.closed,
                max_queue=factory.hard_mark,
                stuck_after=factory.stuck_after,
            )
        except PeerError as refusal:
            release()
            if room is not None:
                room.advance()  # it may have been opened for nobody
            if isinstance(refusal, HTTPError):
                raise
            raise HTTPError(503, str(refusal), [("Retry-After", "5")]) from None
        member.begin(stream, after)
        return NOT_DONE_YET


class StreamMember:
    """One who listens to a room, unseen."""

    log = Logger()
    stream: EventStream

    def __init__(self, door: Room, form: SharedForm, release: Callable[[], None]) -> None:
        """`door` is the room they want into; `release` is called when they are gone."""
        self.name = ""
        self.person = Person()
        self.room: Room | None = None
        self.audience: SharedAudience | None = None
        self.form = form
        self.seen = 0
        self._door = door
        self._release = release
        self._has_gone = False

    def begin(self, stream: EventStream, after: int | None) -> None:
        """Listen, from the line after that one on, or to what is said from now on."""
        self.stream = stream
        self._door.enter(self, self._entered, after=after, quietly=True)

    def _entered(self) -> None:
        self.room = self._door

    def closed(self) -> None:
        """The stream has ended."""
        self._has_gone = True
        self._release()
        if self.room is not None:
            self.room.exit(self, None, self.departed)
        else:
            self._door.cancel_entry(self)

    # The room calls these.

    @property
    def congested(self) -> bool:
        """Nobody writes to them."""
        return True

    def deliver(self, event: Event) -> None:
        """They are let in: they read what they missed, if they said what they have read."""
        if not isinstance(event, Entered) or self._has_gone:
            return
        if not event.resumed:
            told = msgspec.json.encode({"room": event.room, "newest": event.newest}).decode()
            self.stream.send(told, id=str(event.newest), event="entered")
            return
        for line in event.lines:
            self.stream.send_encoded(_event(line))
        if event.more:
            # They come back for the rest by themselves: it is bounded how much waits here.
            self.stream.end()

    def departed(self) -> None:
        """They are out."""
        self.room = None

    # Their audience calls this.

    def take(self, data: bytes, newest: int) -> None:
        """What all streams of the room are sent, at the end of the turn."""
        if not self._has_gone:
            self.stream.send_encoded(data)

    def step_out(self) -> None:
        """They are given everything by themselves."""


def _event(event: Event) -> bytes:
    if not isinstance(event, Stored):
        return b""
    data = msgspec.json.encode(jsonwire.line(event)).decode()
    return event_text(data, id=str(event.sequence), event="line").encode()
