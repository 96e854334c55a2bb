"""The tables that tasks and users are kept in, and how older ones become these.

What is searched and sorted by is kept folded beside what was given: then no database needs to know
about letters.  PostgreSQL has all of it in a schema of its own.
"""

from __future__ import annotations

from typing import Final

from proto.storage.database import Migrations

SCHEMA: Final = "proto_tasks"
LOCK: Final = 0x70726F746F746173
"""The advisory lock that a transaction holds which changes something."""

_INDEXES: Final = tuple(
    f"CREATE INDEX tasks_by_{name} ON tasks ({name}, id)"
    for name in ("title_folded", "created", "updated", "completed", "owner")
) + tuple(f"CREATE INDEX users_by_{name} ON users ({name}, id)" for name in ("created", "updated"))

SQLITE: Final[Migrations] = (
    (
        "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,"
        " name_folded TEXT NOT NULL UNIQUE, created REAL NOT NULL, updated REAL NOT NULL,"
        " version INTEGER NOT NULL)",
        "CREATE TABLE tasks (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL,"
        " title_folded TEXT NOT NULL, description TEXT NOT NULL,"
        " description_folded TEXT NOT NULL, completed INTEGER NOT NULL,"
        " owner INTEGER REFERENCES users (id), created REAL NOT NULL, updated REAL NOT NULL,"
        " version INTEGER NOT NULL)",
        *_INDEXES,
    ),
)
POSTGRES: Final[Migrations] = (
    (
        "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        ' name text NOT NULL, name_folded text COLLATE "C" NOT NULL UNIQUE,'
        " created double precision NOT NULL, updated double precision NOT NULL,"
        " version bigint NOT NULL)",
        "CREATE TABLE tasks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        ' title text NOT NULL, title_folded text COLLATE "C" NOT NULL,'
        ' description text NOT NULL, description_folded text COLLATE "C" NOT NULL,'
        " completed boolean NOT NULL, owner bigint REFERENCES users (id),"
        " created double precision NOT NULL, updated double precision NOT NULL,"
        " version bigint NOT NULL)",
        *_INDEXES,
    ),
)
"""The statements of each version; moments are in seconds since 1970."""
