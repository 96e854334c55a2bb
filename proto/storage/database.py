"""Opening a SQLite file so that one process has it: lock, schema, and why it cannot be.

Knows nothing of what is kept in it.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from proto.errors import StartError

Migrations: TypeAlias = Sequence[Sequence[str]]
"""The statements that bring version n of the schema (PRAGMA user_version) to n + 1."""
Functions: TypeAlias = Mapping[str, Callable[[str], str]]
"""What the statements may call."""


def inspect(path: Path, migrations: Migrations) -> None:
    """Raises StartError where the file could not be opened, or made.

    Makes nothing and takes no lock: a process that runs asks this too, when it is told to reload.
    """
    try:
        if path.exists():
            with closing(connect(path, 0.0)) as database:
                _version(path, database, migrations)
            return
        there = next(each for each in path.parents if each.exists())
        if not there.is_dir():
            raise NotADirectoryError(20, os.strerror(20))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise _cannot_use(path.parent, error) from error
    except sqlite3.Error as error:
        raise _cannot_open(path, error) from error


def lock(path: Path) -> int:
    """The descriptor that keeps every other process out of the folder, for as long as it is open.

    It is flock's, which a fork inherits, and not lockf's, which it does not.
    """
    folder = path.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = _made(path)
    except OSError as error:
        raise _cannot_use(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise _cannot_use(folder, error) from error
        raise StartError(
            f"{folder}: another process uses it; stop it or choose another folder"
        ) from error
    return descriptor


def _made(path: Path) -> int:
    """An open descriptor of the file, for its owner alone.

    What root makes belongs to the folder's owner, for twistd may be told to become that user.
    """
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if new and os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def prepare(path: Path, migrations: Migrations, functions: Functions | None = None) -> None:
    """Make the file, and bring it to the newest schema.  Raises StartError."""
    try:
        if not path.exists():
            os.close(_made(path))
            folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        with closing(connect(path, 0.0)) as database:
            version = _version(path, database, migrations)
            mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StartError(f"{path}: this file system has no shared memory; use a local disk")
            for name, function in (functions or {}).items():
                database.create_function(name, 1, function, deterministic=True)
            for number in range(version, len(migrations)):
                database.execute("BEGIN IMMEDIATE")
                for statement in migrations[number]:
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {number + 1}")
                database.execute("COMMIT")
    except OSError as error:
        raise _cannot_use(path.parent, error) from error
    except sqlite3.Error as error:
        raise _cannot_open(path, error) from error


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """Open the file, which must be there; the connection is for one thread at a time."""
    uri = f"file:{quote(os.fsencode(path))}?mode=rw"
    database = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=patience, check_same_thread=False
    )
    try:
        database.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _version(path: Path, database: sqlite3.Connection, migrations: Migrations) -> int:
    """Which schema the file has; raises StartError for one that is not ours."""
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise StartError(
            f"{path}: a newer proto wrote it (schema {version}, this one knows {len(migrations)}); "
            "start that one or choose another folder"
        )
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (version == 0) != (tables == 0):
        raise StartError(f"{path}: another program's database; choose another folder")
    return version


def _cannot_use(folder: Path, error: OSError) -> StartError:
    if isinstance(error, FileExistsError | NotADirectoryError):
        remedy = "choose a folder, or memory"
    else:
        remedy = f"choose a folder that {user()} may write, or memory"
    return StartError(f"{folder}: {error.strerror}; {remedy}")


def user() -> str:
    """Who we are, for messages."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _cannot_open(path: Path, error: sqlite3.Error) -> StartError:
    """Why SQLite did not take the file, in one line that names the remedy."""
    remedies = {
        sqlite3.SQLITE_NOTADB: "move it away or choose another folder",
        sqlite3.SQLITE_CORRUPT: "restore a copy, or move it away to begin anew",
        sqlite3.SQLITE_FULL: "free some space",
        sqlite3.SQLITE_BUSY: "end the program that uses it",
        sqlite3.SQLITE_CANTOPEN: f"let {user()} read and write it",
        sqlite3.SQLITE_READONLY: f"let {user()} read and write it",
    }
    return StartError(f"{path}: {error}; {remedies.get(code(error), 'choose another folder')}")


def code(error: Exception) -> int:
    """SQLite's primary error code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def code_name(error: Exception) -> str:
    """SQLite's name for what went wrong."""
    return str(getattr(error, "sqlite_errorname", "no code"))
