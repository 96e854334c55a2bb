"""RFC 9110, section 13 (conditional requests) and section 14 (ranges), sentence by sentence.

Each row of a table names the section, what it says, the fields of the request and the answer.
The file has ten bytes, `0123456789`, and was changed long ago.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import pytest

from proto.web.dates import http_date
from proto.web.site import ProtoSite
from tests.web.wire import NOW, Answer, ask, site_of

CHANGED: Final = NOW - 1000
THEN, BEFORE, LATER = (http_date(CHANGED + offset) for offset in (0, -1, 1))
RFC850_THEN: Final = "Tuesday, 14-Nov-23 21:56:40 GMT"
ASCTIME_THEN: Final = "Tue Nov 14 21:56:40 2023"
DIGITS: Final = b"0123456789"

Fields = dict[str, str]


@pytest.fixture
def site(tmp_path: Path) -> ProtoSite:
    (tmp_path / "file.txt").write_bytes(DIGITS)
    os.utime(tmp_path / "file.txt", (CHANGED, CHANGED))
    return site_of(tmp_path)


def tag_of(site: ProtoSite) -> str:
    return ask(site, "/file.txt").headers["ETag"]


def answer(site: ProtoSite, method: str, fields: Fields) -> Answer:
    """`TAG` in a field stands for the file's own entity tag."""
    tag = tag_of(site)
    filled = {name: value.replace("TAG", tag) for name, value in fields.items()}
    return ask(site, "/file.txt", method, b"", **filled)


# 13: conditional requests

CONDITIONS: Final[list[tuple[str, str, str, Fields, int]]] = [
    # section, what it says, method, fields, status
    ("13.1.1", "* is true if there is a current representation", "GET", {"If-Match": "*"}, 200),
    ("13.1.1", "true if one tag of the list matches", "GET", {"If-Match": '"x", TAG'}, 200),
    ("13.1.1", "false if none of them matches", "GET", {"If-Match": '"x", "y"'}, 412),
    ("13.1.1", "the strong comparison is used", "GET", {"If-Match": "W/TAG"}, 412),
    ("13.1.1", "the same for HEAD", "HEAD", {"If-Match": '"x"'}, 412),
    ("13.1.1", "an empty list element is ignored", "GET", {"If-Match": ', ,TAG,"x"'}, 200),
    ("13.1.2", "* is false if there is a representation", "GET", {"If-None-Match": "*"}, 304),
    ("13.1.2", "false if one of the tags matches", "GET", {"If-None-Match": '"x", TAG'}, 304),
    ("13.1.2", "true if none matches", "GET", {"If-None-Match": '"x"'}, 200),
    ("13.1.2", "the weak comparison is used", "GET", {"If-None-Match": "W/TAG"}, 304),
    ("13.1.2", "the same for HEAD", "HEAD", {"If-None-Match": "TAG"}, 304),
    ("13.1.2", "a comma inside a tag parts nothing", "GET", {"If-None-Match": '"a,b"'}, 200),
    ("13.1.3", "true if it was changed later", "GET", {"If-Modified-Since": BEFORE}, 200),
    ("13.1.3", "false if it was changed just then", "GET", {"If-Modified-Since": THEN}, 304),
    ("13.1.3", "false if it was changed before", "GET", {"If-Modified-Since": LATER}, 304),
    ("13.1.3", "the same for HEAD", "HEAD", {"If-Modified-Since": THEN}, 304),
    ("13.1.3", "ignored if it is no date", "GET", {"If-Modified-Since": "yesterday"}, 200),
    ("13.1.3", "ignored if there are two", "GET", {"If-Modified-Since": f"{THEN}, {THEN}"}, 200),
    (
        "13.1.3",
        "ignored beside If-None-Match",
        "GET",
        {"If-Modified-Since": LATER, "If-None-Match": '"x"'},
        200,
    ),
    ("5.6.7", "RFC 850's date is understood", "GET", {"If-Modified-Since": RFC850_THEN}, 304),
    ("5.6.7", "asctime's date is understood", "GET", {"If-Modified-Since": ASCTIME_THEN}, 304),
    ("13.1.4", "false if it was changed later", "GET", {"If-Unmodified-Since": BEFORE}, 412),
    ("13.1.4", "true if it was changed just then", "GET", {"If-Unmodified-Since": THEN}, 200),
    ("13.1.4", "true if it was changed before", "GET", {"If-Unmodified-Since": LATER}, 200),
    ("13.1.4", "ignored if it is no date", "GET", {"If-Unmodified-Since": "0"}, 200),
    (
        "13.1.4",
        "ignored beside If-Match",
        "GET",
        {"If-Unmodified-Since": BEFORE, "If-Match": "TAG"},
        200,
    ),
    (
        "13.2.2",
        "If-Match comes before If-None-Match",
        "GET",
        {"If-Match": '"x"', "If-None-Match": "TAG"},
        412,
    ),
    (
        "13.2.2",
        "a true If-Match leaves the others to be evaluated",
        "GET",
        {"If-Match": "TAG", "If-None-Match": "TAG"},
        304,
    ),
    (
        "13.2.2",
        "If-Unmodified-Since comes before If-Modified-Since",
        "GET",
        {"If-Unmodified-Since": BEFORE, "If-Modified-Since": THEN},
        412,
    ),
    (
        "13.2.2",
        "preconditions come before the range",
        "GET",
        {"If-None-Match": "TAG", "Range": "bytes=0-1"},
        304,
    ),
    (
        "13.2.2",
        "and before one that is not satisfiable",
        "GET",
        {"If-Match": '"x"', "Range": "bytes=99-"},
        412,
    ),
    ("13.2.1", "ignored where the answer is no 2xx without", "POST", {"If-Match": '"x"'}, 405),
    ("13.2.1", "ignored by OPTIONS", "OPTIONS", {"If-Match": '"x"'}, 204),
]


def titled(rows: list[tuple[str, str, str, Fields, int]]) -> list[str]:
    return [f"{section} {said}" for section, said, *_ in rows]


@pytest.mark.parametrize(
    ("section", "said", "method", "fields", "status"), CONDITIONS, ids=titled(CONDITIONS)
)
def test_conditional_requests(
    site: ProtoSite, section: str, said: str, method: str, fields: Fields, status: int
) -> None:
    assert answer(site, method, fields).status == status, f"{section}: {said}"


def test_13_2_1_preconditions_do_not_matter_where_nothing_is(site: ProtoSite) -> None:
    for fields in ({"If-Match": "*"}, {"If-None-Match": "*"}, {"If-Modified-Since": THEN}):
        assert ask(site, "/none", "GET", b"", **fields).status == 404


def test_15_4_5_a_304_has_the_fields_that_caches_need(site: ProtoSite) -> None:
    whole = ask(site, "/file.txt").headers
    unchanged = answer(site, "GET", {"If-None-Match": "TAG"})
    assert unchanged.body == b""
    for name in ("Date", "ETag", "Last-Modified"):
        assert unchanged.headers[name] == whole[name]
    assert not {"Content-Length", "Content-Type", "Content-Range"} & set(unchanged.headers)


def test_8_8_2_last_modified_is_no_later_than_date(tmp_path: Path, site: ProtoSite) -> None:
    os.utime(tmp_path / "file.txt", (NOW + 10_000, NOW + 10_000))
    headers = ask(site, "/file.txt").headers
    assert headers["Last-Modified"] == headers["Date"]


# 14: ranges

WHOLE: Final = (200, "", DIGITS)
NOWHERE: Final = (416, "bytes */10", None)
Told = tuple[int, str, bytes | None]


def part(first: int, last: int) -> Told:
    return 206, f"bytes {first}-{last}/10", DIGITS[first : last + 1]


RANGES: Final[list[tuple[str, str, Fields, Told]]] = [
    # section, what it says, fields, (status, Content-Range, body)
    ("14.1.2", "the first bytes", {"Range": "bytes=0-3"}, part(0, 3)),
    ("14.1.2", "one byte", {"Range": "bytes=9-9"}, part(9, 9)),
    ("14.1.2", "to the end", {"Range": "bytes=7-"}, part(7, 9)),
    ("14.1.2", "an end behind the last byte", {"Range": "bytes=7-99"}, part(7, 9)),
    ("14.1.2", "the last bytes", {"Range": "bytes=-3"}, part(7, 9)),
    ("14.1.2", "more last bytes than there are", {"Range": "bytes=-30"}, part(0, 9)),
    ("14.1.2", "none of the last bytes", {"Range": "bytes=-0"}, NOWHERE),
    ("14.1.2", "a first byte behind the last", {"Range": "bytes=10-"}, NOWHERE),
    ("14.1.1", "units are case-insensitive", {"Range": "Bytes=0-0"}, part(0, 0)),
    ("14.1.1", "an end before the beginning is invalid", {"Range": "bytes=3-1"}, WHOLE),
    ("14.1.1", "no digits are invalid", {"Range": "bytes=-"}, WHOLE),
    ("14.1.1", "other characters are invalid", {"Range": "bytes=0x1-2"}, WHOLE),
    ("14.2", "an unknown unit is ignored", {"Range": "lines=0-3"}, WHOLE),
    ("14.2", "a field without a unit is ignored", {"Range": "0-3"}, WHOLE),
    ("14.2", "overlaps that ask for too much may be ignored", {"Range": "bytes=0-8,1-9"}, WHOLE),
    ("14.2", "many small ranges may be ignored", {"Range": "bytes=" + "0-0," * 17}, WHOLE),
    ("14.2", "one satisfiable range is enough", {"Range": "bytes=50-,8-9"}, part(8, 9)),
    ("14.2", "none that is satisfiable is 416", {"Range": "bytes=50-,60-"}, NOWHERE),
    ("5.6.1", "empty elements of the list are ignored", {"Range": "bytes=,0-0,"}, part(0, 0)),
    ("13.1.5", "the same tag", {"Range": "bytes=0-0", "If-Range": "TAG"}, part(0, 0)),
    ("13.1.5", "another tag", {"Range": "bytes=0-0", "If-Range": '"x"'}, WHOLE),
    ("13.1.5", "a weak tag never matches", {"Range": "bytes=0-0", "If-Range": "W/TAG"}, WHOLE),
    ("13.1.5", "the same date", {"Range": "bytes=0-0", "If-Range": THEN}, part(0, 0)),
    ("13.1.5", "an earlier date", {"Range": "bytes=0-0", "If-Range": BEFORE}, WHOLE),
    ("13.1.5", "a later date is no match", {"Range": "bytes=0-0", "If-Range": LATER}, WHOLE),
    ("13.1.5", "neither tag nor date", {"Range": "bytes=0-0", "If-Range": "x"}, WHOLE),
    ("13.1.5", "without a range it means nothing", {"If-Range": '"x"'}, WHOLE),
    ("13.1.5", "a 416 only if it matches", {"Range": "bytes=99-", "If-Range": '"x"'}, WHOLE),
]  # fmt: skip


@pytest.mark.parametrize(
    ("section", "said", "fields", "told"), RANGES, ids=[f"{row[0]} {row[1]}" for row in RANGES]
)
def test_ranges(site: ProtoSite, section: str, said: str, fields: Fields, told: Told) -> None:
    status, content_range, body = told
    got = answer(site, "GET", fields)
    assert got.status == status, f"{section}: {said}"
    assert got.headers.get("Content-Range", "") == content_range
    if body is not None:
        assert got.body == body
        assert got.headers["Accept-Ranges"] == "bytes"  # 14.3
        assert got.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_14_2_a_range_is_for_get_only(site: ProtoSite) -> None:
    head = answer(site, "HEAD", {"Range": "bytes=0-0"})
    assert (head.status, head.headers["Content-Length"]) == (200, "10")
    assert answer(site, "HEAD", {"Range": "bytes=99-"}).status == 200


def test_14_6_several_ranges_are_multipart_in_the_order_asked_for(site: ProtoSite) -> None:
    got = answer(site, "GET", {"Range": "bytes=8-9, 0-1"})
    kind = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", got.headers["Content-Type"])
    assert got.status == 206
    assert kind
    assert "Content-Range" not in got.headers  # 15.3.7.2
    *parts, end = got.body.split(b"--" + kind[1].encode())
    assert end == b"--\r\n"
    assert parts == [
        b"",
        b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n",
        b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n",
    ]


def test_15_3_7_a_206_has_the_fields_of_the_200(site: ProtoSite) -> None:
    whole = ask(site, "/file.txt").headers
    part = answer(site, "GET", {"Range": "bytes=0-3"}).headers
    for name in ("Date", "ETag", "Last-Modified"):
        assert part[name] == whole[name]
    assert part["Content-Length"] == "4"


def test_15_5_17_a_416_tells_the_length_and_nothing_of_the_file(site: ProtoSite) -> None:
    got = answer(site, "GET", {"Range": "bytes=99-"})
    assert got.headers["Content-Range"] == "bytes */10"
    assert not {"ETag", "Last-Modified"} & set(got.headers)
    assert DIGITS not in got.body


def test_14_4_an_empty_file_has_no_range(site: ProtoSite, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    got = ask(site, "/empty.txt", Range="bytes=0-")
    assert (got.status, got.headers["Content-Range"]) == (416, "bytes */0")
