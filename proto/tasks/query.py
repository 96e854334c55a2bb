"""Which tasks or users are asked for, in which order, and where a page of them ends.

Knows no database and no HTTP.  A cursor holds the sort values of a row, so that the next page
begins behind that row, be it still there or not: rows that come and go meanwhile make no other row
come twice or not at all.  Titles and names are sorted without their case.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from math import isfinite
from typing import Annotated, Final, Generic, NewType, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from proto.tasks.errors import BadCursor, BadSort
from proto.tasks.folding import folded
from proto.tasks.values import ID_MOST, Task, User, keepable

LIMIT: Final = 20
"""Items of a page, unless told."""
LIMIT_MOST: Final = 100
TEXT_MOST: Final = 200
"""Characters of a text that is searched for."""
OFFSET_MOST: Final = ID_MOST
CURSOR_MOST: Final = 4096
"""Characters of a cursor."""

TASK_SORTS: Final = ("id", "title", "created", "updated", "completed")
USER_SORTS: Final = ("id", "name", "created", "updated")
"""What tasks and users can be sorted by."""

Cursor = NewType("Cursor", str)
"""Where a page ends: base64url, and nobody's business but this module's."""

Value: TypeAlias = bool | int | float | str
_KINDS: Final[dict[str, type[Value]]] = {
    "id": int,
    "title": str,
    "name": str,
    "created": float,
    "updated": float,
    "completed": bool,
}
_T = TypeVar("_T")


class SortKey(Struct, frozen=True):
    """One field that rows are sorted by."""

    field: str
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.field}" if self.descending else self.field


class TaskQuery(Struct, frozen=True, kw_only=True):
    """Tasks that are (not) completed, have the text in title or description, are a user's.

    None, or no text, asks for any.  Of these in their order, those behind `after`, or when that is
    None those from `offset` on; at most `limit`.
    """

    completed: bool | None = None
    text: str = ""
    user: int | None = None
    sort: tuple[SortKey, ...] = ()
    limit: int = LIMIT
    offset: int = 0
    after: Cursor | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what is out of bounds."""
        _check(self, TASK_SORTS)


class UserQuery(Struct, frozen=True, kw_only=True):
    """Users that have the text in their name; the rest is as for tasks."""

    text: str = ""
    sort: tuple[SortKey, ...] = ()
    limit: int = LIMIT
    offset: int = 0
    after: Cursor | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for what is out of bounds."""
        _check(self, USER_SORTS)


class Page(Struct, Generic[_T], frozen=True, kw_only=True):
    """Some of all that is asked for, how many these are, and cursors for what is around it.

    A cursor is None when there is nothing in that direction.
    """

    items: tuple[_T, ...]
    total: int
    next: Cursor | None = None
    prev: Cursor | None = None


class Position(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a cursor says: behind, or before, a row of these values in that order."""

    order: Annotated[str, Meta(max_length=100)]
    backwards: bool
    values: tuple[Value, ...]


def sorting(text: str, fields: Sequence[str]) -> tuple[SortKey, ...]:
    """`-created,title` as keys, of those fields; raises BadSort."""
    keys: list[SortKey] = []
    for name in text.split(",") if text else ():
        key = SortKey(name.removeprefix("-"), name.startswith("-"))
        if key.field not in fields:
            raise BadSort(f"Sort by {', '.join(fields)}, each with - before it for descending.")
        keys.append(key)
        if key.field in (each.field for each in keys[:-1]):
            raise BadSort(f"Sort by {key.field} only once.")
    return tuple(keys)


def ordered(sort: Sequence[SortKey]) -> tuple[SortKey, ...]:
    """The keys of a total order: those up to `id`, which ends it in the direction before it."""
    keys: list[SortKey] = []
    for key in sort:
        keys.append(key)
        if key.field == "id":
            return tuple(keys)
    return (*keys, SortKey("id", bool(keys) and keys[-1].descending))


def sort_values(item: Task | User, order: Sequence[SortKey]) -> tuple[Value, ...]:
    """What an item is sorted by."""
    values: list[Value] = [getattr(item, key.field) for key in order]
    return tuple(folded(value) if isinstance(value, str) else value for value in values)


def cursor(item: Task | User, order: Sequence[SortKey], *, backwards: bool = False) -> Cursor:
    """Where a page begins that comes after the item, or before it."""
    return cursor_at(sort_values(item, order), order, backwards=backwards)


def cursor_at(
    values: tuple[Value, ...], order: Sequence[SortKey], *, backwards: bool = False
) -> Cursor:
    """The same for an item that is known by its sort values."""
    position = Position(_name(order), backwards, values)
    return Cursor(urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("="))


def position(cursor: str, order: Sequence[SortKey]) -> Position:
    """What the cursor says; raises BadCursor when it is none, or one of another order."""
    if len(cursor) > CURSOR_MOST:
        raise BadCursor("That cursor is too long.")
    try:
        raw = cursor.encode("ascii")
        # The decoder passes over what is no base64: one cursor would have many forms.
        told = urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
        if urlsafe_b64encode(told).rstrip(b"=") != raw:
            raise BadCursor("That is no cursor.")
        found = msgspec.msgpack.decode(told, type=Position)
        for value in found.values:
            _check_value(value)
    except (ValueError, msgspec.MsgspecError) as error:
        raise BadCursor("That is no cursor.") from error
    kinds = [_KINDS[key.field] for key in order]
    if found.order != _name(order) or [type(value) for value in found.values] != kinds:
        raise BadCursor("That cursor belongs to another order.")
    return found


def _name(order: Sequence[SortKey]) -> str:
    return ",".join(map(str, order))


def _check_value(value: Value) -> None:
    if isinstance(value, str):
        keepable(value)
    elif isinstance(value, int) and not -ID_MOST <= value <= ID_MOST:
        raise ValueError("no id")
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError("no moment")


def _check(query: TaskQuery | UserQuery, fields: Sequence[str]) -> None:
    if not 1 <= query.limit <= LIMIT_MOST:
        raise ValueError(f"a page has 1 to {LIMIT_MOST} items")
    if not 0 <= query.offset <= OFFSET_MOST:
        raise ValueError(f"an offset is 0 to {OFFSET_MOST}")
    if len(query.text) > TEXT_MOST:
        raise ValueError(f"a text that is searched for has at most {TEXT_MOST} characters")
    keepable(query.text)
    named = [key.field for key in query.sort]
    if len(set(named)) != len(named) or not set(named) <= set(fields):
        raise ValueError(f"sort by {', '.join(fields)}, each once")
