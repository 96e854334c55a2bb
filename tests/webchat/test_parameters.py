from __future__ import annotations

import json
from dataclasses import dataclass, field
from io import BytesIO
from typing import cast
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.target import Target
from proto.webchat.parameters import (
    Text,
    Wanted,
    WrongField,
    after_of,
    body_of,
    query_of,
    room_name,
    token_of,
)


@dataclass
class Asked:
    """Of a request, what is looked at here."""

    query: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def target(self) -> Target:
        return Target(b"/", self.query.encode(), (b"",))

    @property
    def content(self) -> BytesIO:
        return BytesIO(self.body)

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


def asked(query: str = "", body: bytes = b"", **headers: str) -> WebRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return cast(WebRequest, Asked(query, body, named))


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", Wanted()),
        ("before=7&count=3", Wanted(before=7, count=3)),
        ("after=0", Wanted(after=0)),
        ("words=tea+time%21", Wanted(words="tea time!")),
        ("words=%D1%87%D0%B0%D0%B9", Wanted(words="чай")),
        ("words=%FF", Wanted(words="\ufffd")),
        ("words=null", Wanted(words="null")),
        ("count=3&count=4", Wanted(count=4)),
        ("unknown=x&count", Wanted()),
    ],
)
def test_a_query_says_which_lines(query: str, wanted: Wanted) -> None:
    if query.endswith("&count"):
        with pytest.raises(WrongField):
            query_of(asked(query))
    else:
        assert query_of(asked(query)) == wanted


@given(st.dictionaries(st.sampled_from(["before", "after", "count", "words", "x"]), st.text()))
def test_any_query_is_understood_or_refused_with_400(values: dict[str, str]) -> None:
    query = "&".join(f"{name}={quote(text, errors='replace')}" for name, text in values.items())
    try:
        wanted = query_of(asked(query))
    except WrongField as refused:
        outcome: tuple[int, str | None] = refused.status, refused.field
    else:
        assert 1 <= wanted.count <= 200
        outcome = 400, "count"
    assert outcome[0] == 400
    assert outcome[1] in ("before", "after", "count", "words")


@given(st.binary() | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps))
def test_any_body_is_understood_or_refused(body: bytes | str) -> None:
    raw = body.encode() if isinstance(body, str) else body
    with pytest.raises(WrongField) as caught:
        body_of(asked(body=raw, Content_Type="application/json"), Text)
    assert caught.value.status in (400, 422)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_through(text: str) -> None:
    raw = json.dumps({"text": text, "unknown": 1}).encode()
    assert body_of(asked(body=raw, Content_Type="application/json"), Text) == Text(text)


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("BEARER a b", "a b")],
)
def test_a_token_follows_the_word_bearer(header: str, token: str) -> None:
    assert token_of(asked(Authorization=header)) == token


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc"])
def test_without_a_token_it_is_401(header: str) -> None:
    with pytest.raises(HTTPError) as caught:
        token_of(asked(Authorization=header))
    assert caught.value.status == 401
    assert dict(caught.value.headers)["WWW-Authenticate"].startswith("Bearer")


def test_the_last_event_counts_before_the_query() -> None:
    assert after_of(asked("after=3")) == 3
    assert after_of(asked("after=3", Last_Event_ID="7")) == 7
    assert after_of(asked()) is None


@pytest.mark.parametrize("told", ["x", "-1", "1.5", "null", "9" * 5000, " 7"])
def test_a_last_event_that_was_never_one_of_ours_is_400(told: str) -> None:
    with pytest.raises(WrongField) as caught:
        after_of(asked(Last_Event_ID=told))
    assert (caught.value.status, caught.value.field) == (400, "Last-Event-ID")


def test_a_room_is_called_by_a_name_or_is_not_there() -> None:
    assert room_name(" чай ") == "чай"
    for name in ("", "two words", "x" * 65, "\ufffd", "a/b"):
        with pytest.raises(HTTPError) as caught:
            room_name(name)
        assert caught.value.status == 404
