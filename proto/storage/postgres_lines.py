"""Reading and writing lines in a PostgreSQL database.  Knows not where it is, or what may fail."""

from __future__ import annotations

import select
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from proto.chat.history import Session
from proto.storage.store import Line, Row, Stretch

if TYPE_CHECKING:
    from psycopg import Connection

_SOME: Final = 1000
"""Rooms that are found at once to lose everything."""
_NEWS: Final = 4
"""Messages of the server that are taken in, to see whether the connection ends after them."""

_LINES: Final = (
    "SELECT sequence, at, kind, sender, text FROM proto_chat.lines WHERE room = %(room)s"
    " AND sequence > %(above)s AND sequence < %(below)s"
)
_FOUND: Final = f"{_LINES} AND words @@ %(words)s::tsquery"
# What begins beyond the size is not sent.
_SIZED: Final = (
    "SELECT sequence, at, kind, sender, text FROM (SELECT *,"
    " sum(octet_length(text)) OVER (ORDER BY sequence {order}) - octet_length(text) AS begins,"
    " row_number() OVER (ORDER BY sequence {order}) AS place"
    " FROM ({lines} ORDER BY sequence {order} LIMIT %(count)s) AS asked) AS sized"
    " WHERE begins <= %(size)s OR place <= 2 ORDER BY sequence {order}"
)
_NUMBER: Final = "SELECT number FROM proto_chat.rooms WHERE key = %s"
_NEWEST: Final = "SELECT key, newest FROM proto_chat.rooms WHERE key = ANY(%s)"
_TOPIC: Final = (
    "SELECT sender, text FROM proto_chat.topics JOIN proto_chat.rooms ON room = number"
    " WHERE key = %s AND sequence < %s ORDER BY sequence DESC LIMIT 1"
)
_SESSION: Final = (
    "SELECT digest, name, room, sequence, at FROM proto_chat.sessions WHERE digest = %s"
)
_WRITE: Final = """
    WITH given AS (
        SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[],
            %s::text[], %s::text[]) AS given (key, sequence, at, kind, sender, text, words)
    ), known AS (
        INSERT INTO proto_chat.rooms (key, newest, at)
        SELECT key, max(sequence), max(at) FROM given GROUP BY key
        ON CONFLICT (key) DO UPDATE SET newest = excluded.newest, at = excluded.at
        RETURNING number, key
    )
    INSERT INTO proto_chat.lines
    SELECT number, sequence, at, kind, sender, text, array_to_tsvector(string_to_array(
        CASE words WHEN '' THEN ''
        ELSE number || '\u00b7' || replace(words, ' ', ' ' || number || '\u00b7') END, ' '))
    FROM given JOIN known USING (key)
"""
_WRITE_TOPICS: Final = (
    "INSERT INTO proto_chat.topics SELECT number, sequence, sender, text"
    " FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[])"
    " AS given (key, sequence, sender, text) JOIN proto_chat.rooms USING (key)"
)
_WRITE_SESSIONS: Final = (
    "INSERT INTO proto_chat.sessions SELECT *"
    " FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])"
    " AS given (digest, name, room, sequence, at) ON CONFLICT (digest) DO UPDATE"
    " SET name = excluded.name, room = excluded.room, sequence = excluded.sequence,"
    " at = excluded.at"
)
_SETTLE: Final = "UPDATE proto_chat.rooms SET newest = %s WHERE key = %s RETURNING number"
_OVERDUE: Final = (
    "SELECT key, newest FROM proto_chat.rooms CROSS JOIN LATERAL"
    " (SELECT sequence, lines.at FROM proto_chat.lines WHERE room = number"
    "  ORDER BY sequence LIMIT 1) AS oldest"
    " WHERE (%(keep)s > 0 AND sequence <= newest - %(keep)s) OR oldest.at < %(older)s"
)
_TRIM: Final = (
    "DELETE FROM proto_chat.lines WHERE room = %(room)s AND sequence IN (SELECT sequence"
    " FROM proto_chat.lines WHERE room = %(room)s ORDER BY sequence LIMIT %(count)s)"
    " AND (sequence < %(below)s OR at < %(older)s)"
)
_TRIM_TOPICS: Final = (
    "DELETE FROM proto_chat.topics WHERE room = %(room)s AND sequence <"
    " (SELECT max(sequence) FROM proto_chat.topics WHERE room = %(room)s)"
)
_QUIET: Final = "SELECT key, newest FROM proto_chat.rooms ORDER BY at DESC LIMIT %s OFFSET %s"
_FORGET: Final = "DELETE FROM proto_chat.rooms WHERE key = %s AND newest = %s RETURNING number"
_FORGET_SESSIONS: Final = (
    "DELETE FROM proto_chat.sessions WHERE at < %s OR digest IN"
    " (SELECT digest FROM proto_chat.sessions ORDER BY at DESC OFFSET %s)"
)


class PostgresReading:
    """A connection to the database."""

    def __init__(self, database: Connection[tuple[Any, ...]]) -> None:
        self._database = database

    def alive(self) -> bool:
        """The server has not ended it, as far as is known here."""
        if self._database.closed:
            return False
        news = select.poll()
        news.register(self._database.fileno(), select.POLLIN)
        for _ in range(_NEWS):
            if not news.poll(0):
                return True
            try:
                self._database.pgconn.consume_input()
            except Exception:  # psycopg's, which is not imported here
                return False
        return False

    def rows(self, stretch: Stretch) -> list[Row]:
        """The lines of a stretch."""
        room = self._number(stretch.room)
        if room is None:
            return []
        statement = _SIZED.format(
            lines=_FOUND if stretch.words else _LINES,
            order="DESC" if stretch.backwards else "ASC",
        )
        asked = {
            "room": room,
            "above": stretch.above,
            "below": stretch.below,
            "count": stretch.count,
            "size": stretch.size,
            "words": " & ".join(f"'{room}\u00b7{word}':*" for word in stretch.words),
        }
        return [Row(*each) for each in self._database.execute(statement, asked)]

    def close(self) -> None:
        """End it."""
        with suppress(Exception):  # psycopg's, which is not imported here
            self._database.close()

    def _number(self, room: str) -> int | None:
        found = self._database.execute(_NUMBER, (room,)).fetchone()
        return int(found[0]) if found else None


class PostgresWriting(PostgresReading):
    """The connection that writes."""

    news = ""

    def __init__(self, database: Connection[tuple[Any, ...]], same: bool) -> None:
        super().__init__(database)
        self.same = same

    def newest(self, rooms: Collection[str]) -> Mapping[str, int]:
        """The highest sequence number that each of these rooms ever had."""
        return dict(self._database.execute(_NEWEST, (list(rooms),)).fetchall())

    def topic(self, room: str, below: int) -> tuple[str, str] | None:
        """Who set the room's topic last, and what it is."""
        found = self._database.execute(_TOPIC, (room, below)).fetchone()
        return (found[0], found[1]) if found else None

    def session(self, digest: bytes) -> Session | None:
        """What was kept for the digest."""
        found = self._database.execute(_SESSION, (digest,)).fetchone()
        return Session(*found) if found else None

    def write(self, lines: Sequence[Line], sessions: Sequence[Session]) -> None:
        """Store all of that, or nothing."""
        topics = [line for line in lines if line.kind == "topic"]
        if not topics and not sessions:
            self._database.execute(_WRITE, [list(each) for each in zip(*lines, strict=True)])
            return
        with self._database.transaction():
            if lines:
                self._database.execute(_WRITE, [list(each) for each in zip(*lines, strict=True)])
            if topics:
                named = [(line.room, line.sequence, line.sender, line.text) for line in topics]
                columns = [list(each) for each in zip(*named, strict=True)]
                self._database.execute(_WRITE_TOPICS, columns)
            if sessions:
                kept = [(s.digest, s.name, s.room, s.sequence, s.at) for s in sessions]
                columns = [list(each) for each in zip(*kept, strict=True)]
                self._database.execute(_WRITE_SESSIONS, columns)

    def index(self, most: int) -> bool:
        """Nothing is left to do: PostgreSQL's own index gathers what is new."""
        return False

    def settle(self, newest: Mapping[str, int]) -> None:
        """Let these rooms end at these numbers."""
        with self._database.transaction():
            for room, sequence in newest.items():
                for (number,) in self._database.execute(_SETTLE, (sequence, room)).fetchall():
                    for table in ("lines", "topics"):
                        self._database.execute(
                            f"DELETE FROM proto_chat.{table} WHERE room = %s AND sequence > %s",
                            (number, sequence),
                        )

    def overdue(self, keep: int, older: int) -> Mapping[str, int]:
        """The rooms that have more than `keep` lines, or older ones."""
        asked = {"keep": keep, "older": older}
        return dict(self._database.execute(_OVERDUE, asked).fetchall())

    def trim(self, room: str, below: int, older: int, count: int) -> int:
        """Drop the room's oldest lines, and topics that are none any more; how many lines."""
        number = self._number(room)
        if number is None:
            return 0
        asked = {"room": number, "count": count, "below": below, "older": older}
        with self._database.transaction():
            self._database.execute(_TRIM_TOPICS, asked)
            return self._database.execute(_TRIM, asked).rowcount

    def quiet(self, keep: int) -> Mapping[str, int]:
        """Rooms that have been quiet longer than `keep` others."""
        return dict(self._database.execute(_QUIET, (_SOME, keep)).fetchall())

    def forget(self, room: str, newest: int) -> None:
        """Drop a room without lines."""
        with self._database.transaction():
            for (number,) in self._database.execute(_FORGET, (room, newest)).fetchall():
                self._database.execute("DELETE FROM proto_chat.topics WHERE room = %s", (number,))

    def forget_sessions(self, keep: int, older: int) -> None:
        """Drop sessions that are older, and all but the newest `keep`."""
        self._database.execute(_FORGET_SESSIONS, (older, keep))
