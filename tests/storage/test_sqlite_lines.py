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
    assert writing.index(3990)
    steps: list[int] = []
    assert writing._open is not None
    writing._open.set_progress_handler(lambda: steps.append(1), 100)
    for words in ((), ("hel",)):
        rows = writing.rows(Stretch("a", 0, 2001, True, 5, 1 << 17, words))
        assert [row.sequence for row in rows] == [2000, 1999, 1998, 1997, 1996]
    assert len(steps) < 20  # hundreds of steps of SQLite's machine, of thousands of lines
    writing.close()
    store.release()


@pytest.mark.parametrize("indexed", range(7))
def test_a_search_finds_the_same_however_far_the_index_goes(tmp_path: Path, indexed: int) -> None:
    store = SqliteStore(tmp_path)
    store.prepare()
    writing = store.writing()
    texts = ["hello bob", "hell", "bob hello", "100", "hexllo", "hello bobby"]
    lines = [Line("a", n, 0, "said", "x", text, text) for n, text in enumerate(texts, 1)]
    for line in lines[:indexed]:
        writing.write([line], [])
    assert not writing.index(9)
    writing.write(lines[indexed:] or lines[:0], [])
    for stretch, expected in (
        (Stretch("a", 0, 9, True, 9, 1 << 17, ("hel", "bob")), [6, 3, 1]),
        (Stretch("a", 0, 9, False, 9, 1 << 17, ("bob", "hel")), [1, 3, 6]),
        (Stretch("a", 0, 9, True, 2, 1 << 17, ("bob", "hel")), [6, 3]),
        (Stretch("a", 0, 9, False, 2, 1 << 17, ("bob", "hel")), [1, 3]),
        (Stretch("a", 1, 6, True, 9, 1 << 17, ("hel",)), [3, 2]),
        (Stretch("a", 1, 6, False, 1, 1 << 17, ("hel",)), [2]),
        (Stretch("a", 3, 3, False, 9, 1 << 17, ("hel",)), []),
        (Stretch("a", 0, 9, True, 9, 1, ("hel",)), [6, 3]),
        (Stretch("a", 0, 9, True, 9, 1 << 17, ("ello",)), []),
    ):
        assert [row.sequence for row in writing.rows(stretch)] == expected, (indexed, stretch)
    writing.close()
    store.release()


def test_lines_are_indexed_a_few_at_a_time_room_after_room(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.prepare()
    writing = store.writing()
    for room in ("a", "b"):
        writing.write([Line(room, n, 0, "said", "x", "hi", "hi") for n in range(1, 6)], [])
    assert writing._open is not None
    reached = []
    while writing.index(3):
        rows = writing._open.execute("SELECT indexed FROM rooms ORDER BY number").fetchall()
        reached.append(tuple(row[0] for row in rows))
    assert reached == [(3, 0), (5, 1), (5, 4)]
    assert not writing.index(3)
    writing.settle({"a": 2})
    writing.write([Line("a", 3, 0, "said", "x", "ho", "ho")], [])
    assert [row.text for row in writing.rows(Stretch("a", 0, 9, True, 9, 9, ("h",)))] == [
        "ho",
        "hi",
        "hi",
    ]
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
