"""Pages and orders of each database against a plain list, which has no SQL and no index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.tasks.folding import folded
from proto.tasks.query import (
    TASK_SORTS,
    Cursor,
    Page,
    SortKey,
    TaskQuery,
    ordered,
    sort_values,
    sorting,
)
from proto.tasks.values import Task, TaskPatch
from tests.storage.postgres import Server
from tests.storage.tasks_asking import Asking, asking, draft

EXAMPLES: Final = settings(max_examples=40, deadline=None)
TITLES = st.sampled_from(
    ["a", "A", "b", "\u00c4", "a\u0308", "z", "\U0001f600", "\uffee", "\u00df"]
)
ORDERS = ("", "-id", "title", "-created", "completed,-id", "-completed,title", "-updated,title,id")
SORTS = st.sampled_from([sorting(each, TASK_SORTS) for each in (*ORDERS, "title,-created")])
WANTED = st.fixed_dictionaries(
    {
        "completed": st.sampled_from([None, None, None, True, False]),
        "text": st.sampled_from(["", "", "", "", "a", "\u00e4", "SS", "\U0001f600"]),
        "sort": SORTS,
        "limit": st.integers(1, 3),
    }
)
CHANGES = st.one_of(
    st.tuples(st.just("add"), TITLES, st.booleans()),
    st.tuples(st.just("add"), TITLES, st.booleans()),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("change"), st.integers(0, 9), TITLES, st.booleans()),
    st.tuples(st.just("tick")),
)
ADDED = st.tuples(st.just("add"), TITLES, st.booleans())
MANY = st.tuples(
    st.lists(ADDED, min_size=5, max_size=12), st.lists(CHANGES, min_size=2, max_size=12)
).map(lambda deeds: [*deeds[0], *deeds[1]])
"""So many that most queries have several pages."""
MEANWHILE = st.lists(st.lists(CHANGES, min_size=1, max_size=3), min_size=2, max_size=6)
Deeds: TypeAlias = list[tuple[Any, ...]]


class Clock:
    """A clock that stands still unless it is told: many tasks are of one moment."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Both:
    """A store, and a plain list of what is in it."""

    def __init__(self, ask: Asking, clock: Clock) -> None:
        self.ask = ask
        self.clock = clock
        self.tasks: dict[int, Task] = {}

    def empty(self) -> None:
        while tasks := self.ask(self.ask.store.tasks(TaskQuery(limit=100))).items:
            self.ask.all(*(self.ask.store.remove_task(task.id, None) for task in tasks))
        self.tasks = {}

    def change(self, deed: tuple[Any, ...]) -> None:
        ids = list(self.tasks)
        match deed:
            case ("tick",):
                self.clock.now += 0.1
            case ("add", title, completed):
                task = self.ask(self.ask.store.add_task(draft(title, completed=completed)))
                self.tasks[task.id] = task
            case ("remove", place) if ids:
                self.ask(self.ask.store.remove_task(id := ids[place % len(ids)], None))
                del self.tasks[id]
            case ("change", place, title, completed) if ids:
                patch = TaskPatch(title=title, completed=completed)
                id = ids[place % len(ids)]
                self.tasks[id] = self.ask(self.ask.store.change_task(id, patch, None))

    def page(self, **query: Any) -> Page[Task]:
        return self.ask(self.ask.store.tasks(TaskQuery(**query)))

    def wanted(
        self, sort: Sequence[SortKey], completed: bool | None, text: str, limit: int = 0
    ) -> list[Task]:
        """What a query asks for, in its order."""
        found = [
            task
            for task in self.tasks.values()
            if completed in (None, task.completed)
            and folded(text) in folded(task.title) + "\0" + folded(task.description)
        ]
        order = ordered(sort)
        for place, key in reversed(list(enumerate(order))):
            found.sort(
                key=lambda task, place=place: sort_values(task, order)[place],  # type: ignore[misc]
                reverse=key.descending,
            )
        return found


@contextmanager
def opened(where: str) -> Iterator[Both]:
    clock = Clock()
    with asking(where, clock) as ask:
        yield Both(ask, clock)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A store for all the examples of a test."""
    with opened(str(tmp_path_factory.mktemp("tasks"))) as both:
        yield both


@pytest.fixture(scope="module")
def postgres(server: Server) -> Iterator[Both]:
    """The same, in a real server."""
    with opened(server.new()) as both:
        yield both


@EXAMPLES
@given(MANY, WANTED, st.integers(0, 12), MEANWHILE)
def test_sqlite_gives_the_pages_of_a_plain_list(
    sqlite: Both, before: Deeds, wanted: dict[str, Any], offset: int, meanwhile: list[Deeds]
) -> None:
    compare(sqlite, before, wanted, offset, meanwhile)


@EXAMPLES
@given(MANY, WANTED, st.integers(0, 12), MEANWHILE)
def test_postgresql_gives_the_pages_of_a_plain_list(
    postgres: Both, before: Deeds, wanted: dict[str, Any], offset: int, meanwhile: list[Deeds]
) -> None:
    compare(postgres, before, wanted, offset, meanwhile)


def compare(
    both: Both, before: Deeds, wanted: dict[str, Any], offset: int, meanwhile: list[Deeds]
) -> None:
    both.empty()
    for deed in before:
        both.change(deed)
    the_page_at_an_offset_is_that_of_the_list(both, wanted, offset)
    there_and_back_again_is_the_same(both, wanted)
    what_stays_comes_once_while_others_come_and_go(both, wanted, meanwhile)


def the_page_at_an_offset_is_that_of_the_list(
    both: Both, wanted: dict[str, Any], offset: int
) -> None:
    found = both.wanted(**wanted)
    page = both.page(**wanted, offset=offset)
    end = offset + wanted["limit"]
    assert page.items == tuple(found[offset:end])
    assert page.total == len(found)
    assert (page.next is not None) == (end < len(found))
    assert (page.prev is not None) == (0 < offset < len(found))


def there_and_back_again_is_the_same(both: Both, wanted: dict[str, Any]) -> None:
    pages = [page := both.page(**wanted)]
    while page.next is not None:
        pages.append(page := both.page(**wanted, after=page.next))
    assert [task for each in pages for task in each.items] == both.wanted(**wanted)
    while page.prev is not None:
        pages.pop()
        page = both.page(**wanted, after=page.prev)
        assert page.items == pages[-1].items
        assert page.next == pages[-1].next
    assert len(pages) == 1


def what_stays_comes_once_while_others_come_and_go(
    both: Both, wanted: dict[str, Any], meanwhile: list[Deeds]
) -> None:
    staying = both.wanted(**wanted)
    seen: list[Task] = []
    after: Cursor | None = None
    while True:
        page = both.page(**wanted, after=after)
        seen += page.items
        after = page.next
        if after is None:
            break
        for deed in meanwhile.pop() if meanwhile else ():
            both.change(deed)
        now = both.wanted(**wanted)
        staying = [task for task in staying if task in now]
    assert [task for task in seen if task in staying] == staying
    versions = [(task.id, task.version) for task in seen]
    assert len(set(versions)) == len(versions)
