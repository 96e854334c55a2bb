"""Questions that wait for one thread, which answers all that gathered at once.

Knows neither what is asked nor a database.  All but the thread itself belongs to the reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from proto.storage.chatlog import InReactor
from proto.storage.reading import Answer
from proto.tasks.errors import StoreBusy, StoreFailed

CLOSED: Final = "the service is ending"

_C = TypeVar("_C")
_Does = TypeVar("_Does", covariant=True)
_R = TypeVar("_R")
Question: TypeAlias = Callable[[_C], object]
"""What is to be done, with whatever does it; raises PeerError to refuse."""
_Asked: TypeAlias = tuple[Callable[[_C], object], Deferred[Any]]


class Answering(Protocol[_Does]):
    """What a lane's thread does; it may wait for a disk."""

    def answers(self, questions: Sequence[Question[_Does]]) -> tuple[list[object], list[Answer]]:
        """For each question its answer, or the exception it fails with; what to tell the log."""
        ...

    def close(self) -> None:
        """Give back what is held; raises nothing."""
        ...


class Lane(Generic[_C]):
    """A bounded queue, and the thread at its end."""

    def __init__(
        self,
        name: str,
        answering: Answering[_C],
        in_reactor: InReactor,
        *,
        most: int,
        at_once: int,
        at_end_of_turn: InReactor | None = None,
    ) -> None:
        """At most `most` questions wait, and about `at_once` are answered together.

        `in_reactor` is reactor.callFromThread; `at_end_of_turn` what the reactor has for that.
        """
        self.waiting = 0
        """Questions that are not answered yet."""
        self._answering = answering
        self._in_reactor = in_reactor
        self._at_end_of_turn = at_end_of_turn or in_reactor
        self._most = most
        self._at_once = at_once
        self._turn: list[_Asked[_C]] = []
        """What was asked in this turn: one by one, each would wake the thread."""
        self._asked: SimpleQueue[list[_Asked[_C]] | None] = SimpleQueue()
        self._ended = False
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def ask(self, question: Callable[[_C], _R]) -> Deferred[_R]:
        """Its answer; fails with StoreBusy where too much waits, StoreFailed after the end."""
        if self._ended:
            return fail(StoreFailed(CLOSED))
        if self.waiting >= self._most:
            return fail(StoreBusy())
        self.waiting += 1
        answer: Deferred[_R] = Deferred()
        self._turn.append((question, answer))
        if len(self._turn) == 1:
            self._at_end_of_turn(self._end_turn)
        return answer

    def end(self) -> None:
        """Answer what waits, and nothing more."""
        if not self._ended:
            self._end_turn()
            self._ended = True
            self._asked.put(None)
            if self._thread.ident is None:
                self.start()

    # Any thread may ask these.
    def join(self, seconds: float) -> bool:
        """Wait for the thread's end; whether it has ended."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    # The reactor calls these.
    def _end_turn(self) -> None:
        turn, self._turn = self._turn, []
        if turn:
            self._asked.put(turn)

    def _deliver(
        self, asked: Sequence[_Asked[_C]], answers: Sequence[object], notes: Sequence[Answer]
    ) -> None:
        self.waiting -= len(asked)
        for note in notes:
            note()
        for (_, deferred), answer in zip(asked, answers, strict=True):
            if isinstance(answer, Exception):
                deferred.errback(Failure(answer))
            else:
                deferred.callback(answer)

    # Everything below runs in the thread.
    def _run(self) -> None:
        running = True
        while running:
            asked, running = self._gathered()
            if asked:
                answers, notes = self._answering.answers([question for question, _ in asked])
                self._in_reactor(partial(self._deliver, asked, answers, notes))
        self._answering.close()

    def _gathered(self) -> tuple[list[_Asked[_C]], bool]:
        """What waits by now, at least something, and whether more may come."""
        asked: list[_Asked[_C]] = []
        turn = self._asked.get()
        while turn is not None:
            asked += turn
            if len(asked) >= self._at_once:
                return asked, True
            try:
                turn = self._asked.get_nowait()
            except Empty:
                return asked, True
        return asked, False
