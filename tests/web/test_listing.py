from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.files import Entry
from proto.web.listing import listing, size_text
from proto.web.response import HTML, JSON

ENTRIES = [
    Entry(b"b.txt", False, 30, 100.9),
    Entry(b"A.txt", False, 2_000, 300),
    Entry(b"c.txt", False, 10, 200),
    Entry(b"zoo", True, 4096, 50),
]


def names(sort: str) -> list[str]:
    page = listing((), ENTRIES, sort).body.decode()
    return re.findall(r'<td><a href="\./([^"]+)"', page)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["zoo/", "A.txt", "b.txt", "c.txt"]),
        ("name", ["zoo/", "A.txt", "b.txt", "c.txt"]),
        ("-name", ["zoo/", "c.txt", "b.txt", "A.txt"]),
        ("size", ["zoo/", "c.txt", "b.txt", "A.txt"]),
        ("-size", ["zoo/", "A.txt", "b.txt", "c.txt"]),
        ("date", ["zoo/", "b.txt", "c.txt", "A.txt"]),
        ("-date", ["zoo/", "A.txt", "c.txt", "b.txt"]),
        ("<script>", ["zoo/", "A.txt", "b.txt", "c.txt"]),
    ],
)
def test_folders_come_first_and_the_rest_as_asked(sort: str, order: list[str]) -> None:
    assert names(sort) == order


def test_the_sorted_column_says_so_and_links_to_the_other_way_round() -> None:
    page = listing((), ENTRIES, "size").body.decode()
    assert 'class="number" aria-sort="ascending">\n<a href="?sort=-size">' in page
    back = listing((), ENTRIES, "-size").body.decode()
    assert 'aria-sort="descending">\n<a href="?sort=size">' in back
    assert page.count("aria-sort") == back.count("aria-sort") == 1


def test_names_are_escaped_in_text_and_link() -> None:
    hostile = Entry(b'"><script>&#', False, 1, 0)
    response = listing((b"<i>",), [hostile, Entry(b"javascript:x", False, 1, 0)])
    page = response.body.decode()
    assert response.content_type == HTML
    assert "<script>" not in page
    assert "<i>" not in page
    assert '<a href="./%22%3E%3Cscript%3E%26%23">&#34;&gt;&lt;script&gt;&amp;#</a>' in page
    assert '<a href="./javascript%3Ax">' in page


def test_a_name_that_is_not_utf8_is_listed_and_linked() -> None:
    page = listing((), [Entry(b"caf\xe9", False, 1, 0)]).body.decode()
    assert '<a href="./caf%E9">caf\ufffd</a>' in page


def test_a_program_gets_json() -> None:
    response = listing((b"sub",), ENTRIES[2:], accept="application/json")
    assert response.content_type == JSON
    assert ("Vary", "Accept") in response.headers
    assert json.loads(response.body) == {
        "path": "/sub/",
        "entries": [
            {
                "name": "zoo",
                "type": "folder",
                "size": None,
                "modified": "1970-01-01T00:00:50Z",
                "href": "./zoo/",
            },
            {
                "name": "c.txt",
                "type": "file",
                "size": 10,
                "modified": "1970-01-01T00:03:20Z",
                "href": "./c.txt",
            },
        ],
        "truncated": False,
    }


def test_a_crowded_folder_is_cut_and_says_so() -> None:
    page = listing((), iter(ENTRIES), limit=2).body.decode()
    assert page.count("<td><a") == 2
    assert "There are more than 2 names here" in page
    told = json.loads(listing((), ENTRIES, accept="application/json", limit=2).body)
    assert told["truncated"] is True
    assert "more than" not in listing((), ENTRIES, limit=4).body.decode()


def test_only_a_folder_below_the_root_has_a_parent() -> None:
    assert b'href="../"' in listing((b"a",), []).body
    root = listing((), []).body
    assert b'href="../"' not in root
    assert b"This folder is empty." in root


def test_a_date_that_no_calendar_has_is_left_out() -> None:
    entry = json.loads(listing((), [Entry(b"x", False, 1, 1e18)], accept="application/json").body)[
        "entries"
    ][0]
    assert entry["modified"] == ""


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2 * 10**18, "2000.0 PB"),
    ],
)
def test_sizes_are_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


@given(st.lists(st.binary(min_size=1, max_size=10).map(lambda name: Entry(name, False, 1, 1))))
def test_any_names_make_a_page(entries: list[Entry]) -> None:
    assert listing((), entries).body.count(b"<td><a") == len(entries)


def test_a_folder_that_takes_files_has_a_form_for_them() -> None:
    form = b'enctype="multipart/form-data"'
    assert form not in listing((), []).body
    taking = listing((), [], takes_files=True)
    assert form in taking.body
    assert "form-action 'self'" in dict(taking.headers)["Content-Security-Policy"]
