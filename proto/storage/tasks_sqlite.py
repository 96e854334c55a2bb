"""Tasks in a folder: a SQLite file, and what happens when that is taken away.

Several processes may use it: SQLite lets one change something at a time, and readers read on.
Knows no threads and no reactor.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from proto.errors import StartError
from proto.storage.database import code, code_name, connect, inspect, lock, prepare
from proto.storage.store import Trouble
from proto.storage.tasks_database import Role
from proto.storage.tasks_schema import SQLITE

FILE: Final = "tasks.db"
PATIENCE: Final = 5.0
"""Seconds that a transaction waits for another process's, and a start for another's."""
LONGEST: Final = 5.0
"""Seconds that one page may take to read."""
_RETRY: Final = 0.01
_STEPS: Final = 10_000
"""Steps of SQLite's machine after which it looks at the time."""
_WHY: Final = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_INTERRUPT: "that takes too long",
    sqlite3.SQLITE_BUSY: "another process is changing them",
    sqlite3.SQLITE_LOCKED: "another process is changing them",
}
"""After these the connection is as good as before."""


class SqliteLink:
    """A connection to the file."""

    instr = "instr"
    locked = ""

    def __init__(self, database: sqlite3.Connection, path: Path, longest: float) -> None:
        self._database = database
        self._path = path
        self._longest = longest
        self._identity = _identity(path)
        self._end = 0.0

    def alive(self) -> bool:
        """The file is still the one that was opened."""
        return self._identity is not None and _identity(self._path) == self._identity

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that it gives."""
        return self._database.execute(statement, values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read within is of one moment, and takes not too long."""
        self._end = time.monotonic() + self._longest
        self._database.set_progress_handler(self._is_late, _STEPS)
        self._database.execute("BEGIN")
        try:
            yield
        finally:
            self._database.set_progress_handler(None, 0)
            self.rollback()

    def begin(self) -> None:
        """No other process changes anything from now on."""
        self._database.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Returns when SQLite's log is synced."""
        self._database.execute("COMMIT")

    def rollback(self) -> None:
        """End the transaction; where that fails SQLite has ended it."""
        if self.within():
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A savepoint around what is changed within."""
        self._database.execute("SAVEPOINT one")
        try:
            yield
        except Exception:
            try:
                self._database.execute("ROLLBACK TO one")
            except sqlite3.Error:
                self.rollback()
            raise
        self._database.execute("RELEASE one")

    def within(self) -> bool:
        """A transaction is begun; a full disk may have ended it."""
        return self._database.in_transaction

    def interrupt(self) -> None:
        """End what is being read; any thread may ask."""
        with suppress(sqlite3.Error):
            self._database.interrupt()

    def close(self) -> None:
        """End it."""
        with suppress(sqlite3.Error):
            self._database.close()

    # SQLite calls this.
    def _is_late(self) -> int:
        return time.monotonic() > self._end


class SqliteTasks:
    """A folder with a SQLite file."""

    def __init__(self, folder: Path, patience: float = PATIENCE, longest: float = LONGEST) -> None:
        """`patience` and `longest` are as the constants, in seconds."""
        self._path = folder.absolute() / FILE
        self._patience = patience
        self._longest = longest
        self._reader: SqliteLink | None = None
        self.name = str(self._path)

    def prepare(self) -> None:
        """Make or migrate the file.  Raises StartError.

        SQLite's log of a file that is gone must not be taken for that of a new one.
        """
        with self._alone():
            if not self._path.exists():
                for end in ("-wal", "-shm"):
                    Path(f"{self._path}{end}").unlink(missing_ok=True)
            prepare(self._path, SQLITE)

    def link(self, role: Role) -> SqliteLink:
        """A connection; the file is made anew where it is gone."""
        if not self._path.exists():
            self.prepare()
        database = connect(self._path, self._patience)
        try:
            database.execute("PRAGMA journal_size_limit = 16777216")
            database.execute("SELECT 1 FROM tasks LIMIT 1").fetchall()  # makes SQLite's log
        except sqlite3.Error:
            database.close()
            raise
        link = SqliteLink(database, self._path, self._longest)
        if role == "reader":
            self._reader = link
        return link

    def trouble(self, error: Exception) -> Trouble | None:
        """What the error means."""
        if isinstance(error, StartError | OSError):
            return Trouble("", str(error), lost=False)
        if not isinstance(error, sqlite3.Error):
            return None
        told = f"{error} ({code_name(error)})"
        return Trouble(_WHY.get(code(error), ""), told, lost=code(error) not in _WHY)

    def interrupt(self) -> None:
        """End what is being read just now."""
        if self._reader is not None:
            self._reader.interrupt()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process makes or migrates the file within."""
        end = time.monotonic() + self._patience
        while True:
            try:
                held = lock(self._path.with_suffix(".lock"))
                break
            except StartError as error:
                if not isinstance(error.__cause__, BlockingIOError) or time.monotonic() > end:
                    raise
            time.sleep(_RETRY)
        try:
            yield
        finally:
            os.close(held)


def check(folder: Path) -> None:
    """Raises StartError where tasks could not be kept in that folder; makes nothing."""
    inspect(folder.absolute() / FILE, SQLITE)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells the file from another of that name."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
