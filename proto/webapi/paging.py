"""The links of a page of a collection, and what the store is asked for it.

Pages go on from their last item by a cursor, so that none is seen twice while others come; who
asks for them by number gets numbers.  No request, no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from msgspec import UNSET

from proto.tasks.errors import BadSort
from proto.tasks.query import Cursor, Page, SortKey, sorting
from proto.webapi.problems import Detail, Refused
from proto.webapi.shapes import PAGE_MOST, PageLinks, TaskList, UserList


@dataclass(frozen=True, slots=True)
class Span:
    """Where a page begins, and how much is on it, as a store is asked for it."""

    sort: tuple[SortKey, ...]
    limit: int
    offset: int
    after: Cursor | None


def span_of(asked: TaskList | UserList, fields: Sequence[str]) -> Span:
    """What the query means.  Raises Refused, 422, for an order that is none.

    A cursor counts more than a number.  A field that is named again changes nothing.
    """
    first = {name.removeprefix("-"): name for name in reversed(asked.sort.split(","))}
    names = sorted(first.values(), key=asked.sort.split(",").index)
    try:
        sort = sorting(",".join(names), fields)
    except BadSort as error:
        detail = Detail(where="query", field="sort", message=str(error))
        raise Refused(422, "invalid_query", str(error), [detail]) from error
    if asked.cursor is not UNSET:
        return Span(sort, asked.limit, 0, Cursor(asked.cursor))
    page = 1 if asked.page is UNSET else asked.page
    return Span(sort, asked.limit, (page - 1) * asked.limit, None)


def page_of(asked: TaskList | UserList) -> int | None:
    """The number of the page; None when it has none, as one that a cursor leads to."""
    if asked.cursor is not UNSET:
        return None
    return 1 if asked.page is UNSET else asked.page


def links_of(path: str, query: str, asked: TaskList | UserList, page: Page[Any]) -> PageLinks:
    """The way to this page and to others; `query` is the one that was asked, as it came."""
    last = max(1, -(-page.total // asked.limit))
    number = page_of(asked)
    by_number = asked.page is not UNSET and number is not None

    def link(**place: object) -> str:
        return f"{path}?{urlencode({**_filters(asked), **place})}"

    if by_number and number is not None:
        following = link(page=number + 1) if number < min(last, PAGE_MOST) else None
        before = link(page=min(number - 1, last, PAGE_MOST)) if number > 1 else None
    else:
        following = link(cursor=page.next) if page.next is not None else None
        before = link(cursor=page.prev) if page.prev is not None else None
    return PageLinks(
        **{"self": f"{path}?{query}" if query else path},
        next=following,
        prev=before,
        last=link(page=last) if last <= PAGE_MOST else None,
    )


def _filters(asked: TaskList | UserList) -> Mapping[str, object]:
    """What every page of the same collection is asked with."""
    found: dict[str, object] = {}
    if isinstance(asked, TaskList) and asked.completed is not UNSET:
        found["completed"] = "true" if asked.completed else "false"
    if asked.q:
        found["q"] = asked.q
    if asked.sort != "id":
        found["sort"] = asked.sort
    return {**found, "limit": asked.limit}
