"""Batches of changes, with each of the real databases and a connection that can be made to fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proto.storage.opening import is_url
from proto.storage.store import Trouble
from proto.storage.tasks_answering import Changes, Lookups
from proto.storage.tasks_database import Database, Link, Role
from proto.storage.tasks_ledger import Ledger
from proto.storage.tasks_postgres import PostgresTasks
from proto.storage.tasks_sqlite import SqliteTasks
from proto.storage.tasks_tables import TASKS, one
from proto.storage.troubles import Troubles
from proto.tasks.errors import StoreFailed, VersionConflict
from proto.tasks.values import Task, TaskPatch
from tests.storage.tasks_asking import PLACES, draft, place


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return place(request, tmp_path)


class CutError(Exception):
    """The connection was cut."""


class Breaking:
    """A database whose commits, and whose connections, fail while it is told so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.name = database.name
        self.fail = ""
        self.opened = 0

    def link(self, role: Role) -> Any:
        if self.fail == "link":
            raise CutError
        self.opened += 1
        return _Link(self._database.link(role), self)

    def trouble(self, error: Exception) -> Trouble | None:
        if isinstance(error, CutError):
            return Trouble("the line is cut", "cut", lost=True)
        return self._database.trouble(error)

    def prepare(self) -> None:
        self._database.prepare()

    def interrupt(self) -> None:
        self._database.interrupt()


class _Link:
    def __init__(self, link: Link, breaking: Breaking) -> None:
        self._link = link
        self._breaking = breaking

    def __getattr__(self, name: str) -> Any:
        if self._breaking.fail == name:
            raise CutError
        return getattr(self._link, name)


@pytest.fixture
def breaking(where: str) -> Breaking:
    database = PostgresTasks(where) if is_url(where) else SqliteTasks(Path(where))
    breaking = Breaking(database)
    breaking.prepare()
    return breaking


@pytest.fixture
def changes(breaking: Breaking) -> Iterator[Changes]:
    changes = Changes(breaking, Troubles("tasks"), lambda: 1.0)
    yield changes
    changes.close()


@pytest.fixture
def lookups(breaking: Breaking) -> Iterator[Lookups]:
    lookups = Lookups(breaking, Troubles("tasks"))
    yield lookups
    lookups.close()


def adding(title: str) -> Any:
    return lambda ledger: ledger.add_task(draft(title))


def titles(lookups: Lookups) -> list[str]:
    rows = lambda link: link.execute("SELECT title FROM tasks ORDER BY id")  # noqa: E731
    (answer,), _ = lookups.answers([rows])
    assert isinstance(answer, list), answer
    return [title for (title,) in answer]


def halfway(ledger: Ledger) -> None:
    """Writes something, and then fails in a way that nobody expected."""
    with ledger._link.apart():
        ledger._link.execute("DELETE FROM tasks")
        ledger._link.execute("SELECT no_such_column FROM tasks")


def test_a_change_that_fails_is_undone_alone(changes: Changes, lookups: Lookups) -> None:
    answers, notes = changes.answers([adding("a"), halfway, adding("b")])
    assert [type(each) for each in answers] == [Task, StoreFailed, Task]
    assert notes
    assert titles(lookups) == ["a", "b"]
    answers, notes = changes.answers([adding("c")])
    assert isinstance(answers[0], Task)


def test_a_text_that_no_database_takes_fails_alone(changes: Changes, lookups: Lookups) -> None:
    bad: Any = SimpleNamespace(title="\ud83d", description="", completed=False, user=None)
    answers, _ = changes.answers([adding("a"), lambda ledger: ledger.add_task(bad), adding("b")])
    assert [type(each) for each in answers] == [Task, StoreFailed, Task]
    assert titles(lookups) == ["a", "b"]


@pytest.mark.parametrize("when", ["begin", "commit"])
def test_where_the_commit_fails_everything_has_failed(
    breaking: Breaking, changes: Changes, lookups: Lookups, when: str
) -> None:
    changes.answers([adding("a")])
    breaking.fail = when
    late = lambda ledger: ledger.change_task(1, TaskPatch(title="c"), 7)  # noqa: E731
    answers, _ = changes.answers([adding("b"), late])
    assert [type(each) for each in answers] == [StoreFailed, StoreFailed]
    assert {getattr(each, "reason", None) for each in answers} == {"the line is cut"}
    assert titles(lookups) == ["a"]
    breaking.fail = ""
    answers, _ = changes.answers([adding("c"), late])
    assert [type(each) for each in answers] == [Task, VersionConflict]
    assert titles(lookups) == ["a", "c"]


def test_a_database_that_cannot_be_reached_is_tried_again_with_the_next(
    breaking: Breaking, changes: Changes, lookups: Lookups
) -> None:
    breaking.fail = "link"
    for thread in (changes, lookups):
        answers, _ = thread.answers([lambda it: it, lambda it: it])
        assert [type(each) for each in answers] == [StoreFailed, StoreFailed]
    breaking.fail = ""
    answers, _ = changes.answers([adding("a")])
    assert isinstance(answers[0], Task)
    assert titles(lookups) == ["a"]


def test_a_question_that_fails_fails_alone_and_the_connection_is_used_again(
    breaking: Breaking, changes: Changes, lookups: Lookups
) -> None:
    changes.answers([adding("a")])
    found, _ = lookups.answers([lambda link: one(link, TASKS, 1)])
    opened = breaking.opened
    answers, notes = lookups.answers([lambda link: 1 // 0, lambda link: one(link, TASKS, 1)])
    assert isinstance(answers[0], StoreFailed)
    assert answers[1:] == found
    assert notes
    titles(lookups)
    assert breaking.opened == opened + 1  # for what nobody expected, only once
