from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from proto.storage.database import prepare
from proto.storage.pruning import Keep
from proto.storage.sqlite import FILE, SqliteStore
from proto.storage.sqlite_schema import FUNCTIONS, MIGRATIONS
from tests.storage.waiting import Asker


def test_what_the_first_version_kept_is_there_and_is_found(tmp_path: Path) -> None:
    path = tmp_path / FILE
    prepare(path, MIGRATIONS[:1])
    rows = [
        ("lobby", 7, 1000, "said", "bob", "Caf\u00e9 one"),
        ("lobby", 8, 1001, "emoted", "eve", "waves"),
        ("den", 1, 999, "said", "bob", "cafe two"),
        ("d'en \u00e9", 1, 998, "said", "bob", "!!"),
    ]
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?)", rows)
    asker = Asker(tmp_path)
    asker.log.start()
    assert asker.lines("lobby") == [(7, "Caf\u00e9 one"), (8, "waves")]
    assert asker.found("lobby", "cafe") == ["Caf\u00e9 one"]
    assert asker.found("den", "cafe") == ["cafe two"]
    assert asker.insist("lobby", "next")[0].sequence == 9
    asker.log.close()
    with closing(sqlite3.connect(path)) as database:
        said = "SELECT * FROM said WHERE sequence < 9 ORDER BY at DESC"
        assert database.execute(said).fetchall() == [rows[1], rows[0], *rows[2:]]
        assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_whoever_drops_a_line_by_hand_drops_it_from_the_index_too(tmp_path: Path) -> None:
    prepare(tmp_path / FILE, MIGRATIONS, FUNCTIONS)
    asker = Asker(tmp_path)
    asker.log.start()
    for text in ("keep this", "drop this", "!!"):
        asker.insist("lobby", text)
    asker.log.close()
    index(tmp_path, 9)
    with closing(sqlite3.connect(tmp_path / FILE)) as database, database:
        database.execute("DELETE FROM lines WHERE text LIKE 'drop%'")
        found = "SELECT rowid & 255 FROM found WHERE found MATCH '\"1\u00b7this\"*'"
        assert database.execute(found).fetchall() == [(1,)]
        database.execute("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")
        database.execute("INSERT INTO found (found) VALUES ('rebuild')")
        assert database.execute(found).fetchall() == [(1,)]


def test_what_is_dropped_before_it_is_indexed_leaves_the_index_right(tmp_path: Path) -> None:
    asker = Asker(tmp_path)
    asker.log.start()
    asker.insist("lobby", "first")
    asker.log.close()
    index(tmp_path, 9)
    with closing(sqlite3.connect(tmp_path / FILE)) as database, database:
        # As if the last process had ended before it came to these.
        room = "SELECT number << 36 | newest + ? FROM rooms"
        for number in (1, 2):
            database.execute(
                f"INSERT INTO lines VALUES (({room}), 0, 'said', 'x', 'y', 'later')", (number,)
            )
        database.execute("UPDATE rooms SET newest = newest + 2")
        database.execute("DELETE FROM lines WHERE id & 255 = 2")
        database.execute("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")
    index(tmp_path, 9)
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        found = "SELECT rowid & 255 FROM found WHERE found MATCH '\"1\u00b7later\"'"
        assert database.execute(found).fetchall() == [(3,)]
        database.execute("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")


def index(folder: Path, most: int) -> None:
    """Let all lines of the chat in that folder be in the index."""
    store = SqliteStore(folder)
    store.prepare()
    writing = store.writing()
    assert writing.index(most) is False
    writing.close()
    store.release()


def test_the_index_is_that_of_the_lines_after_writing_and_after_dropping(tmp_path: Path) -> None:
    asker = Asker(tmp_path, keep=Keep(lines=3))
    asker.log.start()
    for text in ("hello bob", "!!", "caf\u00e9 hello", "one", "two hello", "three"):
        asker.insist("lobby", text)
        asker.insist("den", text)
    asker.log.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        (count,) = database.execute("SELECT count(*) FROM lines").fetchone()
        assert count < 12
        # It raises where the index is not that of the content.
        database.execute("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)")
