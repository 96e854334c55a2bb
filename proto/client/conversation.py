"""The client's connection: takes the steps in time, shows what comes back, and knows the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, INegotiated, IReactorTime, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from proto.client.script import End, Script


class ConversationBroken(Exception):
    """The conversation did not take place as told; the text is one line."""


class Conversation(Protocol):
    """One connection of the client.

    `over` fires when there is nothing more to do or to show, and fails with ConversationBroken if
    the other side ended it before everything was sent, or if the output cannot be written.
    """

    def __init__(
        self, script: Script, show: Callable[[bytes], object], clock: IReactorTime
    ) -> None:
        self.over: Deferred[None] = Deferred()
        self._steps = list(script.steps)
        self._wait = script.wait
        self._show = show
        self._clock = clock
        self._timer: IDelayedCall | None = None

    # Twisted calls these.
    def connectionMade(self) -> None:
        self._go_on()

    def dataReceived(self, data: bytes) -> None:
        try:
            self._show(data)
        except OSError as problem:
            self._end(ConversationBroken(f"the output cannot be written: {problem.strerror}"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        unsent = sum(isinstance(step.action, bytes) for step in self._steps)
        if unsent:
            self._end(ConversationBroken(f"the server hung up with {unsent} still to send"))
        elif reason.check(ConnectionDone) is None:
            self._end(ConversationBroken(reason.getErrorMessage()))
        else:
            self._end()

    def _go_on(self) -> None:
        """Arrange for the next step, or take it if it is due."""
        while self._steps and not self._steps[0].after:
            self._take(self._steps.pop(0).action)
        if self._steps:
            self._timer = self._clock.callLater(self._steps[0].after, self._step_is_due)

    def _step_is_due(self) -> None:
        self._take(self._steps.pop(0).action)
        self._go_on()

    def _take(self, action: bytes | End) -> None:
        transport = cast(ITCPTransport, self.transport)
        if isinstance(action, bytes):
            return transport.write(action)
        self._timer = self._clock.callLater(self._wait, self._end)
        if action is End.HANG_UP:
            transport.loseConnection()
        elif action is End.FINISH_SENDING and not INegotiated.providedBy(transport):
            # Not under TLS: closing half of the TCP connection beneath it would end it all.
            transport.loseWriteConnection()
        return None

    def _end(self, problem: ConversationBroken | None = None) -> None:
        """Say once that it is over; the process that hears it closes what is still open."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._steps.clear()
        if self.over.called:
            return
        assert self.transport is not None
        self.transport.loseConnection()
        if problem is None:
            self.over.callback(None)
        else:
            self.over.errback(problem)
