"""A `Store` in a PostgreSQL database: getting there, being alone there, and what can go wrong.

Knows no threads and no reactor.  psycopg, an extra, is imported when it is used.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from proto.errors import StartError
from proto.storage.postgres_lines import PostgresReading, PostgresWriting
from proto.storage.postgres_schema import LOCK, MIGRATIONS, SCHEMA, VERSIONS
from proto.storage.store import Trouble

if TYPE_CHECKING:
    from psycopg import Connection

RETRY: Final = 1.0
"""Seconds after a connection failed in which no other is tried."""
_CONNECT: Final = {
    "connect_timeout": 2,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""What the URL may say otherwise."""
_SESSION: Final = """
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET lock_timeout = '2s'; SET statement_timeout = {timeout};
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off';
"""
"""The server, too, has to notice a peer that is gone: its connection holds the lock."""
_READ_TIMEOUT: Final = 5000
"""Milliseconds that a search may take."""
_AWAY: Final = "the database is away"
_REMEDY: Final = "correct host, user, password and database in the URL, or start the server"
_FORM: Final = "postgresql://user@host/database"


class PostgresStore:
    """A database, to which one process writes at a time."""

    def __init__(self, url: str, seconds: Callable[[], float] = time.monotonic) -> None:
        """Raises StartError where the URL is none, or psycopg is missing."""
        self._options = _options(url)
        self._seconds = seconds
        self._mark = secrets.token_hex(8)
        """By which this process knows its own connections, and whether another one wrote."""
        self._failed_at: dict[str, float] = {}
        self._password = str(self._options.get("password", ""))
        self.name = _name(self._options)

    def prepare(self) -> None:
        """Make sure that nobody else writes, make or migrate the tables.  Raises StartError."""
        with self._starting(), closing(self._connected("start", 0)) as database:
            self._alone(database)
            self._migrate(database)

    def check(self) -> None:
        """Raises StartError where the database could not be used; makes nothing, takes no lock."""
        with self._starting(), closing(self._connected("check", 0)) as database:
            self._version(database)

    def writing(self) -> PostgresWriting:
        """The connection that writes; it holds the lock as long as it lives."""
        database = self._connected("writer", 0)
        try:
            self._alone(database)
            self._migrate(database)
            found = database.execute("SELECT mark FROM proto_chat.writer").fetchone()
            same = found == (self._mark,)
            if not same:
                database.execute("UPDATE proto_chat.writer SET mark = %s", (self._mark,))
        except Exception:
            database.close()
            self._failed_at["writer"] = self._seconds()
            raise
        return PostgresWriting(database, same)

    def reading(self) -> PostgresReading:
        """A connection that reads."""
        return PostgresReading(self._connected("reader", _READ_TIMEOUT))

    def trouble(self, error: Exception) -> Trouble | None:
        """What the error means."""
        import psycopg

        if isinstance(error, StartError):
            return Trouble(_AWAY, str(error), lost=False)
        if not isinstance(error, psycopg.Error):
            return None
        told, state = self._one_line(error), error.sqlstate or ""
        if state == "57014":
            return Trouble("that takes too long", told, lost=False)
        if state == "53100":
            return Trouble("the disk is full", told, lost=True)
        away = isinstance(error, psycopg.OperationalError) and state != "55P03"
        return Trouble(_AWAY if away or state == "25006" else "", told, lost=True)

    def interrupt(self) -> None:
        """Nothing: what is being read ends by itself soon enough."""

    def release(self) -> None:
        """Nothing: the lock ends with the connection."""

    def _connected(self, role: str, timeout: int) -> Connection[tuple[Any, ...]]:
        """A new connection; refused at once where the last try has just failed."""
        import psycopg

        failed_at = self._failed_at.get(role)
        if failed_at is not None and 0 <= self._seconds() - failed_at < RETRY:
            raise psycopg.OperationalError("there was no connection a moment ago")
        database: Connection[tuple[Any, ...]] | None = None
        try:
            options = {**self._options, "application_name": self._called(role)}
            database = psycopg.connect("", autocommit=True, **options)
            database.execute(_SESSION.format(timeout=timeout).encode())
        except psycopg.Error:
            self._failed_at[role] = self._seconds()
            if database is not None:
                database.close()
            raise
        self._failed_at.pop("reader", None)  # who comes to write may come to read as well
        return database

    def _called(self, role: str) -> str:
        return f"proto chat {role} {self._mark}"

    def _alone(self, database: Connection[tuple[Any, ...]]) -> None:
        """Take the lock, which the connection then holds.  Raises StartError."""
        import psycopg

        if database.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone() == (True,):
            return
        # The server may take a while to see that a connection is dead, even if it is our own.
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = %s AND pid <> pg_backend_pid()",
            (self._called("writer"),),
        )
        try:
            database.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        except psycopg.errors.LockNotAvailable as error:
            raise StartError(
                f"{self.name}: another process uses it; stop it or choose another database"
            ) from error

    def _version(self, database: Connection[tuple[Any, ...]]) -> int | None:
        """Which schema the database has, None where there is none.  Raises StartError."""
        encoding = database.execute("SHOW server_encoding").fetchone()
        if encoding != ("UTF8",):
            raise StartError(
                f"{self.name}: its encoding is not UTF8; make one: createdb -E UTF8 -T template0"
            )
        there = database.execute("SELECT to_regnamespace(%s) IS NOT NULL", (SCHEMA,)).fetchone()
        if there != (True,):
            return None
        ours = database.execute("SELECT to_regclass('proto_chat.versions') IS NOT NULL").fetchone()
        if ours != (True,):
            raise StartError(f"{self.name}: schema {SCHEMA} is another program's; rename that")
        found = database.execute("SELECT max(version) FROM proto_chat.versions").fetchone()
        version = int(found[0] or 0) if found else 0
        if version > len(MIGRATIONS):
            raise StartError(
                f"{self.name}: a newer proto wrote it (schema {version}, this one knows"
                f" {len(MIGRATIONS)}); start that one or choose another database"
            )
        return version

    def _migrate(self, database: Connection[tuple[Any, ...]]) -> None:
        version = self._version(database)
        if version == len(MIGRATIONS):
            return
        with database.transaction():
            for statement in VERSIONS if version is None else ():
                database.execute(statement)
            for number, statements in enumerate(MIGRATIONS[version or 0 :], (version or 0) + 1):
                for statement in statements:
                    database.execute(statement)
                database.execute("INSERT INTO proto_chat.versions VALUES (%s)", (number,))

    @contextmanager
    def _starting(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            may_not = error.sqlstate == "42501"
            remedy = "let its user CREATE in the database" if may_not else _REMEDY
            raise StartError(f"{self.name}: {self._one_line(error)}; {remedy}") from None

    def _one_line(self, error: Exception) -> str:
        told = " ".join(str(error).split()) or type(error).__name__
        return told.replace(self._password, "...") if self._password else told


def _options(url: str) -> dict[str, Any]:
    """What psycopg wants to know.  Raises StartError, which must not tell the password."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise StartError(
            "PostgreSQL needs psycopg, which is not installed: pip install 'psycopg[binary]'"
        ) from error
    try:
        given = conninfo_to_dict(url)
    except (ProgrammingError, UnicodeError):
        raise StartError(f"the PostgreSQL URL cannot be read; write it as {_FORM}") from None
    return {**_CONNECT, **given, "client_encoding": "UTF8"}


def _name(options: dict[str, Any]) -> str:
    """The URL without its secrets."""
    user = f"{options['user']}@" if options.get("user") else ""
    port = f":{options['port']}" if options.get("port") else ""
    return f"postgresql://{user}{options.get('host', '')}{port}/{options.get('dbname', '')}"
