"""What is asked of the tables: cursors, searches and orders, with each of the real databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from proto.tasks.errors import BadCursor
from proto.tasks.folding import folded
from proto.tasks.query import TASK_SORTS, Cursor, Page, SortKey, TaskQuery, UserQuery, sorting
from proto.tasks.values import UserDraft
from tests.storage.tasks_asking import PLACES, asking, draft, place


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return place(request, tmp_path)


def test_a_cursor_goes_on_where_its_row_was_removed(where: str) -> None:
    with asking(where) as ask:
        store = ask.store
        for title in "abcde":
            ask(store.add_task(draft(title)))
        sort = sorting("title", TASK_SORTS)
        page = ask(store.tasks(TaskQuery(sort=sort, limit=2)))
        ask(store.remove_task(2, None))
        ask(store.add_task(draft("a")))
        page = ask(store.tasks(TaskQuery(sort=sort, limit=2, after=page.next)))
        assert [task.title for task in page.items] == ["c", "d"]
        for id in (1, 6):
            ask(store.remove_task(id, None))
        first = ask(store.tasks(TaskQuery(sort=sort, limit=2, after=page.prev)))
        assert first == Page(items=(), total=3)


def test_a_cursor_of_another_order_is_refused(where: str) -> None:
    with asking(where) as ask:
        for title in "ab":
            ask(ask.store.add_task(draft(title)))
        page = ask(ask.store.tasks(TaskQuery(limit=1)))
        with pytest.raises(BadCursor):
            ask(ask.store.tasks(TaskQuery(sort=(SortKey("title"),), after=page.next)))
        with pytest.raises(BadCursor):
            ask(ask.store.users(UserQuery(after=Cursor("' OR 1=1"))))


SEARCHED = [
    "100% sure",
    "100 sure",
    "under_score",
    "underXscore",
    "back\\slash",
    "\u00dcBERGR\u00d6SSE",
    "gro\u0308\u00dfe",
    "\u0130stanbul",
    "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
    "smile \U0001f600 \U0001f468\u200d\U0001f469",
    "two\nlines",
    "Mixed CASE",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%", ["100% sure"]),
        ("100%", ["100% sure"]),
        ("_", ["under_score"]),
        ("r_s", ["under_score"]),
        ("\\", ["back\\slash"]),
        ("\\%", []),
        ("gr\u00f6sse", ["\u00dcBERGR\u00d6SSE", "gro\u0308\u00dfe"]),
        ("GR\u00d6\u1e9eE", ["\u00dcBERGR\u00d6SSE", "gro\u0308\u00dfe"]),
        (
            "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3",
            ["\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2"],
        ),
        ("\U0001f600", ["smile \U0001f600 \U0001f468\u200d\U0001f469"]),
        ("\U0001f601", []),
        ("o\nl", ["two\nlines"]),
        ("mIXED case", ["Mixed CASE"]),
        ("' OR '1'='1", []),
        ("?", []),
        ("%s", []),
        ("slash\nback", []),
    ],
)
def test_a_text_is_found_as_it_is_whatever_its_case(
    where: str, text: str, found: list[str]
) -> None:
    with asking(where) as ask:
        ask.all(*(ask.store.add_task(draft(title)) for title in SEARCHED))
        ask.all(*(ask.store.add_user(UserDraft(name=title)) for title in SEARCHED))
        assert ask.titles(text=text) == found
        users = ask(ask.store.users(UserQuery(text=text)))
        assert [user.name for user in users.items] == found
        ask.all(
            *(
                ask.store.replace_task(id, draft(str(id), description=title), None)
                for id, title in enumerate(SEARCHED, 1)
            )
        )
        by_description = ask(ask.store.tasks(TaskQuery(text=text))).items
        assert [task.description for task in by_description] == found


def test_titles_are_sorted_alike_by_every_database(where: str) -> None:
    titles = ["b", "B", "a", "\u00c4", "z", "_", "\U0001f600", "\uffee", "Z", "a b", "a-b", "ab"]
    with asking(where) as ask:
        ask.all(*(ask.store.add_task(draft(title)) for title in titles))
        expected = sorted(titles, key=folded)
        assert ask.titles("title") == expected
        assert ask.titles("-title") == expected[::-1]
