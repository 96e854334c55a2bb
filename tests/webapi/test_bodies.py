from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.tasks.values import TaskDraft, TaskPatch, UserDraft
from proto.web.response import JSON
from proto.webapi.bodies import MOST, check_type, decoded
from proto.webapi.declared import MERGE_PATCH
from proto.webapi.problems import Refused
from tests.web.wire import hang_up
from tests.webapi.sites import TASKS, ApiSite, Asking


def refusal(data: bytes, shape: Any = TaskDraft) -> Refused:
    with pytest.raises(Refused) as caught:
        decoded(data, shape)
    return caught.value


def test_json_becomes_a_value_of_the_declared_type() -> None:
    assert decoded(b'{"title":"a"}', TaskDraft) == TaskDraft(title="a")
    assert decoded(b"{}", TaskPatch) == TaskPatch()


def test_a_whole_number_may_have_a_point() -> None:
    assert decoded(b'{"title":"a","user":3.0}', TaskDraft).user == 3
    assert refusal(b'{"title":"a","user":3.5}').details[0].field == "user"
    assert refusal(b'{"title":1.0}').details[0].field == "title"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"{}", "title"),
        (b'{"title":"a","colour":"red"}', "colour"),
        (b'{"title":7}', "title"),
        (b'{"title":""}', "title"),
        (b'{"title":null}', "title"),
        (b'{"title":"a\\u0000b"}', "title"),
        (b'{"title":"a","user":0}', "user"),
        (b'{"title":"a","user":"3"}', "user"),
        (b'{"title":"a","completed":1}', "completed"),
        (b'{"title":"a","id":1}', "id"),
        (b"[]", ""),
        (b'"title"', ""),
        (b"null", ""),
        (b'{"title":"' + b"x" * 201 + b'"}', "title"),
    ],
)
def test_json_of_another_shape_names_the_field(data: bytes, field: str) -> None:
    error = refusal(data)
    assert (error.status, error.code) == (422, "invalid_body")
    assert [(each.where, each.field) for each in error.details] == [("body", field)]
    assert error.details[0].message.endswith(".")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{'title':1}",
        b'{"title":"a"}x',
        b'{"title":"\xff"}',
        b'{"title":"\\ud800"}',
        b"NaN",
        b"[" * 60_000,
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_json_is_malformed(data: bytes) -> None:
    assert (refusal(data).status, refusal(data).code) == (400, "malformed_json")


@given(st.binary(max_size=80))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        decoded(data, UserDraft)
        status = 200
    except Refused as error:
        status = error.status
    assert status in (200, 400, 422)


@pytest.mark.parametrize(
    "kind",
    [JSON, "Application/JSON", f"{JSON}; charset=utf-8", f'{JSON};charset="UTF-8"', f"{JSON};x=y"],
)
def test_json_may_tell_that_it_is_utf_8(kind: str) -> None:
    check_type(kind, "", (JSON,))
    check_type(kind, "identity", (JSON,))


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        f"{JSON}; charset=latin-1",
        MERGE_PATCH,
    ],
)
def test_another_type_is_refused_with_what_is_taken(kind: str) -> None:
    with pytest.raises(Refused) as caught:
        check_type(kind, "", (JSON,))
    assert (caught.value.status, caught.value.code) == (415, "unsupported_type")
    assert caught.value.headers == (("Accept", JSON),)
    check_type(MERGE_PATCH, "", (JSON, MERGE_PATCH))


def test_a_body_that_is_compressed_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        check_type(JSON, "gzip", (JSON,))
    assert (caught.value.status, caught.value.code) == (415, "unsupported_coding")


HEAD = f"POST {TASKS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n".encode()


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: %d\r\n\r\n{" % (MOST + 1),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (MOST + 1, b" " * (MOST + 1)),
        b"Content-Length: %d\r\n\r\n{" % (1 << 40),
    ],
    ids=["length", "chunks", "more than the site takes"],
)
def test_a_body_that_is_too_long_is_refused_before_all_of_it_came(
    small: ApiSite, rest: bytes
) -> None:
    told = Asking(small, "POST", HEAD + rest).told()
    assert (told.status, told.json["code"]) == (413, "too_large")
    assert told.headers["Connection"] == "close"


def test_a_body_in_parts_is_put_together(small: ApiSite) -> None:
    asking = Asking(small, "POST", HEAD + b"Content-Length: 13\r\n\r\n{")
    for part in (b'"title"', b':"a"}'):
        assert asking.wire.value() == b""
        asking.protocol.dataReceived(part)
    assert asking.told().json["title"] == "a"


def test_a_client_that_leaves_in_the_middle_changes_nothing(small: ApiSite) -> None:
    asking = Asking(small, "POST", HEAD + b"Content-Length: 13\r\n\r\n{")
    hang_up(asking.protocol)
    assert asking.wire.value() == b""
    assert small.ask(TASKS).json["total"] == 0


def test_a_body_may_be_as_long_as_that(small: ApiSite) -> None:
    body = b'{"title":"a"}'
    assert small.ask(TASKS, "POST", body + b" " * (MOST - len(body))).status == 201
