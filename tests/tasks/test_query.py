from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.tasks.errors import BadCursor, BadSort
from proto.tasks.query import (
    CURSOR_MOST,
    LIMIT_MOST,
    TASK_SORTS,
    USER_SORTS,
    SortKey,
    TaskQuery,
    UserQuery,
    cursor,
    cursor_at,
    ordered,
    position,
    sort_values,
    sorting,
)
from proto.tasks.values import ID_MOST, Task, User

TASK = Task(
    id=7,
    title="\u00dcBER",
    description="",
    completed=True,
    user=None,
    created=1.5,
    updated=2.5,
    version=1,
)
KEPT = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
BY_TITLE = ordered(sorting("-title", TASK_SORTS))


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", "id"),
        ("id", "id"),
        ("-id", "-id"),
        ("title", "title,id"),
        ("-created", "-created,-id"),
        ("-completed,title", "-completed,title,id"),
        ("title,-id,created", "title,-id"),
        ("updated,id", "updated,id"),
    ],
)
def test_every_order_is_total(text: str, order: str) -> None:
    assert ",".join(map(str, ordered(sorting(text, TASK_SORTS)))) == order


@pytest.mark.parametrize(
    "text",
    ["x", "--id", "id,", ",", "-", "title,title", "title,-title", "+id", " id", "user", "ID"],
)
def test_what_is_no_order_is_refused(text: str) -> None:
    with pytest.raises(BadSort):
        sorting(text, TASK_SORTS)


def test_users_are_sorted_by_what_users_have() -> None:
    with pytest.raises(BadSort, match="Sort by id, name, created, updated"):
        sorting("title", USER_SORTS)
    user = User(id=1, name="Ann", created=1.0, updated=1.0, version=1)
    assert sort_values(user, ordered(sorting("name", USER_SORTS))) == ("ann", 1)


def test_a_cursor_tells_the_row_it_came_from() -> None:
    for order in (BY_TITLE, ordered(sorting("completed,-updated,title", TASK_SORTS))):
        for backwards in (False, True):
            found = position(cursor(TASK, order, backwards=backwards), order)
            assert found.values == sort_values(TASK, order)
            assert found.backwards is backwards
    assert sort_values(TASK, BY_TITLE) == ("\u00fcber", 7)


@given(st.text(KEPT, max_size=200), st.integers(1, ID_MOST))
def test_every_row_has_a_cursor_that_a_url_can_hold(title: str, id: int) -> None:
    made = cursor_at((title, id), BY_TITLE)
    assert made.replace("-", "").replace("_", "").isalnum()
    assert len(made) <= CURSOR_MOST
    assert position(made, BY_TITLE).values == (title, id)


def test_a_cursor_of_another_order_is_none() -> None:
    for text in ("title", "-title,-created", "", "-created"):
        with pytest.raises(BadCursor):
            position(cursor(TASK, BY_TITLE), ordered(sorting(text, TASK_SORTS)))


def forged(*parts: Any) -> str:
    return urlsafe_b64encode(msgspec.msgpack.encode(parts)).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "=",
        "\u00e4",
        "' OR 1=1",
        "A" * (CURSOR_MOST + 1),
        forged("-title,-id", False, ["a"]),
        forged("-title,-id", False, ["a", 1, 2]),
        forged("-title,-id", False, [1, 1]),
        forged("-title,-id", False, ["a", 1.0]),
        forged("-title,-id", False, ["a", True]),
        forged("-title,-id", False, ["a", None]),
        forged("-title,-id", False, ["a", ID_MOST + 1]),
        forged("-title,-id", False, ["a\0", 1]),
        forged("-title,-id", 1, ["a", 1]),
        forged("-title,-id", False, ["a", 1], 4),
        forged("-title,-id", False),
        forged("-title,-id", False, ["a", 1]) + "=",
        forged("-title,-id", False, ["a", 1]) + "\n",
        "!" + forged("-title,-id", False, ["a", 1]),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    assert position(forged("-title,-id", False, ["a", 1]), BY_TITLE).values == ("a", 1)
    with pytest.raises(BadCursor):
        position(text, BY_TITLE)


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), -float("inf")])
def test_a_moment_that_is_none_is_no_cursor(moment: float) -> None:
    order = ordered(sorting("created", TASK_SORTS))
    with pytest.raises(BadCursor):
        position(cursor_at((moment, 1), order), order)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: forged(*raw)))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    try:
        position(text, BY_TITLE)
    except BadCursor:
        return
    raise AssertionError(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": LIMIT_MOST + 1},
        {"offset": -1},
        {"offset": ID_MOST + 1},
        {"text": "x" * 201},
        {"text": "\0"},
        {"text": "\ud83d"},
        {"sort": (SortKey("id"), SortKey("id", True))},
        {"sort": (SortKey("id; DROP TABLE tasks"),)},
    ],
)
def test_a_query_has_bounds(wrong: dict[str, Any]) -> None:
    for kind in (TaskQuery, UserQuery):
        with pytest.raises(ValueError):
            kind(**wrong)


def test_a_query_sorts_by_its_own_fields_only() -> None:
    TaskQuery(sort=(SortKey("title"),))
    UserQuery(sort=(SortKey("name"),))
    with pytest.raises(ValueError):
        UserQuery(sort=(SortKey("title"),))
    with pytest.raises(ValueError):
        TaskQuery(sort=(SortKey("name"),))
