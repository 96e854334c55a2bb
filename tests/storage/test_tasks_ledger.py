from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proto.storage.tasks_ledger import Ledger
from proto.storage.tasks_sqlite import SqliteLink, SqliteTasks
from proto.tasks.errors import NameTaken, NoSuch, NoSuchUser, VersionConflict
from proto.tasks.values import TaskPatch, UserDraft, UserPatch
from tests.storage.tasks_asking import draft


class Counted:
    """A connection that remembers what it was asked."""

    def __init__(self, link: SqliteLink) -> None:
        self._link = link
        self.asked: list[str] = []
        self.begun = 0

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        self.asked.append(statement.split()[0])
        return self._link.execute(statement, values)

    @contextmanager
    def apart(self) -> Iterator[None]:
        self.begun += 1
        with self._link.apart():
            yield

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)


@pytest.fixture
def link(tmp_path: Path) -> Iterator[Counted]:
    database = SqliteTasks(tmp_path)
    database.prepare()
    link = database.link("writer")
    link.begin()
    yield Counted(link)
    link.close()


def test_a_thousand_who_come_too_late_ask_the_database_once(link: Counted) -> None:
    Ledger(link, 1.0).add_task(draft("a"))
    link.asked.clear()
    ledger = Ledger(link, 2.0)
    ledger.change_task(1, TaskPatch(title="b"), 1)
    for _ in range(1000):
        with pytest.raises(VersionConflict):
            ledger.change_task(1, TaskPatch(title="c"), 1)
    assert link.asked == ["SELECT", "UPDATE"]


def test_what_is_refused_is_refused_before_anything_is_written(link: Counted) -> None:
    ledger = Ledger(link, 1.0)
    for name in ("Ann", "Eve"):
        ledger.add_user(UserDraft(name=name))
    ledger.add_task(draft("a", user=1))
    begun = link.begun
    with pytest.raises(NameTaken):
        ledger.add_user(UserDraft(name="ann"))
    with pytest.raises(NameTaken):
        ledger.change_user(2, UserPatch(name="ANN"), None)
    with pytest.raises(NoSuchUser):
        ledger.add_task(draft("b", user=3))
    with pytest.raises(NoSuchUser):
        ledger.change_task(1, TaskPatch(user=3), 1)
    with pytest.raises(VersionConflict):
        ledger.remove_user(1, 2)
    with pytest.raises(NoSuch):
        ledger.remove_task(2, None)
    assert link.begun == begun


def test_what_is_remembered_of_a_transaction_is_what_the_tables_say(link: Counted) -> None:
    ledger = Ledger(link, 1.0)
    ledger.add_user(UserDraft(name="Ann"))
    task = ledger.add_task(draft("a", user=1))
    assert Ledger(link, 2.0).change_task(1, TaskPatch(), 1) == task
    ledger.remove_user(1, 1)
    freed = ledger.change_task(1, TaskPatch(), None)
    assert (freed.user, freed.version) == (None, 2)
    assert Ledger(link, 2.0).change_task(1, TaskPatch(), 2) == freed
    with pytest.raises(NoSuch):
        ledger.change_user(1, UserPatch(), None)
    changed = ledger.change_task(1, TaskPatch(completed=True), 2)
    assert Ledger(link, 2.0).change_task(1, TaskPatch(), 3) == changed
    ledger.remove_task(1, 3)
    for each in (ledger, Ledger(link, 2.0)):
        with pytest.raises(NoSuch):
            each.change_task(1, TaskPatch(), None)


def test_a_patch_changes_only_what_it_names(link: Counted) -> None:
    ledger = Ledger(link, 1.0)
    ledger.add_user(UserDraft(name="Ann"))
    ledger.add_task(draft("a", description="d", completed=True, user=1))
    patches = (
        (TaskPatch(title="b"), ("b", "d", True, 1)),
        (TaskPatch(description=""), ("b", "", True, 1)),
        (TaskPatch(completed=False), ("b", "", False, 1)),
        (TaskPatch(user=None), ("b", "", False, None)),
        (TaskPatch(user=1), ("b", "", False, 1)),
    )
    for patch, expected in patches:
        task = ledger.change_task(1, patch, None)
        assert (task.title, task.description, task.completed, task.user) == expected
        assert (task.created, task.updated) == (1.0, 1.0)
