"""The table of bad input in docs/api.md, over the wire: every row of it that a client can cause."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.system.programs import ROOT
from tests.webapi.sites import TASKS, USERS, ApiSite

ONE: Final = f"{TASKS}/1"


@dataclass(frozen=True)
class Row:
    """A request, and what it gets; task 1 and user 1, Ann, are there."""

    status: int
    code: str
    path: str = TASKS
    method: str = "GET"
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


ROWS: Final = [
    Row(404, "not_found", "/api/v1/nothing"),
    Row(404, "not_found", f"{TASKS}/one"),
    Row(404, "no_such_task", f"{TASKS}/2"),
    Row(404, "no_such_task", f"{TASKS}/{10**18 - 1}"),
    Row(404, "no_such_user", f"{USERS}/2/tasks"),
    Row(405, "method_not_allowed", ONE, "POST", {}),
    Row(406, "not_acceptable", ONE, headers={"Accept": "text/html"}),
    Row(422, "invalid_query", f"{TASKS}?limit=101"),
    Row(422, "invalid_query", f"{TASKS}?page=10001"),
    Row(422, "invalid_query", f"{TASKS}?complete=true"),
    Row(422, "invalid_query", f"{USERS}?completed=true"),
    Row(422, "invalid_query", f"{TASKS}?q={'x' * 201}"),
    Row(422, "invalid_query", f"{TASKS}?q=%00"),
    Row(422, "invalid_query", f"{TASKS}?sort=name"),
    Row(422, "invalid_query", f"{TASKS}?sort=id%0A"),
    Row(422, "invalid_query", f"{TASKS}?cursor="),
    Row(400, "repeated_parameter", f"{TASKS}?page=1&page=1"),
    Row(400, "malformed_query", f"{TASKS}?{'&'.join(f'a{number}=' for number in range(21))}"),
    Row(400, "malformed_query", f"{TASKS}?q=%ff"),
    Row(404, "no_such_page", f"{TASKS}?cursor=none"),
    Row(415, "unsupported_type", method="POST", body=b"a=b", headers={"Content-Type": "text/x"}),
    Row(415, "unsupported_type", method="POST", body=b"{}", headers={"Content-Type": ""}),
    Row(400, "malformed_json", method="POST", body=b""),
    Row(
        415,
        "unsupported_type",
        ONE,
        "PUT",
        {"title": "a"},
        {"Content-Type": "application/merge-patch+json", "If-Match": "*"},
    ),
    Row(415, "unsupported_coding", method="POST", body={}, headers={"Content-Encoding": "gzip"}),
    Row(413, "too_large", method="POST", body={"title": "x" * 70_000}),
    Row(400, "malformed_json", method="POST", body=b'{"title":'),
    Row(400, "malformed_json", method="POST", body=b"[" * 50_000),
    Row(422, "invalid_body", method="POST", body={}),
    Row(422, "invalid_body", method="POST", body={"title": "a", "colour": "red"}),
    Row(422, "invalid_body", method="POST", body={"title": "a\0b"}),
    Row(422, "invalid_body", method="POST", body={"title": "a", "user": 1 << 70}),
    Row(422, "invalid_body", ONE, "PATCH", {"completed": None}),
    Row(409, "name_taken", USERS, "POST", {"name": "ANN"}),
    Row(409, "no_such_user", method="POST", body={"title": "a", "user": 2}),
    Row(412, "version_conflict", ONE, "DELETE", headers={"If-Match": '"2"'}),
    Row(412, "version_conflict", ONE, "DELETE", headers={"If-Match": "one"}),
    Row(428, "match_required", ONE, "PUT", {"title": "a"}),
    Row(403, "other_origin", ONE, "DELETE", headers={"Origin": "https://evil.example"}),
]
ELSEWHERE: Final = {"unauthorized", "too_many_requests", "busy", "unavailable", "internal_error"}
"""Codes that need a server of their own: see test_tokens and test_resource."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiSite]:
    """One for all rows: a refusal leaves nothing behind."""
    with ApiSite(str(tmp_path_factory.mktemp("api") / "state")) as site:
        site.made(TASKS, title="one")
        site.made(USERS, name="Ann")
        yield site


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path[:40]} {row.code}")
def test_it_is_refused_as_the_document_says_and_changes_nothing(site: ApiSite, row: Row) -> None:
    told = site.ask(row.path, row.method, row.body, **row.headers)
    assert (told.status, told.json["code"]) == (row.status, row.code)
    assert told.json["message"].endswith(".")
    task = site.ask(ONE).json
    assert (task["title"], task["version"]) == ("one", 1)
    assert site.ask(TASKS).json["total"] == site.ask(USERS).json["total"] == 1


def test_every_code_of_the_document_is_tested() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    rows = re.findall(r"^\| .* \| (\d{3})[^|]* \| (.*) \|$", text, re.M)
    told = {code for _, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert told == {row.code for row in ROWS} | ELSEWHERE
    assert {int(status) for status, _ in rows} == {row.status for row in ROWS} | {
        401,
        429,
        500,
        503,
    }
