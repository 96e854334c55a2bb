"""A cache whose origin fails or is slow: stale-if-error and stale-while-revalidate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
from twisted.internet.defer import Deferred

from proto.web.proxy.messages import Reply
from proto.web.response import HTTPError
from tests.web.proxy.cache.origin import LOST, Street, answer, ask

IF_ERROR: Final = "Cache-Control: max-age=60, stale-if-error=600"
BEHIND: Final = "Cache-Control: max-age=60, stale-while-revalidate=60"


@pytest.mark.parametrize(
    "failure", [HTTPError(502), HTTPError(503), HTTPError(504), 500, 502, 503, 504]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_stale_helps_out_when_the_origin_fails(
    failure: HTTPError | int, method: str
) -> None:
    street = Street()
    failing = answer(status=failure) if isinstance(failure, int) else failure
    street.answers(answer(IF_ERROR, 'ETag: "a"'), failing)
    street.get()
    street.clock.advance(100)
    helped = street.get(method=method)
    assert (helped.status, helped.body) == (200, b"hello" if method == "GET" else b"")
    assert helped.told == 'proto; hit; ttl=-40; detail="stale-if-error"'
    assert helped.value("Age") == "100"


def test_not_for_longer_than_it_may() -> None:
    street = Street()
    street.answers(answer(IF_ERROR), HTTPError(502), answer(status=503))
    street.get()
    street.clock.advance(660)
    assert isinstance(street.get().failure, HTTPError)
    assert street.get().status == 503


@pytest.mark.parametrize("status", [400, 403, 404, 410, 501])
def test_an_answer_that_tells_of_no_failure_is_an_answer(status: int) -> None:
    street = Street()
    street.answers(answer(IF_ERROR), answer(status=status))
    street.get()
    street.clock.advance(100)
    assert street.get().status == status


@pytest.mark.parametrize(
    "directive", ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"]
)
@pytest.mark.parametrize("failure", [HTTPError(502), 503])
def test_not_where_it_is_forbidden(directive: str, failure: HTTPError | int) -> None:
    street = Street(stale_if_error=600)
    failing = answer(status=failure) if isinstance(failure, int) else failure
    street.answers(answer(f"{IF_ERROR}, {directive}", 'ETag: "a"'), failing)
    street.get()
    street.clock.advance(100)
    client = street.get("Cache-Control: stale-if-error=600")
    if isinstance(failure, int):
        assert client.status == failure
    else:
        assert client.failure is failing


def test_where_an_answer_says_nothing_the_operator_decides() -> None:
    street = Street(stale_if_error=600)
    street.answers(answer("Cache-Control: max-age=60"), HTTPError(502))
    street.get()
    street.clock.advance(100)
    assert street.get().body == b"hello"


def test_who_wants_it_validated_hears_of_the_failure() -> None:
    street = Street()
    street.answers(answer(IF_ERROR), HTTPError(502))
    street.get()
    assert isinstance(street.get("Cache-Control: no-cache").failure, HTTPError)


def test_a_failure_that_may_be_kept_does_not_replace_what_helps() -> None:
    street = Street()
    failing = [answer("Cache-Control: max-age=60", status=503) for _ in range(2)]
    street.answers(answer(IF_ERROR), *failing, answer(IF_ERROR, body=b"new"))
    street.get()
    street.clock.advance(100)
    assert [street.get().body for _ in range(3)] == [b"hello", b"hello", b"new"]


def test_what_is_nearly_fresh_answers_at_once_and_is_renewed_behind() -> None:
    street = Street()
    coming: Deferred[Reply] = Deferred()
    street.answers(answer(BEHIND, 'ETag: "a"'), coming)
    street.get()
    street.clock.advance(100)
    for _ in range(3):
        stale = street.get("Range: bytes=0-1", 'If-None-Match: "b"')
        assert (stale.body, stale.told) == (b"he", "proto; hit; ttl=-40")
    assert len(street.asked) == 2
    assert street.sent("range") == []
    assert street.sent("if-none-match") == [b'"a"']
    coming.callback(answer(BEHIND, body=b"new"))
    renewed = street.get()
    assert (renewed.body, renewed.told) == (b"new", "proto; hit; ttl=60")


def test_it_is_renewed_behind_by_a_304_and_for_a_head_too() -> None:
    street = Street()
    street.answers(answer(BEHIND, 'ETag: "a"'), answer(BEHIND, status=304, body=b""))
    street.get()
    street.clock.advance(100)
    assert street.get(method="HEAD").told == "proto; hit; ttl=-40"
    assert street.asked[-1].method == b"GET"
    assert street.get().told == "proto; hit; ttl=60"


def test_after_that_time_the_origin_is_asked_first() -> None:
    street = Street()
    street.answers(answer(BEHIND), answer(BEHIND, body=b"new"))
    street.get()
    street.clock.advance(120)
    assert street.get().body == b"new"


@pytest.mark.parametrize("directive", ["must-revalidate", "s-maxage=60", "no-cache"])
def test_nothing_is_given_stale_that_may_not_be(directive: str) -> None:
    street = Street()
    street.answers(answer(f"{BEHIND}, {directive}", 'ETag: "a"'), answer(BEHIND, body=b"new"))
    street.get()
    street.clock.advance(70)
    assert street.get().body == b"new"


def test_a_renewal_that_fails_is_tried_by_the_next() -> None:
    street = Street()
    broken = answer(BEHIND, body=[b"x", LOST])
    street.answers(answer(BEHIND), HTTPError(502), broken, answer(BEHIND, body=b"new"))
    street.get()
    street.clock.advance(100)
    assert [street.get().body for _ in range(4)] == [b"hello"] * 3 + [b"new"]


def test_a_renewal_that_is_too_large_is_not_read_to_its_end() -> None:
    street = Street(max_object=10)
    taken: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            taken.append(1)
            yield b"x" * 8

    closed: list[int] = []
    large = Reply(200, b"OK", answer(BEHIND).fields, endless(), lambda: closed.append(1))
    street.answers(answer(BEHIND), large)
    street.get()
    street.clock.advance(100)
    assert street.get().body == b"hello"
    assert len(taken) == 2
    assert closed == [1]


def test_so_many_are_renewed_at_one_time() -> None:
    street = Street(max_behind=2)
    street.answering = lambda _: answer(BEHIND)
    targets = ["/a", "/b", "/c"]
    for target in targets:
        street.get(target=target)
    street.clock.advance(100)
    waiting: list[Deferred[Reply]] = []

    def later(_: object) -> Deferred[Reply]:
        waiting.append(Deferred())
        return waiting[-1]

    street.answering = later
    assert [street.get(target=target).body for target in targets] == [b"hello"] * 3
    assert len(waiting) == 2
    street.cache.close()
    assert all(each.called for each in waiting)


def test_a_renewal_keeps_what_its_asker_may_share() -> None:
    street = Street()
    street.answers(
        answer(BEHIND, 'ETag: "a"'),
        answer(BEHIND, body=b"of x alone"),
        answer(BEHIND, body=b"for all"),
    )
    street.get()
    street.clock.advance(100)
    assert street.get("Authorization: x").body == b"hello"
    street.clock.advance(100)
    assert street.client(ask()).body == b"for all"


def test_what_a_session_is_told_behind_its_back_is_for_nobody_else() -> None:
    street = Street()
    street.answers(answer(BEHIND), answer('ETag: "a"', body=b"mine"))
    street.get()
    street.clock.advance(100)
    assert street.get("Cookie: a=b").body == b"hello"
    assert len(street.asked) == 2
    street.answering = lambda _: answer(BEHIND, body=b"new")
    assert street.get().body == b"hello"
    assert street.get().body == b"new"
