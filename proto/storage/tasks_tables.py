"""Tasks and users as rows, and a page of them as SQL.  Knows no connection's whereabouts.

Whatever somebody asks for is a parameter; only names out of this module become part of a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from proto.storage.tasks_database import Link
from proto.tasks.folding import folded
from proto.tasks.query import (
    Page,
    Position,
    SortKey,
    TaskQuery,
    UserQuery,
    Value,
    cursor,
    ordered,
    position,
)
from proto.tasks.values import ID_MOST, Task, User

_T = TypeVar("_T", bound=Task | User)
Clause: TypeAlias = tuple[str, list[object]]
"""A condition, and its parameters."""


@dataclass(frozen=True, slots=True)
class Table(Generic[_T]):
    """Where items of a kind are, and how to read them."""

    name: str
    columns: str
    make: Callable[[Sequence[Any]], _T]
    searched: Sequence[str]
    folded: Mapping[str, str]
    """The columns of fields that are sorted by another one than their own."""


def _task(row: Sequence[Any]) -> Task:
    id, title, description, completed, user, created, updated, version = row
    return Task(
        id=id,
        title=title,
        description=description,
        completed=bool(completed),
        user=user,
        created=created,
        updated=updated,
        version=version,
    )


def _user(row: Sequence[Any]) -> User:
    id, name, created, updated, version = row
    return User(id=id, name=name, created=created, updated=updated, version=version)


TASKS: Final = Table(
    "tasks",
    "id, title, description, completed, owner, created, updated, version",
    _task,
    ("title_folded", "description_folded"),
    {"title": "title_folded"},
)
USERS: Final = Table(
    "users",
    "id, name, created, updated, version",
    _user,
    ("name_folded",),
    {"name": "name_folded"},
)


def one(link: Link, table: Table[_T], id: int, *, to_change: bool = False) -> _T | None:
    """The item with that id; `to_change` lets nobody else change it in this transaction."""
    if not 1 <= id <= ID_MOST:
        return None
    statement = f"SELECT {table.columns} FROM {table.name} WHERE id = ?"
    rows = link.execute(statement + link.locked if to_change else statement, (id,))
    return table.make(rows[0]) if rows else None


def page(link: Link, table: Table[_T], query: TaskQuery | UserQuery) -> Page[_T]:
    """The page that is asked for; raises BadCursor.  One that is empty has no cursors."""
    order = ordered(query.sort)
    place = None if query.after is None else position(query.after, order)
    wanted = _wanted(link, table, query)
    with link.snapshot():
        ((total,),) = link.execute(*_select(table, "count(*)", wanted))
        items, more = _stretch(link, table, query, wanted, order, place)
        backwards = place is not None and place.backwards
        before = after = more
        if items and backwards:
            after = _any(link, table, wanted, order, cursor(items[-1], order))
        elif items and (place is not None or query.offset):
            before = _any(link, table, wanted, order, cursor(items[0], order, backwards=True))
        elif items:
            before = False
    return Page(
        items=tuple(items),
        total=total,
        next=cursor(items[-1], order) if items and after else None,
        prev=cursor(items[0], order, backwards=True) if items and before else None,
    )


def _stretch(
    link: Link,
    table: Table[_T],
    query: TaskQuery | UserQuery,
    wanted: Sequence[Clause],
    order: Sequence[SortKey],
    place: Position | None,
) -> tuple[list[_T], bool]:
    """The items of a page, and whether there are more in the direction it was read in."""
    backwards = place is not None and place.backwards
    behind = [] if place is None else [_behind(table, order, place)]
    statement, values = _select(table, table.columns, [*wanted, *behind])
    by = ", ".join(
        f"{_column(table, key)} {'DESC' if key.descending != backwards else 'ASC'}" for key in order
    )
    statement = f"{statement} ORDER BY {by} LIMIT ? OFFSET ?"
    offset = query.offset if place is None else 0
    items = [table.make(row) for row in link.execute(statement, [*values, query.limit + 1, offset])]
    more = len(items) > query.limit
    del items[query.limit :]
    return (items[::-1] if backwards else items), more


def _any(
    link: Link,
    table: Table[_T],
    wanted: Sequence[Clause],
    order: Sequence[SortKey],
    behind: str,
) -> bool:
    """Whether there is anything behind a cursor."""
    clause = _behind(table, order, position(behind, order))
    statement, values = _select(table, "1", [*wanted, clause])
    return bool(link.execute(f"{statement} LIMIT 1", values))


def _wanted(link: Link, table: Table[_T], query: TaskQuery | UserQuery) -> list[Clause]:
    clauses: list[Clause] = []
    if query.text:
        text = folded(query.text)
        found = " OR ".join(f"{link.instr}({column}, ?) > 0" for column in table.searched)
        clauses.append((f"({found})", [text] * len(table.searched)))
    if isinstance(query, TaskQuery) and query.completed is not None:
        clauses.append(("completed = ?", [query.completed]))
    if isinstance(query, TaskQuery) and query.user is not None:
        is_id = 1 <= query.user <= ID_MOST
        clauses.append(("owner = ?", [query.user]) if is_id else ("1 = 0", []))
    return clauses


def _select(table: Table[_T], what: str, clauses: Sequence[Clause]) -> tuple[str, list[object]]:
    statement = f"SELECT {what} FROM {table.name}"
    if clauses:
        statement += " WHERE " + " AND ".join(clause for clause, _ in clauses)
    return statement, [value for _, values in clauses for value in values]


def _behind(table: Table[_T], order: Sequence[SortKey], place: Position) -> Clause:
    """Rows that come after the position's in that order, or before it.

    Where all columns go one way an index can be followed.
    """
    columns = [_column(table, key) for key in order]
    signs = ["<" if key.descending != place.backwards else ">" for key in order]
    if len(set(signs)) == 1:
        marks = ", ".join("?" * len(columns))
        return f"({', '.join(columns)}) {signs[0]} ({marks})", list(place.values)
    return _nested(columns, signs, place.values)


def _nested(columns: Sequence[str], signs: Sequence[str], values: Sequence[Value]) -> Clause:
    column, sign, value = columns[0], signs[0], values[0]
    if len(columns) == 1:
        return f"{column} {sign} ?", [value]
    rest, others = _nested(columns[1:], signs[1:], values[1:])
    clause = f"({column} {sign}= ? AND ({column} {sign} ? OR {rest}))"
    return clause, [value, value, *others]


def _column(table: Table[_T], key: SortKey) -> str:
    return table.folded.get(key.field, key.field)
