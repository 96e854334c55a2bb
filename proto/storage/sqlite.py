"""A `Store` in a folder: its lock, its file, and what happens when that is taken away.

Knows no threads and no reactor.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from threading import Lock
from typing import Final

from proto.errors import StartError
from proto.storage.database import code, code_name, connect, inspect, lock, prepare
from proto.storage.sqlite_lines import SqliteReading, SqliteWriting
from proto.storage.sqlite_schema import FUNCTIONS, MIGRATIONS
from proto.storage.store import Trouble

FILE: Final = "chat.db"
PATIENCE: Final = 5.0
"""Seconds that a batch waits for another program's lock on the file."""
_HARMLESS: Final = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_INTERRUPT,
)
"""After these the connection is as good as before."""


class SqliteStore:
    """A folder with a SQLite file, which one process has at a time."""

    def __init__(self, folder: Path, patience: float = PATIENCE) -> None:
        """`patience` is how many seconds a batch waits for another program's lock."""
        self._path = folder.absolute() / FILE
        self._patience = patience
        self._lock_path = self._path.with_suffix(".lock")
        self._lock: int | None = None
        self._opening = Lock()
        """Held while the file is opened, or made anew."""
        self._logs = tuple(Path(f"{self._path}{end}") for end in ("-wal", "-shm"))
        self._files: dict[Path, tuple[int, int] | None] = {}
        """Which files the connections have."""
        self._written = False
        self._reader: SqliteReading | None = None
        self.name = str(self._path)

    def prepare(self) -> None:
        """Lock the folder, make or migrate the file.  Raises StartError.

        The lock survives a fork.
        """
        self._lock = lock(self._lock_path)
        try:
            prepare(self._path, MIGRATIONS, FUNCTIONS)
        except StartError:
            self.release()
            raise
        self._remember()

    def writing(self) -> SqliteWriting:
        """The connection that writes; it makes the file anew where that is gone."""
        with self._opening:
            same, news = self._written, ""
            if not self._intact() and self._reader is not None:
                self._reader.interrupt()
                self._reader.close()
            if not self._intact(self._path, self._lock_path):
                same, news = False, self._make_anew()
            database = connect(self._path, self._patience)
            try:
                database.execute("PRAGMA journal_size_limit = 16777216")
                database.execute("SELECT 1 FROM rooms LIMIT 1").fetchall()  # makes SQLite's log
            except sqlite3.Error:
                database.close()
                raise
            self._remember()
            self._written = True
        return SqliteWriting(database, self._intact, same, news)

    def reading(self) -> SqliteReading:
        """A connection that reads."""
        with self._opening:
            self._reader = SqliteReading(connect(self._path, self._patience))
            return self._reader

    def trouble(self, error: Exception) -> Trouble | None:
        """What the error means."""
        if isinstance(error, StartError | OSError):
            return Trouble("", str(error), lost=False)
        if not isinstance(error, sqlite3.Error):
            return None
        full = code(error) == sqlite3.SQLITE_FULL
        lost = code(error) not in _HARMLESS
        told = f"{error} ({code_name(error)})"
        return Trouble("the disk is full" if full else "", told, lost)

    def interrupt(self) -> None:
        """End what is being read just now."""
        reader = self._reader
        if reader is not None:
            reader.interrupt()

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _make_anew(self) -> str:
        """Let a file be there again that was taken away; what that means.

        SQLite's log of the old file must not be taken for that of the new one.
        """
        if _identity(self._lock_path) != self._files[self._lock_path]:
            ours = lock(self._lock_path)
            self.release()
            self._lock = ours
        gone = not self._path.exists()
        for path in self._logs:
            if gone or (path.exists() and _identity(path) == self._files[path]):
                path.unlink(missing_ok=True)
        prepare(self._path, MIGRATIONS, FUNCTIONS)
        if gone:
            return "the file was gone, and with it what was said before; a new one was made"
        return "another file is in its place, and is used from now on"

    def _remember(self) -> None:
        paths = (self._path, self._lock_path, *self._logs)
        self._files = {path: _identity(path) for path in paths}

    def _intact(self, *paths: Path) -> bool:
        """The files are those that were opened; of all of them, if none is named."""
        return all(_identity(path) == self._files[path] for path in paths or self._files)


def check(folder: Path) -> None:
    """Raises StartError where a log in that folder could not be opened; makes nothing."""
    inspect(folder.absolute() / FILE, MIGRATIONS)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells the file from another of that name."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
