from __future__ import annotations

import re
from html.parser import HTMLParser

from proto.webapi import others
from proto.webapi.conditions import Preconditions
from proto.webapi.openapi import document
from proto.webapi.operations import OPERATIONS
from proto.webapi.page import POLICY, Pages, example_of, rendered
from tests.webapi.sites import DOCUMENT

NOBODY = Preconditions()


class Sources(HTMLParser):
    """Whatever a page would load, and its words."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.inline = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.found += [told[name] or "" for name in ("src", "href") if name in told]
        self.ids += [told["id"] or ""] if "id" in told else []
        self.inline += tag == "style" or any(name.startswith("on") for name in told)


def parsed(text: str) -> Sources:
    page = Sources()
    page.feed(text)
    return page


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_of_its_own() -> None:
    page = parsed(rendered(DOCUMENT))
    assert sorted(page.found) == ["openapi.json", "page.css", "page.js"]
    assert page.inline == 0
    pages = Pages(DOCUMENT)
    for name in page.found:
        found = pages.find([name.encode()])
        assert found is not None
        assert not re.search(rb"https?://|@import|import\s*\(", found.body), name
    assert "unsafe" not in POLICY


def test_every_operation_is_on_the_page_once() -> None:
    page = parsed(rendered(DOCUMENT))
    assert len(set(page.ids)) == len(page.ids)
    assert {each.name for each in OPERATIONS} <= {*page.ids}


def test_an_answer_without_an_end_is_not_tried() -> None:
    told = document(
        OPERATIONS,
        title="proto",
        version="1",
        tags={"tasks": "", "users": "", "chat": "", "log": ""},
        tokens=True,
        others=[*others.CHAT, *others.LOG],
        others_problem=others.PlainProblem,
    )
    text = rendered(told)
    assert text.count("The answer has no end") == 2
    assert text.count("Try it</button>") == len(OPERATIONS) + len(others.CHAT) + len(others.LOG) - 2
    assert 'id="token"' in text
    assert 'id="token"' not in rendered(DOCUMENT)


def test_what_the_document_says_is_never_markup() -> None:
    told = {**DOCUMENT, "info": {"title": "<script>alert(1)</script>", "version": "1"}}
    assert "<script>alert" not in rendered(told)


def test_who_has_the_page_is_not_sent_it_again() -> None:
    page = Pages(DOCUMENT).find([b""])
    assert page is not None
    answer = page.answer(NOBODY)
    headers = dict(answer.headers)
    assert (answer.status, headers["Content-Security-Policy"]) == (200, POLICY)
    again = page.answer(Preconditions(if_none_match=headers["ETag"]))
    assert (again.status, again.body) == (304, b"")


def test_there_is_nothing_else() -> None:
    assert Pages(DOCUMENT).find([b"page.html"]) is None
    assert Pages(DOCUMENT).find([b"", b""]) is None


def test_an_example_has_every_field_that_may_be_sent() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    reference = {"$ref": "#/components/schemas/TaskDraft"}
    assert example_of(reference, schemas) == {
        "title": "text",
        "description": "",
        "completed": False,
        "user": None,
    }
