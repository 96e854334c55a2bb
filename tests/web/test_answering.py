from __future__ import annotations

import pytest

from proto.web.answering import answer_with, answer_without_body, cut
from proto.web.dates import http_date
from proto.web.files import Version
from proto.web.ranges import Span
from proto.web.representation import Representation
from proto.web.response import HTTPError, Response

NOW = 1_700_000_000.0
CHANGED = 1_600_000_000
SOURCE = Version(1, 2, 10, CHANGED * 10**9)
PLAIN = Representation((b"a.txt",), SOURCE, "text/plain", varies=True, cache_control="max-age=1")
PACKED = Representation((b"a.txt",), SOURCE, "text/plain", "gzip", variant="-gzip", varies=True)
TAG = PLAIN.validators(NOW).etag


def ask(
    chosen: Representation = PLAIN, verb: str = "GET", size: int = 10, **fields: str
) -> tuple[Response, tuple[object, ...]]:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return answer_with(chosen, size, verb, lambda name: named.get(name, ""), NOW)


def test_the_whole_file_is_one_span() -> None:
    response, pieces = ask()
    assert (response.status, response.content_type) == (200, "text/plain")
    assert list(response.headers) == PLAIN.fields(PLAIN.validators(NOW))
    assert pieces == (Span(0, 10),)
    assert ask(size=0)[1] == ()


def test_a_coding_is_named_and_ranges_are_of_its_bytes() -> None:
    response, pieces = ask(PACKED, size=7, Range="bytes=5-99")
    headers = dict(response.headers)
    assert (response.status, pieces) == (206, (Span(5, 2),))
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Range"] == "bytes 5-6/7"
    assert headers["ETag"] == PACKED.validators(NOW).etag


def test_a_tag_of_another_coding_is_another_tag() -> None:
    assert ask(PACKED, If_None_Match=TAG)[0].status == 200
    assert ask(PLAIN, If_None_Match=TAG)[0].status == 304
    assert ask(PACKED, If_Range=TAG, Range="bytes=0-1")[0].status == 200


def test_a_304_has_the_fields_of_the_200_but_those_of_its_body() -> None:
    for chosen in (PLAIN, PACKED):
        response, pieces = ask(chosen, If_None_Match="*")
        assert response == Response(304, headers=chosen.fields(chosen.validators(NOW)))
        assert pieces == ()


def test_it_is_known_without_the_body_that_none_is_needed() -> None:
    tagged = {"If-None-Match": PACKED.validators(NOW).etag}.get
    unchanged = answer_without_body(PACKED, "GET", lambda name: tagged(name, ""), NOW)
    assert unchanged is not None
    assert unchanged.status == 304
    assert answer_without_body(PACKED, "GET", lambda name: "", NOW) is None
    with pytest.raises(HTTPError) as raised:
        answer_without_body(PACKED, "GET", lambda name: '"x"' if name == "If-Match" else "", NOW)
    assert raised.value.status == 412


def test_a_precondition_comes_before_a_range() -> None:
    with pytest.raises(HTTPError) as raised:
        ask(Range="bytes=99-", If_Unmodified_Since=http_date(CHANGED - 1))
    assert raised.value.status == 412
    with pytest.raises(HTTPError) as raised:
        ask(Range="bytes=99-")
    assert (raised.value.status, raised.value.headers) == (416, (("Content-Range", "bytes */10"),))


def test_head_has_no_ranges() -> None:
    assert ask(verb="HEAD", Range="bytes=0-1")[0].status == 200


def test_several_ranges_are_parts_of_one_body() -> None:
    response, pieces = ask(Range="bytes=0-1,-1")
    assert response.content_type.startswith("multipart/byteranges; boundary=")
    body = cut(b"0123456789", pieces)  # type: ignore[arg-type]
    assert b"Content-Range: bytes 0-1/10\r\n\r\n01\r\n--" in body
    assert b"Content-Range: bytes 9-9/10\r\n\r\n9\r\n--" in body
