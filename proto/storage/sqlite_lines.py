"""Reading and writing lines in a SQLite file.  Knows neither where it is nor what can go wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from threading import Lock
from typing import Final

from proto.chat.history import Session
from proto.storage.sqlite_schema import BITS, MASK, indexed
from proto.storage.store import Line, Row, Stretch

_SOME: Final = 1000
"""Rooms that are found at once to lose everything."""

_READ: Final = (
    f"SELECT id & {MASK}, at, kind, sender, text FROM lines WHERE id > ? AND id < ?"
    " ORDER BY id {order} LIMIT ?"
)
_LATEST: Final = (
    f"SELECT id & {MASK}, at, kind, sender, text FROM lines WHERE id > ? AND id < ?"
    " {words} ORDER BY id {order} LIMIT ?"
)
_HAS_WORD: Final = " AND instr(' ' || words, ' ' || ?)"
_SEARCH: Final = (
    f"SELECT id & {MASK}, at, kind, sender, text FROM found JOIN lines ON id = found.rowid"
    " WHERE found MATCH ? AND found.rowid > ? AND found.rowid < ?"
    " ORDER BY found.rowid {order} LIMIT ?"
)
_NUMBER: Final = "SELECT number FROM rooms WHERE key = ?"
_INDEXED: Final = "SELECT indexed FROM rooms WHERE number = ?"
_BEHIND: Final = "SELECT number, indexed FROM rooms WHERE indexed < newest LIMIT 1"
_REACHED: Final = "UPDATE rooms SET indexed = coalesce(?, newest) WHERE number = ?"
_NOT_BEYOND: Final = "UPDATE rooms SET indexed = min(indexed, newest) WHERE number = ?"
_TO_INDEX: Final = "SELECT id, words FROM lines WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
_ROOM: Final = (
    "INSERT INTO rooms (key, newest, at) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
    " SET newest = excluded.newest, at = excluded.at RETURNING number"
)
_TOPIC: Final = (
    "SELECT sender, text FROM topics WHERE room = ? AND sequence < ? ORDER BY sequence DESC LIMIT 1"
)
_OVERDUE: Final = (
    "SELECT key, newest FROM (SELECT key, newest, (SELECT id FROM lines WHERE id > number << 36"
    " ORDER BY id LIMIT 1) AS oldest, number FROM rooms) JOIN lines ON id = oldest"
    f" WHERE oldest >> {BITS} = number"
    f" AND ((?1 > 0 AND oldest & {MASK} <= newest - ?1) OR lines.at < ?2)"
)
_OLDEST: Final = f"SELECT id FROM lines WHERE id > ?1 << {BITS} AND id < (?1 + 1) << {BITS}"
_SETTLE: Final = (
    "INSERT INTO rooms (key, newest, at) VALUES (?, ?, 0) ON CONFLICT (key) DO UPDATE"
    " SET newest = excluded.newest, at = at + 1 RETURNING number"
)
_TRIM_TOPICS: Final = (
    "DELETE FROM topics WHERE room = ?1"
    " AND sequence < (SELECT max(sequence) FROM topics WHERE room = ?1)"
)
_TRIM: Final = (
    f"DELETE FROM lines WHERE id IN ({_OLDEST} ORDER BY id LIMIT ?2)"
    f" AND (id & {MASK} < ?3 OR at < ?4)"
)


class SqliteReading:
    """A connection to the file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._open: sqlite3.Connection | None = database
        self._using = Lock()
        """Held while it reads, so that no other thread closes it then."""

    def alive(self) -> bool:
        """Nobody closed it."""
        return self._open is not None

    def rows(self, stretch: Stretch) -> list[Row]:
        """The lines of a stretch."""
        with self._using:
            room = self._number(stretch.room)
            if room is None:
                return []
            first = room << BITS
            order = "DESC" if stretch.backwards else "ASC"
            if not stretch.words:
                asked = [first + stretch.above, first + stretch.below]
                parts = [(_READ.format(order=order), asked)]
                return self._rows(parts, stretch.size, stretch.count)
            return self._found(stretch, room, order)

    def interrupt(self) -> None:
        """End what is being read; any thread may ask."""
        database = self._open
        if database is not None:
            with suppress(sqlite3.Error):
                database.interrupt()

    def close(self) -> None:
        """End it, when nothing is being read."""
        with self._using:
            database, self._open = self._open, None
            if database is not None:
                with suppress(sqlite3.Error):
                    database.close()

    @property
    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            raise sqlite3.InterfaceError("the file is being opened anew")
        return self._open

    def _number(self, room: str) -> int | None:
        found = self._database.execute(_NUMBER, (room,)).fetchone()
        return found and int(found[0])

    def _found(self, stretch: Stretch, room: int, order: str) -> list[Row]:
        """The lines of a stretch with its words: in the index, and beyond it by looking at each.

        How far the index goes is asked first.  It may reach further by the time it is read, and
        what is found there beyond that is left out.
        """
        reached = self._database.execute(_INDEXED, (room,)).fetchone()
        if reached is None:  # the room was forgotten meanwhile
            return []
        first, edge = room << BITS, min(max(reached[0], stretch.above), stretch.below - 1)
        match = " ".join(f'"{room}\u00b7{word}"*' for word in stretch.words)
        below: list[object] = [match, first + stretch.above, first + edge + 1]
        above: list[object] = [first + edge, first + stretch.below, *stretch.words]
        latest = _LATEST.format(words=_HAS_WORD * len(stretch.words), order=order)
        parts = [(_SEARCH.format(order=order), below), (latest, above)]
        return self._rows(parts[::-1] if stretch.backwards else parts, stretch.size, stretch.count)

    def _rows(
        self, parts: Sequence[tuple[str, Sequence[object]]], size: int, count: int
    ) -> list[Row]:
        """What these statements give, one after the other, within so many characters and lines."""
        rows: list[Row] = []
        for statement, asked in parts:
            # An unfinished statement would keep the log of SQLite from being cut.
            with closing(self._database.execute(statement, (*asked, count - len(rows)))) as cursor:
                for each in cursor:
                    rows.append(Row(*each))
                    size -= len(each[4])
                    if size < 0 and len(rows) > 1:
                        return rows
        return rows


class SqliteWriting(SqliteReading):
    """The connection that writes."""

    def __init__(
        self, database: sqlite3.Connection, intact: Callable[[], bool], same: bool, news: str
    ) -> None:
        super().__init__(database)
        self._intact = intact
        self.same = same
        self.news = news

    def alive(self) -> bool:
        """Its files are still where others look for them."""
        return self._open is not None and self._intact()

    def close(self) -> None:
        """End it; of files that were moved away, the database gets what its log holds."""
        if self._open is not None and not self._intact():
            with suppress(sqlite3.Error):
                self._open.execute("PRAGMA wal_checkpoint")
        super().close()

    def newest(self, rooms: Collection[str]) -> Mapping[str, int]:
        """The highest sequence number that each of these rooms ever had."""
        newest = {}
        for room in rooms:
            for row in self._database.execute("SELECT newest FROM rooms WHERE key = ?", (room,)):
                newest[room] = int(row[0])
        return newest

    def topic(self, room: str, below: int) -> tuple[str, str] | None:
        """Who set the room's topic last, and what it is."""
        asked = (self._number(room), below)
        found: tuple[str, str] | None = self._database.execute(_TOPIC, asked).fetchone()
        return found

    def session(self, digest: bytes) -> Session | None:
        """What was kept for the digest."""
        asked = "SELECT * FROM sessions WHERE digest = ?"
        found = self._database.execute(asked, (digest,)).fetchone()
        return found and Session(*found)

    def write(self, lines: Sequence[Line], sessions: Sequence[Session]) -> None:
        """Store all of that, or nothing."""
        last = {line.room: line for line in lines}
        with self._transaction() as database:
            first = {}
            for room, line in last.items():
                asked = (room, line.sequence, line.at)
                first[room] = database.execute(_ROOM, asked).fetchall()[0][0] << BITS
            database.executemany(
                "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)",
                [(first[line.room] + line.sequence, *line[2:]) for line in lines],
            )
            database.executemany(
                "INSERT INTO topics VALUES (?, ?, ?, ?)",
                [
                    (first[line.room] >> BITS, line.sequence, line.sender, line.text)
                    for line in lines
                    if line.kind == "topic"
                ],
            )
            database.executemany(
                "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)",
                [(each.digest, each.name, each.room, each.sequence, each.at) for each in sessions],
            )

    def index(self, most: int) -> bool:
        """Index so many of the lines that are not yet; whether there may be more."""
        with self._transaction() as database:
            while most > 0:
                behind = database.execute(_BEHIND).fetchone()
                if behind is None:
                    return False
                number, upto = behind
                first, beyond = number << BITS, (number + 1) << BITS
                rows = database.execute(_TO_INDEX, (first + upto, beyond, most)).fetchall()
                database.executemany(
                    "INSERT INTO found (rowid, words) VALUES (?, ?)",
                    [(key, indexed(number, words)) for key, words in rows],
                )
                # Its newest lines may be gone already: then all that is left is indexed.
                upto = rows[-1][0] & MASK if len(rows) == most else None
                database.execute(_REACHED, (upto, number))
                most -= max(1, len(rows))
        return True

    def settle(self, newest: Mapping[str, int]) -> None:
        """Let these rooms end at these numbers.

        Something is changed in any case: what a commit that failed may have left in SQLite's log
        has to be overwritten there, or it would come back after a crash.
        """
        with self._transaction() as database:
            for room, sequence in newest.items():
                number = database.execute(_SETTLE, (room, sequence)).fetchall()[0][0]
                asked = (number << BITS) + sequence
                database.execute(
                    "DELETE FROM lines WHERE id > ? AND id < ?", (asked, (number + 1) << BITS)
                )
                database.execute(_NOT_BEYOND, (number,))
                database.execute(
                    "DELETE FROM topics WHERE room = ? AND sequence > ?", (number, sequence)
                )

    def overdue(self, keep: int, older: int) -> Mapping[str, int]:
        """The rooms that have more than `keep` lines, or older ones."""
        return dict(self._database.execute(_OVERDUE, (keep, older)).fetchall())

    def trim(self, room: str, below: int, older: int, count: int) -> int:
        """Drop the room's oldest lines, and topics that are none any more; how many lines."""
        number = self._number(room)
        if number is None:
            return 0
        with self._transaction() as database:
            database.execute(_TRIM_TOPICS, (number,))
            return database.execute(_TRIM, (number, count, below, older)).rowcount

    def quiet(self, keep: int) -> Mapping[str, int]:
        """Rooms that have been quiet longer than `keep` others."""
        asked = "SELECT key, newest FROM rooms ORDER BY at DESC LIMIT ? OFFSET ?"
        return dict(self._database.execute(asked, (_SOME, keep)).fetchall())

    def forget(self, room: str, newest: int) -> None:
        """Drop a room without lines."""
        number = self._number(room)
        with self._transaction() as database:
            asked = (number, newest)
            if database.execute(
                "DELETE FROM rooms WHERE number = ? AND newest = ?", asked
            ).rowcount:
                database.execute("DELETE FROM topics WHERE room = ?", (number,))

    def forget_sessions(self, keep: int, older: int) -> None:
        """Drop sessions that are older, and all but the newest `keep`."""
        with self._transaction() as database:
            database.execute("DELETE FROM sessions WHERE at < ?", (older,))
            database.execute(
                "DELETE FROM sessions WHERE digest IN"
                " (SELECT digest FROM sessions ORDER BY at DESC LIMIT -1 OFFSET ?)",
                (keep,),
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")
        except Exception:
            with suppress(sqlite3.Error):
                if database.in_transaction:  # SQLite rolls back by itself where it must
                    database.execute("ROLLBACK")
            raise
