"""What the store of tasks promises when a process, a disk or a database ends under it."""

from __future__ import annotations

import re
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from proto.storage.tasks_sqlite import FILE
from proto.tasks.errors import StoreFailed
from proto.tasks.values import TaskPatch
from tests.storage.postgres import Server, running
from tests.storage.tasks_asking import asking, draft
from tests.system.disks import SmallDisk
from tests.system.programs import ROOT, Program

VICTIM = (sys.executable, "-m", "tests.storage.tasks_victim")
KILLS = 5
SAID = 40
"""Changes that the victim is told of before it is killed."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One with few databases: the more it has, the longer it takes to come back from a crash."""
    with running() as server:
        yield server


def stored(output: str) -> dict[int, int]:
    """The newest version of each task that the victim was told of."""
    told = re.findall(r"^stored (\d+) (\d+)$", output, re.MULTILINE)
    return {int(id): int(version) for id, version in told}


def check(folder: Path, promised: dict[int, int]) -> None:
    """Everything promised is there, whole; nothing is there by half."""
    with closing(sqlite3.connect(folder / FILE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute("SELECT id, version, title, completed FROM tasks").fetchall()
    versions = {id: version for id, version, _, _ in rows}
    lost = {id for id, version in promised.items() if versions.get(id, 0) < version}
    assert promised
    assert lost == set()
    assert all((title[-1] == "!") == completed == (v == 2) for _, v, title, completed in rows)


def test_a_process_that_is_killed_loses_nothing_it_was_answered(tmp_path: Path) -> None:
    promised: dict[int, int] = {}
    for _ in range(KILLS):
        with Program(*VICTIM, str(tmp_path), cwd=ROOT) as victim:
            end = 0
            for _ in range(SAID):
                end = victim.wait_for(r"^stored \d+ 2$", after=end).end()
            assert victim.end(signal.SIGKILL) == -signal.SIGKILL
            assert not promised.keys() & stored(victim.output).keys()  # no id comes again
            promised |= stored(victim.output)
        check(tmp_path, promised)


def test_a_full_disk_fails_what_is_asked_and_breaks_nothing(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "small", "4m") as disk:
        folder = str(tmp_path / "small")
        with Program(*VICTIM, folder, cwd=ROOT, prefix=disk.prefix) as victim:
            victim.wait_for(r"stored \d+ 2")
            disk.find(victim.process.pid)
            disk.fill()
            victim.wait_for(r"failed the disk is full")
            full = len(victim.output)
            disk.clear()
            victim.wait_for(r"stored \d+ 2", after=full)
            victim.end(signal.SIGKILL)
            promised = stored(victim.output)
        disk.copy(tmp_path / "copy")
    check(tmp_path / "copy", promised)


def test_a_server_that_stops_and_comes_back_fails_what_is_asked_meanwhile(server: Server) -> None:
    with capturedLogs() as events, asking(server.new()) as ask:
        store = ask.store
        tasks = [ask(store.add_task(draft("a"))), ask(store.add_task(draft("b")))]
        assert ask(store.task(1)) == tasks[0]
        server.crash()
        try:
            answers = ask.all(
                store.add_task(draft("meanwhile")),
                store.change_task(1, TaskPatch(title="meanwhile"), None),
                store.task(1),
            )
            assert [type(each) for each in answers] == [StoreFailed] * 3
            assert {each.reason for each in answers} == {"the database is away"}
        finally:
            server.start()
        task, reasons = ask.insist(lambda: store.change_task(1, TaskPatch(title="c"), 1))
        assert (task.title, task.version) == ("c", 2)
        again, others = ask.insist(lambda: store.task(2))
        assert again == tasks[1]
        assert reasons | others <= {"the database is away"}
        assert ask.titles() == ["c", "b"]
    told = [event["log_format"] for event in events if event.get("deed") == "written"]
    assert told[0] == "{name} cannot be {deed}: {why}"
    assert told[-1] == "{name} can be {deed} again"
    assert told.count(told[-1]) == 1


@pytest.mark.parametrize("gone", ["tables", "database's process"])
def test_a_connection_that_ends_is_opened_again(server: Server, gone: str) -> None:
    where = server.new()
    with asking(where) as ask:
        ask(ask.store.add_task(draft("a")))
        assert ask.titles() == ["a"]
        with server.ask(where) as database:
            if gone == "tables":
                database.execute("DROP SCHEMA proto_tasks CASCADE")
            else:
                database.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'proto tasks%'"
                )
        task, _ = ask.insist(lambda: ask.store.add_task(draft("b")))
        assert ask.insist(lambda: ask.store.task(task.id)) == (task, set())
        assert ask.titles() == (["b"] if gone == "tables" else ["a", "b"])
