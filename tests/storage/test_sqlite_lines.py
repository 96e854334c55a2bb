from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from proto.storage.sqlite import SqliteStore
from proto.storage.store import Line, Stretch


def test_neither_reading_nor_searching_looks_through_all_the_lines(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.prepare()
    writing = store.writing()
    for number, room in enumerate(("a", "b"), 1):
        lines = [Line(room, n, 0, "said", "x", "hello", "hello") for n in range(1, 2001)]
        writing.write(lines, [])
        assert writing._number(room) == number
    steps: list[int] = []
    assert writing._open is not None
    writing._open.set_progress_handler(lambda: steps.append(1), 100)
    for words in ((), ("hel",)):
        rows = writing.rows(Stretch("a", 0, 2001, True, 5, 1 << 17, words))
        assert [row.sequence for row in rows] == [2000, 1999, 1998, 1997, 1996]
    assert len(steps) < 20  # hundreds of steps of SQLite's machine, of thousands of lines
    writing.close()
    store.release()


def test_nothing_of_a_transaction_that_fails_is_kept(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.prepare()
    writing = store.writing()
    twice = [Line("a", n, 0, "topic", "x", "y", "y") for n in (1, 2, 2)]
    with pytest.raises(sqlite3.IntegrityError):
        writing.write(twice, [])
    assert writing.newest(["a"]) == {}
    assert writing.rows(Stretch("a", 0, 9, True, 5, 1 << 17)) == []
    writing.write(twice[:2], [])
    assert writing.newest(["a"]) == {"a": 2}
    writing.close()
    store.release()


def test_a_connection_that_another_thread_closed_is_no_more_alive(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.prepare()
    reading = store.reading()
    assert reading.alive()
    store.interrupt()
    reading.close()
    assert not reading.alive()
    with pytest.raises(sqlite3.InterfaceError) as refused:
        reading.rows(Stretch("a", 0, 9, True, 5, 1 << 17))
    trouble = store.trouble(refused.value)
    assert trouble is not None
    assert trouble.lost
    store.release()
