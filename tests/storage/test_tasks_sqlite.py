from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from queue import Queue

import pytest
from twisted.logger import capturedLogs

from proto.errors import StartError
from proto.storage.tasks import DurableTasks
from proto.storage.tasks_sqlite import FILE, SqliteTasks, check
from proto.tasks.query import TaskQuery
from tests.storage.tasks_asking import DEADLINE, asking, draft
from tests.system.programs import ROOT, Program

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"


def test_every_commit_is_synced(tmp_path: Path) -> None:
    database = SqliteTasks(tmp_path)
    database.prepare()
    with closing(database.link("writer")) as link:
        assert link.execute("PRAGMA synchronous") == [(2,)]
        assert link.execute("PRAGMA journal_mode") == [("wal",)]


def test_a_folder_that_is_taken_away_is_made_anew_and_then_kept(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with asking(str(folder)) as ask:
        ask(ask.store.add_task(draft("a")))
        assert ask.titles() == ["a"]
        shutil.rmtree(folder)
        task, _ = ask.insist(lambda: ask.store.add_task(draft("b")))
        assert ask.titles() == ["b"]
    with asking(str(folder)) as ask:
        assert ask(ask.store.task(task.id)) == task


def test_a_log_that_was_left_is_not_taken_for_that_of_a_new_file(tmp_path: Path) -> None:
    with asking(str(tmp_path)) as ask:
        ask(ask.store.add_task(draft("a")))
        (tmp_path / FILE).unlink()
        ask.insist(lambda: ask.store.add_task(draft("b")))
        assert ask.titles() == ["b"]


def test_a_read_that_takes_too_long_is_ended_and_the_connection_is_good(tmp_path: Path) -> None:
    database = SqliteTasks(tmp_path, longest=0.05)
    database.prepare()
    with closing(database.link("reader")) as link:
        with pytest.raises(sqlite3.OperationalError) as error, link.snapshot():
            link.execute(ENDLESS)
        trouble = database.trouble(error.value)
        assert trouble is not None
        assert (trouble.why, trouble.lost) == ("that takes too long", False)
        with link.snapshot():
            assert link.execute("SELECT count(*) FROM tasks") == [(0,)]
        assert not link.within()


def test_another_program_that_keeps_the_lock_is_waited_for_but_not_for_ever(
    tmp_path: Path,
) -> None:
    database = SqliteTasks(tmp_path, patience=0.05)
    database.prepare()
    with (
        closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other,
        closing(database.link("writer")) as link,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as error:
            link.begin()
        trouble = database.trouble(error.value)
        assert trouble is not None
        assert (trouble.why, trouble.lost) == ("another process is changing them", False)
        other.execute("COMMIT")
        link.begin()
        assert link.within()
        link.rollback()
        link.rollback()
        assert not link.within()


def test_a_savepoint_is_lost_with_the_transaction_that_a_full_disk_ended(tmp_path: Path) -> None:
    database = SqliteTasks(tmp_path)
    database.prepare()
    with closing(database.link("writer")) as link:
        link.begin()
        part = link.apart()
        part.__enter__()
        link.rollback()  # as SQLite does by itself then
        error = sqlite3.OperationalError("database or disk is full")
        assert not part.__exit__(type(error), error, None)
        assert not link.within()


def test_an_interrupted_read_says_so(tmp_path: Path) -> None:
    database = SqliteTasks(tmp_path)
    database.interrupt()  # nobody reads yet
    database.prepare()
    link = database.link("reader")
    link.close()
    database.interrupt()  # nor any more


def test_processes_that_start_at_once_make_one_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from proto.storage.tasks_sqlite import SqliteTasks;"
        "sys.stdin.readline(); SqliteTasks(Path(sys.argv[1])).prepare(); print('made')"
    )
    command = (sys.executable, "-c", code, str(tmp_path / "state"))
    with Program(*command, cwd=ROOT) as one, Program(*command, cwd=ROOT) as other:
        for program in (one, other):
            program.type("\n")
        for program in (one, other):
            program.wait_for("made")
            assert program.end() == 0, program.output
    check(tmp_path / "state")


def test_a_store_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="Not a directory; choose a folder"):
        check(tmp_path / "file" / "state")
    with pytest.raises(StartError, match="choose a folder"):
        SqliteTasks(tmp_path / "file").prepare()
    (tmp_path / FILE).write_text("this is no database" * 100)
    with pytest.raises(StartError, match="file is not a database; move it away"):
        check(tmp_path)
    with pytest.raises(StartError, match="file is not a database; move it away"):
        SqliteTasks(tmp_path).prepare()


def test_trouble_with_a_file_is_logged_once_and_its_end_too(tmp_path: Path) -> None:
    with asking(str(tmp_path)) as ask, capturedLogs() as events:
        ask(ask.store.add_task(draft("a")))
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
            other.execute("ALTER TABLE tasks RENAME TO hidden")
            answers = ask.all(*(ask.store.tasks(TaskQuery()) for _ in range(3)))
            assert {str(each) for each in answers} == {"The tasks cannot be kept at present."}
            other.execute("ALTER TABLE hidden RENAME TO tasks")
        assert ask.titles() == ["a"]
    told = [event["log_format"] for event in events if event.get("deed") == "read"]
    assert told == ["{name} cannot be {deed}: {why}", "{name} can be {deed} again"]


def test_the_end_does_not_wait_for_another_programs_lock_for_ever(tmp_path: Path) -> None:
    handed: Queue[Callable[[], None]] = Queue()
    store = DurableTasks(SqliteTasks(tmp_path), handed.put, patience=0.1)
    store.start()
    stored: list[object] = []
    closed: list[None] = []
    with (
        closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other,
        capturedLogs() as events,
    ):
        other.execute("BEGIN IMMEDIATE")
        store.add_task(draft("a")).addBoth(stored.append)
        store.close().addCallback(closed.append)
        while not closed:
            handed.get(timeout=DEADLINE)()
        assert stored == []
    assert [event["waiting"] for event in events] == [1]
    while not stored:
        handed.get(timeout=DEADLINE)()
