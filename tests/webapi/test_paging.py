from __future__ import annotations

import pytest

from proto.tasks.query import TASK_SORTS, Cursor, Page, SortKey
from proto.webapi.paging import Span, links_of, page_of, span_of
from proto.webapi.problems import Refused
from proto.webapi.shapes import PAGE_MOST, TaskList


def page(total: int, next: str | None = None, prev: str | None = None) -> Page[object]:
    after, before = (None if each is None else Cursor(each) for each in (next, prev))
    return Page(items=(), total=total, next=after, prev=before)


def test_a_number_is_an_offset_and_a_cursor_counts_more() -> None:
    key = (SortKey("id"),)
    assert span_of(TaskList(), TASK_SORTS) == Span(key, 20, 0, None)
    assert span_of(TaskList(page=3, limit=10), TASK_SORTS) == Span(key, 10, 20, None)
    told = span_of(TaskList(page=3, cursor="abc"), TASK_SORTS)
    assert told == Span(key, 20, 0, Cursor("abc"))
    assert page_of(TaskList(page=3)) == 3
    assert page_of(TaskList(page=3, cursor="abc")) is None


def test_a_field_that_is_named_again_changes_nothing() -> None:
    found = span_of(TaskList(sort="-title,id,title,id"), TASK_SORTS).sort
    assert found == (SortKey("title", True), SortKey("id"))


def test_what_is_no_order_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        span_of(TaskList(sort="id\n"), TASK_SORTS)
    assert (caught.value.status, caught.value.details[0].field) == (422, "sort")


def test_links_keep_what_was_asked() -> None:
    asked = TaskList(completed=False, q="a&b", sort="-id", limit=2)
    links = links_of("/t", "q=a%26b", asked, page(5, next="N"))
    rest = "completed=false&q=a%26b&sort=-id&limit=2"
    assert links.self == "/t?q=a%26b"
    assert (links.next, links.prev) == (f"/t?{rest}&cursor=N", None)
    assert links.last == f"/t?{rest}&page=3"


def test_an_empty_collection_has_one_page() -> None:
    links = links_of("/t", "", TaskList(), page(0))
    assert (links.self, links.next, links.prev, links.last) == (
        "/t",
        None,
        None,
        "/t?limit=20&page=1",
    )


def test_there_is_no_link_to_a_page_that_cannot_be_asked_for() -> None:
    many = page(PAGE_MOST * 20 + 1)
    links = links_of("/t", "", TaskList(page=PAGE_MOST), many)
    assert (links.next, links.last) == (None, None)
    assert links.prev == f"/t?limit=20&page={PAGE_MOST - 1}"
    assert links_of("/t", "", TaskList(page=9), page(1)).prev == "/t?limit=20&page=1"
