"""What is said in the chat, in a SQLite file.  Knows no sockets and no reactor.

One thread writes.  It takes everything that is queued, commits it as one transaction, and hands all
the answers to the reactor at once while the next batch gathers; the reactor never waits for a disk.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final, TypeAlias

from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.chat.events import Emoted, Said, Spoken
from proto.chat.history import LinesCallback, RefusedCallback, Stored, StoredCallback
from proto.errors import PeerError, StartError
from proto.storage.database import Migrations, code, code_name, connect, inspect, lock, prepare

FILE: Final = "chat.db"
MIGRATIONS: Final[Migrations] = (
    (
        "CREATE TABLE lines (room TEXT NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL,"
        " kind TEXT NOT NULL, sender TEXT NOT NULL, text TEXT NOT NULL,"
        " PRIMARY KEY (room, sequence)) WITHOUT ROWID",
    ),
)
"""One for each version of the schema; `at` is in milliseconds since 1970."""
KEEP_LINES: Final = 100_000
"""Lines that each room keeps."""
PATIENCE: Final = 5.0
"""Seconds that a batch waits for another program's lock on the file."""

_KINDS: Final[dict[str, type[Spoken]]] = {"said": Said, "emoted": Emoted}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_INSERT: Final = "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)"
_NEWEST: Final = "SELECT max(sequence) FROM lines WHERE room = ?"
_LAST: Final = (
    "SELECT sequence, kind, sender, text FROM lines"
    " WHERE room = ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?"
)
_PRUNE: Final = "DELETE FROM lines WHERE room = ? AND sequence <= ?"
_ANY: Final = sys.maxsize

InReactor: TypeAlias = Callable[[Callable[[], None]], object]
Answer: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Append:
    room: str
    event: Spoken
    stored: StoredCallback
    refused: RefusedCallback


@dataclass(frozen=True, slots=True)
class _Last:
    room: str
    count: int
    then: LinesCallback


_Question: TypeAlias = _Append | _Last


class SqliteHistory:
    """A `History` that survives `kill -9` and a restart.

    The queue needs no bound of its own: a room has at most `waiting_limit` lines and one question
    for its last lines in it, and there are at most `rooms_limit` rooms.  What was refused took no
    sequence number, so a room counts 1, 2, 3 whatever went wrong.
    """

    log = Logger()

    def __init__(
        self,
        folder: Path,
        in_reactor: InReactor,
        *,
        keep_lines: int = KEEP_LINES,
        patience: float = PATIENCE,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Make or migrate the file; raises StartError.

        `in_reactor` is reactor.callFromThread.  Neither a thread nor a connection to the file is
        left behind, as twistd may fork before `start`; the lock on the folder survives that.
        """
        self._path = folder.absolute() / FILE
        self._in_reactor = in_reactor
        self._keep_lines = keep_lines
        self._prune_every = max(1, keep_lines // 100)
        self._patience = patience
        self._now = now
        self._queue: SimpleQueue[_Question | None] = SimpleQueue()
        self._gate = Lock()
        """Held for an instant, so that nothing is queued after the end."""
        self._closed = False
        self._thread: Thread | None = None
        # The thread's own:
        self._database: sqlite3.Connection | None = None
        self._troubles: dict[str, str] = {}
        self._lock = lock(self._path.with_suffix(".lock"))
        try:
            prepare(self._path, MIGRATIONS)
        except StartError:
            os.close(self._lock)
            raise

    def start(self) -> None:
        """Begin to write; what was asked before then is not lost."""
        self._thread = Thread(target=self._run, name="chat log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is queued, hand over the answers, end the thread.  Waits for the disk."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        if self._thread is None:
            self._run()
        else:
            self._thread.join()
        os.close(self._lock)

    # The room calls these.
    def append(
        self, room: str, event: Spoken, stored: StoredCallback, refused: RefusedCallback
    ) -> None:
        """Queue the event for the next batch."""
        if not self._ask(_Append(room, event, stored, refused)):
            self._in_reactor(partial(refused, _refusal("the log is closed")))

    def last(self, room: str, count: int, then: LinesCallback) -> None:
        """Read the newest lines, when all that was asked before is answered."""
        if not self._ask(_Last(room, count, then)):
            self._in_reactor(partial(then, ()))

    def vacated(self, room: str) -> None:
        """Nothing: the lines stay."""

    def _ask(self, question: _Question) -> bool:
        with self._gate:
            if not self._closed:
                self._queue.put(question)
            return not self._closed

    def _deliver(self, answers: Sequence[Answer]) -> None:
        """In the reactor: one answer that fails takes no other with it."""
        for answer in answers:
            try:
                answer()
            except Exception:
                self.log.failure("an answer of the chat's log failed")

    # Everything below runs in the thread.
    def _run(self) -> None:
        running = True
        while running:
            batch = [self._queue.get()]
            batch += [self._queue.get() for _ in range(self._queue.qsize())]
            running = None not in batch
            due: dict[str, int] = {}
            answers = self._answers([each for each in batch if each is not None], due)
            if answers:
                self._in_reactor(partial(self._deliver, answers))
            self._prune(due)
        self._disconnect()

    def _answers(self, batch: Sequence[_Question], due: dict[str, int]) -> list[Answer]:
        """Store the batch; its answers in order.  `due` gets the rooms that should be pruned."""
        refusal: PeerError | None = None
        answers: list[Answer] = []
        try:
            places = self._write(batch)
        except Exception as error:
            why, told = self._failed("written", error)
            answers += told
            refusal = _refusal(why)
            places = [_ANY] * len(batch)  # nothing of this batch is there to be read too early
        else:
            if any(isinstance(question, _Append) for question in batch):
                answers += self._changed("written", "")
        for question, place in zip(batch, places, strict=True):
            if isinstance(question, _Last):
                lines, told = self._read(question, place)
                answers += told
                answers.append(partial(question.then, lines))
            elif refusal is not None:
                answers.append(partial(question.refused, refusal))
            else:
                answers.append(partial(question.stored, Stored(place, question.event)))
                if place % self._prune_every == 0:
                    due[question.room] = place
        return answers

    def _write(self, batch: Sequence[_Question]) -> list[int]:
        """Commit the lines; for each question, the newest sequence number of its room by then."""
        database = self._connected()
        newest: dict[str, int] = {}
        places: list[int] = []
        rows: list[tuple[object, ...]] = []
        at = int(self._now() * 1000)
        for question in batch:
            room = question.room
            if room not in newest:
                newest[room] = database.execute(_NEWEST, (room,)).fetchone()[0] or 0
            if isinstance(question, _Append):
                event = question.event
                newest[room] += 1
                rows.append((room, newest[room], at, _NAMES[type(event)], event.sender, event.text))
            places.append(newest[room])
        if rows:
            self._commit(database, rows)
        return places

    def _commit(self, database: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            database.execute("BEGIN IMMEDIATE")
            database.executemany(_INSERT, rows)
            database.execute("COMMIT")
        except Exception:
            with suppress(sqlite3.Error):
                if database.in_transaction:  # SQLite rolls back by itself where it must
                    database.execute("ROLLBACK")
            raise

    def _read(self, question: _Last, place: int) -> tuple[Sequence[Stored], list[Answer]]:
        """The lines up to that place, none where they cannot be read; what to tell the log."""
        try:
            database = self._connected()
            rows = database.execute(_LAST, (question.room, place, max(0, question.count)))
            lines = [Stored(row[0], _KINDS[row[1]](row[2], row[3])) for row in rows]
        except Exception as error:
            return (), self._failed("read", error)[1]
        return tuple(reversed(lines)), self._changed("read", "")

    def _prune(self, due: dict[str, int]) -> None:
        """Drop what is older than the newest `keep_lines`; where that fails, a later one will."""
        for room, newest in due.items():
            with suppress(sqlite3.Error):
                self._connected().execute(_PRUNE, (room, newest - self._keep_lines))

    def _connected(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = connect(self._path, self._patience)
        return self._database

    def _disconnect(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    def _failed(self, deed: str, error: Exception) -> tuple[str, list[Answer]]:
        """What the senders are told, and what to tell the log."""
        full = code(error) == sqlite3.SQLITE_FULL
        why = "the disk is full" if full else f"the log cannot be {deed}"
        if not isinstance(error, sqlite3.Error):
            failure = Failure(error)
            return why, [partial(self.log.failure, "the chat's log failed", failure)]
        if code(error) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            self._disconnect()  # the next batch opens the file anew
        return why, self._changed(deed, f"{error} ({code_name(error)})")

    def _changed(self, deed: str, why: str) -> list[Answer]:
        """How to tell the log of another state; nothing when it is the same."""
        if self._troubles.get(deed, "") == why:
            return []
        self._troubles[deed] = why
        path = str(self._path)
        if not why:
            return [partial(self.log.info, "{path} can be {deed} again", path=path, deed=deed)]
        return [
            partial(self.log.error, "{path} cannot be {deed}: {why}", path=path, deed=deed, why=why)
        ]


def check(folder: Path) -> None:
    """Raises StartError where a log in that folder could not be opened; makes nothing."""
    inspect(folder.absolute() / FILE, MIGRATIONS)


def _refusal(why: str) -> PeerError:
    return PeerError(f"That was not stored, so nobody saw it: {why}.")
