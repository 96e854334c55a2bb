"""The tables of a SQLite file with what is said, and how older ones become these.

Lines have one key, in which the number of their room is above their sequence number, so that a
room's lines lie together.  Each word is indexed with the room's number before it: a search reads
nothing of other rooms, and the order of keys is the order of lines.

Lines are indexed some time after they are stored, many at once: that costs a fifth of indexing each
as it comes.  `rooms.indexed` is the sequence number up to which a room's lines are in the index.
"""

from __future__ import annotations

from typing import Final

from proto.storage.database import Functions, Migrations
from proto.storage.words import words

BITS: Final = 36
"""Of a line's key that are its sequence number; the others are its room's number."""
MASK: Final = (1 << BITS) - 1


_IS_INDEXED: Final = (
    f"{{0}}.id & {MASK} <= (SELECT indexed FROM rooms WHERE number = {{0}}.id >> {BITS})"
)


def indexed(number: int, found_by: str) -> str:
    """The words of a line, with a space between two, as they are indexed in the room's number."""
    if not found_by:
        return ""
    room = f"{number}\u00b7"
    return room + found_by.replace(" ", f" {room}")


def _indexed(row: str) -> str:
    """SQL for the words of a line as they are indexed: `hello bob` in room 7 is `7·hello 7·bob`.

    To the ASCII tokenizer, what is not ASCII is part of a word; no word has a middle dot.
    """
    room = f"({row}.id >> {BITS}) || '\u00b7'"
    others = f"replace({row}.words, ' ', ' ' || {room})"
    return f"CASE {row}.words WHEN '' THEN '' ELSE {room} || {others} END"


MIGRATIONS: Final[Migrations] = (
    (
        "CREATE TABLE lines (room TEXT NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL,"
        " kind TEXT NOT NULL, sender TEXT NOT NULL, text TEXT NOT NULL,"
        " PRIMARY KEY (room, sequence)) WITHOUT ROWID",
    ),
    (
        "CREATE TABLE rooms (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
        " newest INTEGER NOT NULL, at INTEGER NOT NULL)",
        "CREATE TABLE topics (room INTEGER NOT NULL, sequence INTEGER NOT NULL,"
        " sender TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (room, sequence)) WITHOUT ROWID",
        "CREATE TABLE sessions (digest BLOB PRIMARY KEY, name TEXT NOT NULL, room TEXT NOT NULL,"
        " sequence INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID",
        "ALTER TABLE lines RENAME TO lines_1",
        "CREATE TABLE lines (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL,"
        " sender TEXT NOT NULL, text TEXT NOT NULL, words TEXT NOT NULL)",
        f"CREATE VIEW searchable AS SELECT id, {_indexed('lines')} AS words FROM lines",
        "CREATE VIRTUAL TABLE found USING fts5 (words, content = 'searchable',"
        " content_rowid = 'id', tokenize = 'ascii', detail = none, columnsize = 0)",
        "CREATE TRIGGER line_said AFTER INSERT ON lines BEGIN"
        f" INSERT INTO found (rowid, words) VALUES (new.id, {_indexed('new')}); END",
        "CREATE TRIGGER line_dropped AFTER DELETE ON lines BEGIN INSERT INTO found"
        f" (found, rowid, words) VALUES ('delete', old.id, {_indexed('old')}); END",
        f"CREATE VIEW said AS SELECT key AS room, id & {MASK} AS sequence, lines.at, kind, sender,"
        f" text FROM lines JOIN rooms ON number = id >> {BITS}",
        "INSERT INTO rooms (key, newest, at) SELECT room, max(sequence), max(at) FROM lines_1"
        " GROUP BY room",
        f"INSERT INTO lines SELECT (number << {BITS}) | sequence, lines_1.at, kind, sender, text,"
        " words(text) FROM lines_1 JOIN rooms ON key = room ORDER BY 1",
        "DROP TABLE lines_1",
    ),
    # Words are indexed with their lines by who writes them: the trigger took three times as long.
    ("DROP TRIGGER line_said",),
    (
        "ALTER TABLE rooms ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0",
        "UPDATE rooms SET indexed = newest",
        "DROP TRIGGER line_dropped",
        "DROP VIEW searchable",
        f"CREATE VIEW searchable AS SELECT id, {_indexed('lines')} AS words FROM lines"
        f" WHERE {_IS_INDEXED.format('lines')}",
        f"CREATE TRIGGER line_dropped AFTER DELETE ON lines WHEN {_IS_INDEXED.format('old')}"
        " BEGIN INSERT INTO found (found, rowid, words)"
        f" VALUES ('delete', old.id, {_indexed('old')}); END",
    ),
)
"""One for each version of the schema; `at` is in milliseconds since 1970."""

FUNCTIONS: Final[Functions] = {"words": lambda text: " ".join(words(text))}
