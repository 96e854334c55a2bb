"""Many who change the same and many who read: no update is lost, and nobody who reads waits."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from proto.storage.opening import is_url
from proto.storage.tasks_sqlite import FILE
from proto.tasks.errors import VersionConflict
from proto.tasks.query import TaskQuery
from proto.tasks.values import Task, TaskPatch
from tests.storage.postgres import Server
from tests.storage.tasks_asking import PLACES, Asking, asking, draft, place

WRITERS = 1000
ROUND = 30
"""Writers that come again together, when somebody else was first."""


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return place(request, tmp_path)


class Crowd:
    """Writers who each add a line to a task, and who come again when they are told of another."""

    def __init__(self, *stores: Asking) -> None:
        self._stores = stores
        self.late: deque[tuple[int, Task]] = deque()
        self.asked = self.conflicts = 0
        self.done: list[Task] = []

    def write(self, writer: int, task: Task) -> None:
        self.asked += 1
        store = self._stores[writer % len(self._stores)].store
        line = TaskPatch(description=f"{task.description}{writer};")
        asked: Deferred[Task] = store.change_task(task.id, line, task.version)
        asked.addCallbacks(self.done.append, self._again, errbackArgs=(writer,))

    def _again(self, failure: Failure, writer: int) -> None:
        assert isinstance(failure.value, VersionConflict), failure
        assert isinstance(failure.value.current, Task)
        self.conflicts += 1
        self.late.append((writer, failure.value.current))

    def is_answered(self) -> bool:
        return len(self.done) + self.conflicts == self.asked


def test_a_thousand_writers_of_one_task_lose_no_update(where: str) -> None:
    with asking(where) as ask:
        task = ask(ask.store.add_task(draft("a")))
        crowd = Crowd(ask)
        for writer in range(WRITERS):
            crowd.write(writer, task)
        ask.until(crowd.is_answered)
        assert [each.version for each in crowd.done] == [2]  # of one version exactly one wins
        while crowd.late:
            current = max((each for _, each in crowd.late), key=lambda each: each.version)
            for _ in range(min(ROUND, len(crowd.late))):
                writer, _ = crowd.late.popleft()
                crowd.write(writer, current)
            ask.until(crowd.is_answered)
        last = ask(ask.store.task(1))
    assert last is not None
    assert last.version == 1 + WRITERS
    assert sorted(last.description.split(";")[:-1]) == sorted(map(str, range(WRITERS)))
    assert [each.version for each in crowd.done] == list(range(2, WRITERS + 2))


def test_a_thousand_writers_of_many_tasks_lose_no_update_and_readers_are_answered(
    where: str,
) -> None:
    with asking(where) as ask:
        tasks = ask.all(*(ask.store.add_task(draft(f"t{number}")) for number in range(50)))
        crowd = Crowd(ask)
        pages: list[int] = []
        for writer in range(WRITERS):
            crowd.write(writer, tasks[writer % len(tasks)])
            if writer % 10 == 0:
                ask.store.tasks(TaskQuery(text="t1")).addCallback(
                    lambda page: pages.append(page.total)
                )
        while len(crowd.done) < WRITERS:
            ask.until(lambda: bool(crowd.late) or len(crowd.done) == WRITERS)
            while crowd.late:
                crowd.write(*crowd.late.popleft())
        ask.until(lambda: len(pages) == WRITERS // 10)
        assert set(pages) == {11}
        page = ask(ask.store.tasks(TaskQuery(limit=100)))
    assert [task.version for task in page.items] == [1 + WRITERS // 50] * 50
    written = [line for task in page.items for line in task.description.split(";")[:-1]]
    assert sorted(map(int, written)) == list(range(WRITERS))


def test_two_processes_that_change_the_same_lose_no_update(where: str) -> None:
    # Two stores share nothing but the database, as two processes do.
    with asking(where) as one, asking(where) as other:
        task = one(one.store.add_task(draft("a")))
        crowd = Crowd(one, other)
        for writer in range(40):
            crowd.write(writer, task)
        while len(crowd.done) < 40:
            for ask in (one, other):
                ask(ask.store.task(1))
            while crowd.late:
                crowd.write(*crowd.late.popleft())
        last = other(other.store.task(1))
    assert last is not None
    assert last.version == 41
    assert sorted(map(int, last.description.split(";")[:-1])) == list(range(40))


@contextmanager
def held(where: str, server: Server) -> Iterator[None]:
    """Somebody else is within a transaction that changes the tasks."""
    if is_url(where):
        with server.ask(where) as database, database.transaction():
            database.execute("UPDATE proto_tasks.tasks SET title = 'held'")
            yield
    else:
        with closing(sqlite3.connect(f"{where}/{FILE}", isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            file.execute("UPDATE tasks SET title = 'held'")
            yield
            file.execute("COMMIT")


def test_whoever_reads_does_not_wait_for_whoever_writes(where: str, server: Server) -> None:
    with asking(where) as ask:
        ask(ask.store.add_task(draft("a")))
        answers: list[object] = []
        with held(where, server):
            waiting = ask.store.change_task(1, TaskPatch(completed=True), None)
            waiting.addBoth(answers.append)
            for _ in range(20):
                assert ask.titles() == ["a"]
            assert not any(isinstance(each, Task) for each in answers)
        ask.until(lambda: bool(answers))
        task, _ = ask.insist(lambda: ask.store.change_task(1, TaskPatch(completed=True), None))
        assert (task.title, task.completed) == ("held", True)
