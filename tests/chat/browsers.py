"""Clients that speak JSON, without what carries it: a channel that remembers what it was given."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock

from proto.chat import jsonwire
from proto.chat.audience import SharedForm
from proto.chat.browser import BrowserMember
from proto.chat.events import Event, Spoken
from proto.chat.factory import ChatFactory
from proto.chat.history import History, MemoryHistory, RefusedCallback, StoredCallback
from tests.chat.doubles import house_of

Message = dict[str, Any]


class Pipe:
    """A `Channel`; what is sent waits in it while it is `stuck`."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.ended: list[tuple[int, str]] = []
        self.reads = True
        self.switched = 0
        self.stuck = False
        self._waiting = 0

    @property
    def waiting(self) -> int:
        return self._waiting

    def send_text(self, text: bytes) -> None:
        self.send_frames(text + b"\n")

    def send_frames(self, frames: bytes) -> None:
        if not self.ended:
            self.sent += map(json.loads, frames.split(b"\n")[:-1])
            self._waiting += len(frames) if self.stuck else 0

    def pause_reading(self) -> None:
        assert self.reads, "paused twice"
        self.reads = False
        self.switched += 1

    def resume_reading(self) -> None:
        assert not self.reads, "resumed twice"
        self.reads = True
        self.switched += 1

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.ended.append((code, reason))

    def drain(self) -> None:
        """The client takes what waits."""
        self.stuck = False
        self._waiting = 0


class Place:
    """A house with a clock, and what its clients share."""

    def __init__(self, history: History | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.house = house_of(history)
        self.factory = ChatFactory(self.house, self.clock, motd=["Be kind."], **options)
        self.form = SharedForm(_line, self.factory.wake, self.factory.figures.delivered)
        self.history: Any = self.house.history

    def come(self, **hello: Any) -> Browser:
        """Somebody who said hello."""
        client = Browser(self)
        client.say("hello", **hello)
        return client

    def turn(self) -> None:
        """What is due is done, and what that makes due."""
        for _ in range(3):
            self.clock.advance(0)

    def timers(self) -> list[Any]:
        """What is still to come when the turn is over."""
        self.turn()
        return list(self.clock.getDelayedCalls())


class Browser:
    """A client and its member."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.pipe = Pipe()
        self.gone = 0
        self.member = BrowserMember(
            place.factory,
            place.form,
            place.factory.figures.delivered,
            None,
            "192.0.2.1",
            self._count,
        )
        self.member.opened(self.pipe)

    def _count(self) -> None:
        self.gone += 1

    def say(self, type: str, **fields: Any) -> None:
        self.member.text(json.dumps({"type": type, **fields}))

    def line(self, text: str, **fields: Any) -> None:
        self.say("line", text=text, **fields)

    def news(self) -> list[Message]:
        """What came since they were last asked."""
        self.place.turn()
        sent, self.pipe.sent = self.pipe.sent, []
        return sent

    def heard(self) -> list[str]:
        """The lines among it."""
        return [each["text"] for each in self.news() if each["type"] == "line"]

    def leave(self, code: int = 1006, reason: str = "") -> None:
        """The connection is gone."""
        self.member.closed(code, reason)


def _line(event: Event) -> bytes:
    return jsonwire.encode(event) + b"\n"


class Buggy(MemoryHistory):
    """A history that raises what nobody expects."""

    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        raise RuntimeError("a bug")
