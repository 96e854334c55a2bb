"""What all workers together have counted, and whether they are ready: asked for when it is read.

Nothing is told at fixed times: figures of different ages would go up and down with the worker that
happens to answer, and Prometheus would take that for restarts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from proto.metrics import CONTENT_TYPE, Metrics
from proto.tap.control import Message
from proto.tap.summing import outlasting, summed
from proto.web.handlers import Handlers
from proto.web.request import WebRequest
from proto.web.response import JSON, Response

PATIENCE: Final = 2.0
"""Seconds to wait for the figures of a worker; then those that it told last count."""


class Teller(Protocol):
    """Where one can say something to a worker."""

    def say(self, message: Message) -> None: ...


@dataclass(eq=False, slots=True)
class Member:
    """A worker as the pool knows it."""

    number: int
    line: Teller | None = None
    is_ready: bool = False
    owes: bool = False
    """It was asked, and has not answered yet."""
    metrics: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """The figures of all, and which services take new peers."""

    metrics: str
    services: Mapping[str, bool]


@dataclass(eq=False)
class Pool:
    """The workers' figures, at their master's."""

    count: int
    clock: IReactorTime
    metrics: Metrics
    ready: Callable[[], Mapping[str, bool]]
    """The master's own services."""
    members: set[Member] = field(default_factory=set)
    _gone: str = ""
    """What workers that are gone have counted."""
    _waiting: list[Deferred[Overview]] = field(default_factory=list)
    _deadline: IDelayedCall | None = None

    # The master calls these.
    def add(self, member: Member) -> None:
        """A worker begins."""
        self.members.add(member)

    def hear(self, member: Member, message: Message) -> None:
        """A worker has said something."""
        match message.kind:
            case "ready":
                member.is_ready = True
            case "told":
                member.owes = False
                member.metrics = message.metrics or member.metrics
                member.is_ready = all(message.services.values())
                self._look()
            case "ask":
                self.ask().addCallback(_answer, member)

    def remove(self, member: Member) -> None:
        """A worker is gone, and has said all that it ever will."""
        self.members.discard(member)
        member.line = None
        self._gone = outlasting([self._gone, member.metrics])
        self._look()

    # Whoever shows the figures calls this.
    def ask(self) -> Deferred[Overview]:
        """The figures as they are now; whoever asks meanwhile gets the same."""
        overview: Deferred[Overview] = Deferred()
        self._waiting.append(overview)
        if self._deadline is None:
            self._deadline = self.clock.callLater(PATIENCE, self._finish)
            for member in self.members:
                # One that still owes an answer is stuck, and not asked a second time.
                if member.line is not None and not member.owes:
                    member.owes = True
                    member.line.say(Message("tell"))
            self._look()
        return overview

    def _look(self) -> None:
        if self._deadline is not None and not any(member.owes for member in self.members):
            self._deadline.cancel()
            self._finish()

    def _finish(self) -> None:
        self._deadline = None
        texts = [self.metrics.render().decode(), self._gone]
        texts += [member.metrics for member in sorted(self.members, key=lambda one: one.number)]
        # One that owes an answer by now is stuck, whatever it said before.
        ready = {one.number for one in self.members if one.is_ready and not one.owes}
        services = {f"worker {number}": number in ready for number in range(1, self.count + 1)}
        overview = Overview(summed(texts), {**self.ready(), **services})
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(overview)


def _answer(overview: Overview, member: Member) -> None:
    if member.line is not None:
        member.line.say(Message("answer", overview.metrics, dict(overview.services)))


def show(ask: Callable[[], Awaitable[Overview]], handlers: Handlers) -> None:
    """Register /metrics and /health of all workers; /health/live is each one's own."""

    async def metrics(request: WebRequest) -> Response:
        overview = await ask()
        return _fresh(200, overview.metrics.encode(), CONTENT_TYPE)

    async def health(request: WebRequest) -> Response:
        services = dict((await ask()).services)
        is_ready = all(services.values())
        told = {"live": True, "ready": is_ready, "services": services}
        return _fresh(200 if is_ready else 503, msgspec.json.encode(told), JSON)

    handlers.register("/metrics", metrics)
    handlers.register("/health", health)
    handlers.register("/health/ready", health)


def _fresh(status: int, body: bytes, content_type: str) -> Response:
    return Response(status, body, content_type, [("Cache-Control", "no-store")])
