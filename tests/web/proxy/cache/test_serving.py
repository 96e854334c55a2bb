from __future__ import annotations

from typing import Any

import pytest

from proto.web.proxy.cache.entry import Entry, Terms
from proto.web.proxy.cache.serving import answer_from
from proto.web.proxy.cache.wanted import wanted_of
from tests.web.proxy.cache.origin import DATE, HOUR_AGO, NOW, Client, ask, lines

BODY = b"0123456789"


class Given(Client):
    """The answer out of an entry that is three seconds old."""

    def __init__(self, stored: list[str], asked: list[str], status: int = 200, **options: Any):
        entry = Entry(status, b"OK", tuple(lines(*stored)), BODY, NOW, 0, Terms(60))
        request = ask(*asked, **options)

        async def replying() -> Any:
            return answer_from(entry, request, wanted_of(request), NOW + 3.9, b"x; hit")

        super().__init__(replying())


def test_an_answer_tells_its_age_and_where_it_is_from() -> None:
    given = Given(["Via: 1.1 a", f"Date: {DATE}", "Expires: 0"], [])
    assert (given.status, given.body) == (200, BODY)
    assert given.value("Age") == "3"
    assert given.told == "x; hit"
    assert (given.value("Via"), given.value("Date"), given.value("Expires")) == (
        "1.1 a",
        DATE,
        "0",
    )
    assert given.value("Content-Length") == "10"


def test_what_caches_before_us_told_stays_in_front() -> None:
    given = Given(["Cache-Status: origin; hit"], [])
    assert given.reply is not None
    assert given.reply.values(b"cache-status") == [b"origin; hit", b"x; hit"]


def test_a_head_is_answered_without_a_body() -> None:
    given = Given(["Content-Length: 10"], [], method="HEAD")
    assert (given.status, given.body, given.value("Content-Length")) == (200, b"", "10")


@pytest.mark.parametrize(
    ("stored", "asked", "expected"),
    [
        (['ETag: "a"'], ['If-None-Match: "a"'], 304),
        (['ETag: "a"'], ['If-None-Match: W/"a"'], 304),
        (['ETag: W/"a"'], ['If-None-Match: "a"'], 304),
        (['ETag: W/"a"'], ['If-None-Match: W/"a"'], 304),
        (['ETag: "a"'], ['If-None-Match: "a", "b"'], 304),
        (['ETag: "a"'], ['If-None-Match: "b", "a", "c"'], 304),
        (['ETag: "a"'], ['If-None-Match: "b"', 'If-None-Match: "a"'], 304),
        (['ETag: "a"'], ["If-None-Match: *"], 304),
        (['ETag: "\u00e9"'], ['If-None-Match: "\u00e9"'], 304),
        (['ETag: "a"'], ['If-None-Match: "b"'], 200),
        (['ETag: "a"'], ["If-None-Match: a"], 200),
        ([], ['If-None-Match: "a"'], 200),
        (['ETag: "a"', f"Last-Modified: {HOUR_AGO}"],
         ['If-None-Match: "b"', f"If-Modified-Since: {DATE}"], 200),
        ([f"Last-Modified: {HOUR_AGO}"], [f"If-Modified-Since: {HOUR_AGO}"], 304),
        ([f"Last-Modified: {HOUR_AGO}"], [f"If-Modified-Since: {DATE}"], 304),
        ([f"Last-Modified: {DATE}"], [f"If-Modified-Since: {HOUR_AGO}"], 200),
        ([f"Last-Modified: {HOUR_AGO}"],
         ["If-Modified-Since: Tuesday, 14-Nov-23 21:13:20 GMT"], 304),
        ([f"Date: {DATE}"], [f"If-Modified-Since: {DATE}"], 304),
        ([f"Date: {DATE}"], [f"If-Modified-Since: {HOUR_AGO}"], 200),
        ([f"Last-Modified: {HOUR_AGO}"], ["If-Modified-Since: tomorrow"], 200),
    ],
)  # fmt: skip
def test_what_has_not_changed_is_not_sent_again(
    stored: list[str], asked: list[str], expected: int
) -> None:
    assert Given(stored, asked).status == expected
    assert Given(stored, asked, method="HEAD").status == expected


def test_a_304_has_what_tells_how_to_use_what_one_has() -> None:
    stored = ['ETag: "a"', "Cache-Control: max-age=60", f"Date: {DATE}", "Content-Type: a/b"]
    stored += ["Vary: Accept", "Content-Length: 10", "Expires: 0", "Content-Location: /x"]
    given = Given(stored, ['If-None-Match: "a"'])
    assert given.reply is not None
    assert {name for name, _ in given.reply.fields} == {
        b"ETag", b"Cache-Control", b"Date", b"Vary", b"Expires", b"Content-Location",
        b"Age", b"Cache-Status",
    }  # fmt: skip
    assert given.body == b""


def test_only_of_a_200_it_is_told_that_it_has_not_changed() -> None:
    assert Given(['ETag: "a"'], ['If-None-Match: "a"'], status=404).status == 404


@pytest.mark.parametrize(
    ("asked", "body", "told"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=5-99", b"56789", "bytes 5-9/10"),
    ],
)
def test_a_part_is_cut_out_of_the_whole(asked: str, body: bytes, told: str) -> None:
    given = Given(["Content-Length: 10", "Content-Type: a/b"], [f"Range: {asked}"])
    assert (given.status, given.body) == (206, body)
    assert given.value("Content-Range") == told
    assert given.value("Content-Length") == str(len(body))
    assert given.value("Content-Type") == "a/b"
    assert given.value("Age") == "3"


def test_a_part_behind_the_end_is_refused() -> None:
    given = Given(["Content-Length: 10", "Content-Type: a/b"], ["Range: bytes=10-"])
    assert (given.status, given.body) == (416, b"")
    assert given.value("Content-Range") == "bytes */10"
    assert given.value("Content-Length") == "0"


@pytest.mark.parametrize(
    "asked",
    [
        ["Range: lines=1-2"],
        ["Range: bytes=4-2"],
        ["Range: bytes=0-0,5-5"],
        ["Range: bytes=0-0", "Range: bytes=1-1"],
        ["Range: bytes=0-0", 'If-Range: "b"'],
        ["Range: bytes=0-0", 'If-Range: W/"a"'],
        ["Range: bytes=0-0", f"If-Range: {DATE}"],
        ['If-Range: "a"'],
    ],
)
def test_otherwise_the_whole_is_the_answer(asked: list[str]) -> None:
    given = Given(['ETag: "a"', f"Last-Modified: {HOUR_AGO}"], asked)
    assert (given.status, given.body) == (200, BODY)


def test_a_part_is_sent_to_who_has_the_rest_of_just_this() -> None:
    stored = ['ETag: "a"', f"Last-Modified: {HOUR_AGO}"]
    for condition in ('If-Range: "a"', f"If-Range: {HOUR_AGO}"):
        assert Given(stored, ["Range: bytes=0-0", condition]).status == 206
    weak = ['ETag: W/"a"']
    for condition in ('If-Range: "a"', 'If-Range: W/"a"'):
        assert Given(weak, ["Range: bytes=0-0", condition]).status == 200


def test_a_204_has_no_length() -> None:
    assert Given([], [], status=204).value("Content-Length") is None
