from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from proto.storage.tasks_sqlite import SqliteTasks
from proto.storage.tasks_tables import TASKS, USERS, page
from proto.tasks.folding import folded
from proto.tasks.query import (
    CURSOR_MOST,
    TASK_SORTS,
    USER_SORTS,
    SortKey,
    TaskQuery,
    UserQuery,
    cursor,
)
from proto.tasks.values import TITLE_MOST, Task
from tests.storage.tasks_asking import PLACES, asking, draft, place


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return place(request, tmp_path)


class _Plans:
    """A connection that tells how the pages are found."""

    def __init__(self, link: object) -> None:
        self._link = link
        self.plans: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._link, name)

    def execute(self, statement: str, values: object = ()) -> object:
        rows = self._link.execute(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[attr-defined]
        self.plans += [row[3] for row in rows]
        return self._link.execute(statement, values)  # type: ignore[attr-defined]


@pytest.mark.parametrize("descending", [False, True])
def test_every_order_follows_an_index_and_sorts_nothing(tmp_path: Path, descending: bool) -> None:
    database = SqliteTasks(tmp_path)
    database.prepare()
    with closing(database.link("reader")) as link:
        plans = _Plans(link)
        last = Task(
            id=5,
            title="a",
            description="",
            completed=False,
            user=None,
            created=1.0,
            updated=1.0,
            version=1,
        )
        for field in TASK_SORTS:
            order = tuple(dict.fromkeys((SortKey(field, descending), SortKey("id", descending))))
            for after in (None, cursor(last, order)):
                page(plans, TASKS, TaskQuery(sort=order, after=after))  # type: ignore[arg-type]
        for field in USER_SORTS:
            sort = (SortKey(field, descending),)
            page(plans, USERS, UserQuery(sort=sort))  # type: ignore[arg-type]
    assert plans.plans
    assert [plan for plan in plans.plans if "TEMP B-TREE" in plan] == []


def test_the_longest_title_fits_into_every_index_and_cursor(where: str) -> None:
    letters = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    longest = max(letters, key=lambda letter: len(folded(letter).encode())) * TITLE_MOST
    with asking(where) as ask:
        ask.all(*(ask.store.add_task(draft(longest)) for _ in range(2)))
        query = TaskQuery(sort=(SortKey("title"),), limit=1)
        first = ask(ask.store.tasks(query))
        assert first.next is not None
        assert len(first.next) <= CURSOR_MOST
        after = TaskQuery(sort=query.sort, limit=1, after=first.next)
        assert [task.id for task in ask(ask.store.tasks(after)).items] == [2]
