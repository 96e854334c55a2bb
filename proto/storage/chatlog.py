"""A `History` that outlives the process, in whatever store.  Knows no sockets and no database.

One thread writes.  What is asked in one turn of the reactor is queued at the turn's end; the thread
takes everything that is queued, commits it as one transaction, and hands all the answers to the
reactor at once while the next batch gathers.  The reactor never waits for a disk.
Another thread reads what people look up, so that a long search delays no line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Final, TypeAlias, TypeVar

from twisted.logger import Logger

from proto.chat.events import Spoken
from proto.chat.history import (
    LinesCallback,
    RecentCallback,
    RefusedCallback,
    Session,
    SessionCallback,
    Span,
    StoredCallback,
)
from proto.errors import PeerError
from proto.storage.certain import Certain
from proto.storage.pruning import Keep
from proto.storage.reading import Answer, Read, Reads
from proto.storage.store import Store, storable
from proto.storage.troubles import Troubles
from proto.storage.words import wanted
from proto.storage.writing import (
    Append,
    Batches,
    FindSession,
    KeepSession,
    Look,
    Question,
    refusals,
)

BATCH: Final = 10_000
"""Questions that are answered together at most."""
SESSIONS_WAITING: Final = 10_000
"""Questions of the writing thread above which it is asked for lines and sessions no more."""
READS_WAITING: Final = 1000
"""Questions of the reading thread above which it is asked no more."""
READS: Final = 16
"""Of these, answers that are handed over together: a quick one does not wait for all the others."""
PATIENCE: Final = 10.0
"""Seconds that `close` waits for the store."""
_BUSY: Final = "The log is busy; try again in a moment."
_CLOSED: Final = "The log is closed."

InReactor: TypeAlias = Callable[[Callable[[], None]], object]
_T = TypeVar("_T")


class DurableHistory:
    """A `History` that survives `kill -9` and a restart.

    The queue of lines needs no bound of its own: a room has at most `waiting_limit` in it, and
    there are at most `rooms_limit` rooms.  Whoever asks for lines or sessions is refused when too
    many wait already; a session that is to be kept then is not.
    """

    log = Logger()

    def __init__(
        self,
        store: Store,
        in_reactor: InReactor,
        *,
        keep: Keep | None = None,
        now: Callable[[], float] = time.time,
        patience: float = PATIENCE,
        at_end_of_turn: InReactor | None = None,
    ) -> None:
        """Prepare the store; raises StartError.

        `in_reactor` is reactor.callFromThread.  Neither a thread nor a connection is left behind,
        as twistd may fork before `start`.  `patience` is how many seconds `close` takes at most.
        `at_end_of_turn` is what the reactor has for that, if it has something.
        """
        self._store = store
        self._in_reactor = in_reactor
        self._patience = patience
        self._at_end_of_turn = at_end_of_turn or in_reactor
        certain, troubles = Certain(), Troubles(store.name)
        self._batches = Batches(store, certain, troubles, keep or Keep(), now)
        self._reads = Reads(store, certain, troubles)
        self._turn: list[Question] = []
        """What was asked in this turn: one by one, each would wake the thread."""
        self._asked: SimpleQueue[Question | None] = SimpleQueue()
        self._sought: SimpleQueue[Read | None] = SimpleQueue()
        self._gate = Lock()
        """Held for an instant, so that nothing is queued after the end."""
        self._closed = False
        self._given_up = False
        self._threads: list[Thread] = []
        store.prepare()

    def start(self) -> None:
        """Begin to write and to read; what was asked before then is not lost."""
        for name, run in (("chat log", self._write), ("chat log reader", self._read)):
            thread = Thread(target=run, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Write what is queued, hand over the answers, end the threads.

        It waits for the disk or the database, but not for ever: what is still queued then is
        refused, should the store come back, and stays locked as long as this process lives.
        """
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue_turn()
            self._asked.put(None)
            self._sought.put(None)
        if not self._threads and self._asked.qsize() + self._sought.qsize() > 2:
            self.start()
        end = time.monotonic() + self._patience
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
            self._store.interrupt()  # the lines are written; a search need not be finished
        if any(thread.is_alive() for thread in self._threads):
            self._given_up = True
            self._in_reactor(partial(self._tell_given_up, self._asked.qsize()))
        else:
            self._store.release()

    # The room calls these.
    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Queue the event for the next batch."""
        sender, text = storable(event.sender), storable(event.text)
        if sender is not event.sender or text is not event.text:
            event = replace(event, sender=sender, text=text)
        if not self._ask(Append(storable(room), event, stored, refused)):
            why = PeerError("That was not stored, so nobody saw it: the log is closed.")
            self._in_reactor(partial(refused, why))

    def recent(self, room: str, count: int, then: RecentCallback, refused: RefusedCallback) -> None:
        """Read how the room stands, when all that was asked before is answered."""
        self._ask_within(Look(storable(room), count, then, refused), refused)

    def keep_session(self, session: Session) -> None:
        """Queue it for the next batch."""
        name, room = storable(session.name), storable(session.room)
        self._ask_within(KeepSession(replace(session, name=name, room=room)), _not_kept)

    def find_session(self, digest: bytes, then: SessionCallback, refused: RefusedCallback) -> None:
        """Read it, when all that was asked before is answered."""
        self._ask_within(FindSession(digest, then, refused), refused)

    def read(self, room: str, span: Span, then: LinesCallback, refused: RefusedCallback) -> None:
        """Queue the question for the thread that reads."""
        self._seek(Read(storable(room), span, (), then, refused))

    def search(
        self, room: str, words: str, span: Span, then: LinesCallback, refused: RefusedCallback
    ) -> None:
        """Queue the question for the thread that reads."""
        try:
            self._seek(Read(storable(room), span, wanted(words), then, refused))
        except PeerError as refusal:
            self._in_reactor(partial(refused, refusal))

    def vacated(self, room: str) -> None:
        """Nothing: the lines stay."""

    def _ask(self, question: Question) -> bool:
        with self._gate:
            if self._closed:
                return False
            self._turn.append(question)
            is_first = len(self._turn) == 1
        if is_first:
            self._at_end_of_turn(self._end_turn)
        return True

    def _ask_within(self, question: Question, refused: RefusedCallback) -> None:
        if len(self._turn) + self._asked.qsize() >= SESSIONS_WAITING:
            self._in_reactor(partial(refused, PeerError(_BUSY)))
        elif not self._ask(question):
            self._in_reactor(partial(refused, PeerError(_CLOSED)))

    def _seek(self, question: Read) -> None:
        with self._gate:
            why = _CLOSED if self._closed else _BUSY
            if not self._closed and self._sought.qsize() < READS_WAITING:
                self._sought.put(question)
                return
        self._in_reactor(partial(question.refused, PeerError(why)))

    def _queue_turn(self) -> None:
        """Only who holds the gate calls this."""
        turn, self._turn = self._turn, []
        for question in turn:
            self._asked.put(question)

    # The reactor calls these.
    def _end_turn(self) -> None:
        with self._gate:
            self._queue_turn()

    def _deliver(self, answers: Sequence[Answer]) -> None:
        """One answer that fails takes no other with it."""
        for answer in answers:
            try:
                answer()
            except Exception:
                self.log.failure("an answer of the chat's log failed")

    def _tell_given_up(self, waiting: int) -> None:
        self.log.error(
            "{name} did not answer for {patience} s; {waiting} questions were not answered",
            name=self._store.name,
            patience=self._patience,
            waiting=waiting,
        )

    # Everything below runs in the two threads.
    def _write(self) -> None:
        running = True
        while running:
            asked = _gathered(self._asked, BATCH, self._batches.rest)
            running = None not in asked
            batch = [each for each in asked if each is not None]
            if batch and self._given_up:
                self._hand_over(refusals(batch, "the log is closed"))
            elif batch:
                self._hand_over(self._batches.answers(batch))
            if running:
                self._hand_over(self._batches.tidy(idle=not batch))
        self._batches.close()

    def _read(self) -> None:
        running = True
        while running:
            answers: list[Answer] = []
            for question in _gathered(self._sought, READS):
                if question is None:
                    running = False
                else:
                    answers += self._reads.answers(question)
            self._hand_over(answers)
        self._reads.close()

    def _hand_over(self, answers: Sequence[Answer]) -> None:
        if answers:
            self._in_reactor(partial(self._deliver, answers))


def _gathered(queue: SimpleQueue[_T], most: int, seconds: float | None = None) -> list[_T]:
    """What is queued by now, or comes within so many seconds; nothing comes after None."""
    batch: list[_T] = []
    with suppress(Empty):
        while len(batch) < most and (not batch or batch[-1] is not None):
            batch.append(queue.get(timeout=seconds) if not batch else queue.get_nowait())
    return batch


def _not_kept(refusal: PeerError) -> None:
    """A session that is not kept is like one that is too old: nobody waits to hear it."""
