from __future__ import annotations

from typing import Final

import pytest
from twisted.internet.defer import Deferred

from proto.web.proxy.messages import Reply
from proto.web.response import HTTPError
from tests.web.proxy.cache.origin import (
    DATE,
    HOUR_AGO,
    LOST,
    NOW,
    Street,
    answer,
    ask,
    lines,
    pieces,
)

MINUTE: Final = "Cache-Control: max-age=60"
ETAG: Final = 'ETag: "a"'


def test_an_answer_that_is_fresh_is_given_again() -> None:
    street = Street()
    street.answers(answer(MINUTE, "X: 1", body=[b"hel", b"lo"]))
    first = street.get()
    assert (first.body, first.told) == (b"hello", "proto; fwd=uri-miss; stored")
    street.clock.advance(59)
    second = street.get()
    assert (second.status, second.body, second.value("X")) == (200, b"hello", "1")
    assert (second.value("Age"), second.told) == ("59", "proto; hit; ttl=1")
    assert len(street.asked) == 1


def test_an_answer_that_is_stale_is_asked_for_again() -> None:
    street = Street()
    street.answers(answer(MINUTE, body=b"one"), answer(MINUTE, body=b"two"))
    street.get()
    street.clock.advance(60)
    second = street.get()
    assert (second.body, second.told) == (b"two", "proto; fwd=stale; stored")
    assert street.get().body == b"two"


def test_what_may_not_be_kept_goes_by() -> None:
    street = Street()
    street.answering = lambda _: answer("Cache-Control: no-store")
    for _ in range(3):
        assert street.get().told == "proto; fwd=uri-miss"
    assert len(street.asked) == 3
    assert street.store.entries == 0


def test_a_body_that_breaks_off_is_never_given_again() -> None:
    street = Street()
    street.answers(answer(MINUTE, body=[b"hel", LOST]), answer(MINUTE))
    first = street.get()
    assert (first.body, first.failure is not None) == (b"hel", True)
    assert street.get().body == b"hello"
    assert len(street.asked) == 2


@pytest.mark.parametrize("length", ["4", "6"])
def test_neither_is_one_of_another_length_than_it_said(length: str) -> None:
    street = Street()
    street.answers(answer(MINUTE, f"Content-Length: {length}"), answer(MINUTE))
    assert street.get().failure is not None
    assert street.get().body == b"hello"


@pytest.mark.parametrize("length", [[], ["Content-Length: 1001"], ["Content-Length: x"]])
def test_what_is_too_large_goes_by(length: list[str]) -> None:
    street = Street(max_object=1000)
    street.answering = lambda _: answer(MINUTE, *length, body=[b"x" * 300] * 3 + [b"x" * 101])
    for _ in range(2):
        assert street.get().body == b"x" * 1001
    assert len(street.asked) == 2
    assert street.store.entries == 0


def test_whoever_leaves_in_the_middle_leaves_nothing_behind() -> None:
    street = Street()
    closed: list[int] = []
    reply = answer(MINUTE, body=[b"hel", b"lo"])
    reply.close = lambda: closed.append(1)
    street.answers(reply)
    street.client(ask(), reads=False).leave()
    assert closed == [1]
    assert street.store.entries == 0


def test_a_head_is_answered_from_a_get_and_is_itself_not_kept() -> None:
    street = Street()
    street.answers(answer(MINUTE, body=b""), answer(MINUTE, "Content-Length: 5"))
    assert street.get(method="HEAD").told == "proto; fwd=uri-miss"
    street.get()
    head = street.get(method="HEAD")
    assert (head.body, head.told) == (b"", "proto; hit; ttl=60")
    assert head.value("Content-Length") == "5"
    assert [each.method for each in street.asked] == [b"HEAD", b"GET"]


def test_a_head_that_tells_of_another_answer_drops_what_is_kept() -> None:
    street = Street()
    street.answers(
        answer(MINUTE, ETAG),
        answer(ETAG, body=b""),
        answer('ETag: "b"', body=b""),
        answer(MINUTE, 'ETag: "b"'),
    )
    street.get()
    street.get("Cache-Control: no-cache", method="HEAD")
    assert street.get().told.startswith("proto; hit")
    street.get("Cache-Control: no-cache", method="HEAD")
    assert street.get().value("ETag") == '"b"'


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ([ETAG], "If-None-Match"),
        (['ETag: W/"a"'], "If-None-Match"),
        ([f"Last-Modified: {HOUR_AGO}"], "If-Modified-Since"),
    ],
)
def test_what_is_stale_is_validated(stored: list[str], asked: str) -> None:
    street = Street()
    street.answers(answer(MINUTE, *stored), answer(MINUTE, "X: new", status=304, body=b""))
    street.get()
    street.clock.advance(100)
    second = street.get()
    assert street.sent(asked.lower()) == [stored[0].partition(": ")[2].encode()]
    assert (second.status, second.body) == (200, b"hello")
    assert (second.value("X"), second.value("Age")) == ("new", "0")
    assert second.told == "proto; fwd=stale; fwd-status=304"
    street.clock.advance(59)
    third = street.get()
    assert (third.told, third.value("X")) == ("proto; hit; ttl=1", "new")
    assert len(street.asked) == 2


def test_a_304_about_something_else_is_asked_once_more() -> None:
    street = Street()
    street.answers(
        answer(MINUTE, ETAG),
        answer('ETag: "b"', status=304, body=b""),
        answer(MINUTE, 'ETag: "b"', body=b"new"),
    )
    street.get()
    street.clock.advance(100)
    assert street.get().body == b"new"
    assert street.sent("if-none-match") == []
    assert street.get().body == b"new"


def test_a_304_that_forbids_to_keep_it_answers_once() -> None:
    street = Street()
    street.answers(
        answer(MINUTE, ETAG),
        answer("Cache-Control: private", "Set-Cookie: a=b", status=304, body=b""),
        answer(body=b"new"),
    )
    street.get()
    street.clock.advance(100)
    second = street.get()
    assert (second.body, second.value("Set-Cookie")) == (b"hello", "a=b")
    assert street.store.entries == 0
    assert street.get().body == b"new"


def test_a_304_that_forbids_to_keep_it_drops_what_is_fresh_too() -> None:
    street = Street()
    street.answers(answer(MINUTE, ETAG), answer("Cache-Control: no-store", status=304, body=b""))
    street.get()
    assert street.get("Cache-Control: no-cache").body == b"hello"
    assert street.store.entries == 0


def test_no_cache_is_validated_each_time() -> None:
    street = Street()
    control = "Cache-Control: no-cache, max-age=60"
    street.answers(answer(control, ETAG), *(answer(control, status=304) for _ in range(2)))
    street.get()
    for _ in range(2):
        assert street.get().body == b"hello"
        assert street.sent("if-none-match") == [b'"a"']


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "ODD"])
def test_what_changes_something_is_passed_on_and_drops_what_is_kept(method: str) -> None:
    street = Street()
    street.answering = lambda ask: answer(MINUTE, "Location: /other")
    for target in ("/", "/other", "/third"):
        street.get(target=target)
    assert street.get(method=method).told == "proto; fwd=method"
    hits = [street.get(target=target).told for target in ("/", "/other", "/third")]
    assert [told.startswith("proto; hit") for told in hits] == [False, False, True]


def test_what_fails_to_change_something_drops_nothing() -> None:
    street = Street()
    street.answers(answer(MINUTE), answer(status=403))
    street.get()
    street.get(method="POST")
    assert street.get().told.startswith("proto; hit")


def test_nobody_knows_what_a_request_without_an_answer_has_changed() -> None:
    street = Street()
    street.answers(answer(MINUTE), HTTPError(502), answer(MINUTE))
    street.get()
    assert isinstance(street.get(method="POST").failure, HTTPError)
    assert street.get().told == "proto; fwd=uri-miss; stored"


def test_what_was_under_way_when_something_changed_is_not_kept() -> None:
    street = Street()
    coming: Deferred[Reply] = Deferred()
    street.answers(coming, answer(), answer(MINUTE, body=b"new"))
    old = street.get()
    street.get(method="POST")
    coming.callback(answer(MINUTE, body=b"old"))
    assert old.body == b"old"
    assert street.get().body == b"new"


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        (['If-Match: "a"'], "GET"),
        ([f"If-Unmodified-Since: {DATE}"], "HEAD"),
        (["Upgrade: websocket"], "GET"),
    ],
)
def test_what_no_cache_can_answer_goes_by(fields: list[str], method: str) -> None:
    street = Street()
    street.answering = lambda _: answer(MINUTE)
    street.get()
    assert street.get(*fields, method=method).told == "proto; fwd=bypass"


def test_an_upgrade_is_not_touched() -> None:
    street = Street()
    street.answers(Reply(101, b"Switching Protocols", lines("Upgrade: x"), pieces([])))
    client = street.get("Upgrade: x")
    assert client.reply is not None
    assert list(client.reply.fields) == lines("Upgrade: x")


@pytest.mark.parametrize("fields", [["Range: bytes=0-1"], ['If-None-Match: "a"']])
def test_of_a_part_or_a_condition_only_a_whole_answer_is_kept(fields: list[str]) -> None:
    street = Street()
    street.answers(
        answer(MINUTE, status=206, body=b"he"), answer(MINUTE, status=304, body=b""),
        answer(MINUTE),
    )  # fmt: skip
    for _ in range(3):
        street.get(*fields)
        assert street.sent(fields[0].partition(":")[0].lower())
    assert street.get().told.startswith("proto; hit")


def test_parts_and_conditions_are_answered_from_what_is_kept() -> None:
    street = Street()
    street.answers(answer(MINUTE, ETAG))
    street.get()
    assert street.get("Range: bytes=1-2").body == b"el"
    assert street.get("Range: bytes=9-").status == 416
    assert street.get('If-None-Match: "a"').status == 304


def test_a_part_of_what_is_stale_is_cut_out_when_it_was_validated() -> None:
    street = Street()
    street.answers(answer(MINUTE, ETAG), answer(MINUTE, status=304, body=b""))
    street.get()
    street.clock.advance(100)
    assert street.get("Range: bytes=1-2").body == b"el"
    assert street.sent("range") == []


def test_only_if_cached_never_asks_the_origin() -> None:
    street = Street()
    street.answers(answer(MINUTE))
    for fields in ([], ['If-Match: "a"']):
        failure = street.get("Cache-Control: only-if-cached", *fields).failure
        assert isinstance(failure, HTTPError)
        assert failure.status == 504
    assert street.asked == []
    street.get()
    assert street.get("Cache-Control: only-if-cached").body == b"hello"


def test_variants_are_told_apart() -> None:
    street = Street()

    street.answering = lambda ask: answer(MINUTE, "Vary: Foo", body=dict(ask.fields)[b"Foo"])
    for foo in ("1", "2", "1", "2"):
        assert street.get(f"Foo: {foo}").body == foo.encode()
    assert len(street.asked) == 2
    assert street.get("Foo: 3").told == "proto; fwd=vary-miss; stored"


def test_somebody_who_said_who_they_are_shares_only_what_is_public() -> None:
    street = Street()
    street.answers(answer(MINUTE), answer("Cache-Control: public, max-age=60"))
    street.get("Authorization: x")
    assert street.get("Authorization: x").told == "proto; fwd=uri-miss; stored"
    assert street.get().told.startswith("proto; hit")


def test_a_newer_answer_that_nobody_may_keep_leaves_what_is_fresh_and_drops_what_is_stale() -> None:
    street = Street()
    street.answers(answer(MINUTE, "X: 1"), *(answer("Cache-Control: no-store") for _ in range(3)))
    street.get()
    street.get("Cache-Control: no-cache")
    assert street.get().value("X") == "1"
    street.clock.advance(100)
    street.get()
    assert street.store.entries == 0


def test_the_clock_may_be_set_back() -> None:
    street = Street()
    street.answers(answer(MINUTE), answer(MINUTE))
    street.get()
    street.clock.rightNow = NOW - 10_000.0
    assert street.get().value("Age") == "0"
