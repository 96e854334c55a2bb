"""The tables of a PostgreSQL database with what is said, and how older ones become these.

All of it is in a schema of its own.  Each word is indexed with its room's number before it, as in
`sqlite_schema.py`: a search reads nothing of other rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import LiteralString

SCHEMA: Final = "proto_chat"
LOCK: Final = 0x70726F746F636861
"""The advisory lock that the one process holds which writes."""

VERSIONS: Final = (
    "CREATE SCHEMA proto_chat",
    "CREATE TABLE proto_chat.versions"
    " (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
)
"""What there is before the first version."""

MIGRATIONS: Final[Sequence[Sequence[LiteralString]]] = (
    (
        "CREATE TABLE proto_chat.writer (mark text NOT NULL)",
        "INSERT INTO proto_chat.writer VALUES ('')",
        "CREATE TABLE proto_chat.rooms ("
        " number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        ' key text COLLATE "C" NOT NULL UNIQUE, newest bigint NOT NULL, at bigint NOT NULL'
        ") WITH (fillfactor = 50)",
        "CREATE TABLE proto_chat.lines ("
        " room bigint NOT NULL, sequence bigint NOT NULL, at bigint NOT NULL, kind text NOT NULL,"
        " sender text NOT NULL, text text NOT NULL, words tsvector NOT NULL,"
        " PRIMARY KEY (room, sequence))",
        "CREATE INDEX found ON proto_chat.lines USING gin (words)",
        "CREATE TABLE proto_chat.topics (room bigint NOT NULL, sequence bigint NOT NULL,"
        " sender text NOT NULL, text text NOT NULL, PRIMARY KEY (room, sequence))",
        "CREATE TABLE proto_chat.sessions (digest bytea PRIMARY KEY, name text NOT NULL,"
        " room text NOT NULL, sequence bigint NOT NULL, at bigint NOT NULL)",
    ),
)
"""One for each version of the schema; `at` is in milliseconds since 1970."""
