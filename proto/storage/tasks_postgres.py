"""Tasks in a PostgreSQL database: getting there, its tables, and transactions.

Several processes may use it: whoever changes something holds a lock until the commit.
Knows no threads and no reactor.  psycopg, an extra, is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from proto.errors import StartError
from proto.storage.postgres import PostgresStore
from proto.storage.postgres_lines import PostgresReading
from proto.storage.store import Trouble
from proto.storage.tasks_database import Role
from proto.storage.tasks_schema import LOCK, POSTGRES, SCHEMA

if TYPE_CHECKING:
    from psycopg import Connection

_READ_TIMEOUT: Final = 5000
"""Milliseconds that one page may take to read."""
_PATH: Final = f"SET search_path = {SCHEMA}".encode()
_BEGIN: Final = f"BEGIN; SELECT pg_advisory_xact_lock({LOCK})".encode()
# Not to_regclass: it may remember what was so before another process's commit.
_TABLES: Final = (
    "SELECT relname FROM pg_namespace LEFT JOIN pg_class ON relnamespace = pg_namespace.oid"
    " WHERE nspname = %s"
)
_VERSIONS: Final = (
    "CREATE TABLE versions (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
)


class PostgresLink:
    """A connection to the database."""

    instr = "strpos"
    locked = " FOR UPDATE"  # also for a program that does not take our lock

    def __init__(self, database: Connection[tuple[Any, ...]]) -> None:
        self._database = database
        self._reading = PostgresReading(database)
        self.alive = self._reading.alive
        self.close = self._reading.close

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that it gives."""
        cursor = self._database.execute(_spoken(statement), values)
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read within is of one moment."""
        self._database.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        try:
            yield
        finally:
            self.rollback()

    def begin(self) -> None:
        """No other process changes anything from now on."""
        self._database.execute(_BEGIN)

    def commit(self) -> None:
        """Returns when the server has synced it."""
        self._database.execute("COMMIT")

    def rollback(self) -> None:
        """End the transaction; where that fails the connection is lost, and with it that."""
        with suppress(Exception):  # psycopg's, which is not imported here
            if self._status() != "IDLE":
                self._database.execute("ROLLBACK")

    @contextmanager
    def apart(self) -> Iterator[None]:
        """A savepoint around what is changed within."""
        self._database.execute("SAVEPOINT one")
        try:
            yield
        except Exception:
            if self._status() in ("INTRANS", "INERROR"):
                self._database.execute("ROLLBACK TO one")
            raise
        self._database.execute("RELEASE one")

    def within(self) -> bool:
        """A transaction is begun, and no error has ended it."""
        return self._status() == "INTRANS"

    def _status(self) -> str:
        return self._database.info.transaction_status.name


class PostgresTasks:
    """A database with a schema for tasks."""

    def __init__(self, url: str) -> None:
        """Raises StartError where the URL is none, or psycopg is missing."""
        self._server = _Server(url)
        self.name = self._server.name

    def prepare(self) -> None:
        """Make or migrate the tables.  Raises StartError."""
        self._server.prepare()

    def check(self) -> None:
        """Raises StartError where the database could not be used; makes nothing."""
        self._server.check()

    def link(self, role: Role) -> PostgresLink:
        """A connection; who comes to write makes the tables anew where they are gone."""
        return PostgresLink(self._server.connection(role))

    def trouble(self, error: Exception) -> Trouble | None:
        """What the error means."""
        return self._server.trouble(error)

    def interrupt(self) -> None:
        """Nothing: what is being read ends by itself soon enough."""


class _Server(PostgresStore):
    """How to get there is the chat's; what is there is not."""

    def prepare(self) -> None:
        with self._starting(), closing(self._connected("start", 0)) as database:
            self._migrate(database)

    def connection(self, role: Role) -> Connection[tuple[Any, ...]]:
        """A connection that finds the tables."""
        database = self._connected(role, _READ_TIMEOUT if role == "reader" else 0)
        try:
            if role == "writer":
                self._migrate(database)
            database.execute(_PATH)
        except Exception:
            database.close()
            self._failed_at[role] = self._seconds()
            raise
        return database

    def _called(self, role: str) -> str:
        return f"proto tasks {role} {self._mark}"

    def _version(self, database: Connection[tuple[Any, ...]]) -> int | None:
        """Which schema the database has, None where there is none.  Raises StartError."""
        if database.execute("SHOW server_encoding").fetchone() != ("UTF8",):
            raise StartError(
                f"{self.name}: its encoding is not UTF8; make one: createdb -E UTF8 -T template0"
            )
        found = database.execute(_TABLES, (SCHEMA,)).fetchall()
        if not found:
            return None
        if ("versions",) not in found:
            raise StartError(f"{self.name}: schema {SCHEMA} is another program's; rename that")
        ((version,),) = database.execute(f"SELECT max(version) FROM {SCHEMA}.versions".encode())
        if version > len(POSTGRES):
            raise StartError(
                f"{self.name}: a newer proto keeps its tasks there (schema {version}, this one"
                f" knows {len(POSTGRES)}); start that one or choose another database"
            )
        return int(version)

    def _migrate(self, database: Connection[tuple[Any, ...]]) -> None:
        if self._version(database) == len(POSTGRES):
            return
        with database.transaction():
            database.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            version = self._version(database)  # another process may have been quicker
            if version is None:
                database.execute(f"CREATE SCHEMA {SCHEMA}".encode())
            database.execute(f"SET LOCAL search_path = {SCHEMA}".encode())
            if version is None:
                database.execute(_VERSIONS)
            for number, statements in enumerate(POSTGRES[version or 0 :], (version or 0) + 1):
                for statement in statements:
                    database.execute(statement.encode())
                database.execute("INSERT INTO versions VALUES (%s)", (number,))


@lru_cache(maxsize=256)
def _spoken(statement: str) -> bytes:
    """The statement as psycopg wants it; what somebody asked for is in none."""
    return statement.replace("?", "%s").encode()
