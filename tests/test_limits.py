"""What one peer and what all peers may take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from proto.limits import MINUTE, SWEEP_EVERY, Admissions, Limits, TokenBucket, TooMany


def admissions(clock: Clock, **limits: int) -> Admissions:
    return Admissions(Limits(**limits), clock.seconds)


def refused(action: Callable[..., None], *arguments: str) -> TooMany:
    with pytest.raises(TooMany) as refusal:
        action(*arguments)
    return refusal.value


def remembered(guard: Admissions) -> int:
    return len(guard._addresses)


# --- in all --------------------------------------------------------------------------------


def test_the_service_is_full_at_its_limit_and_free_again_when_one_leaves() -> None:
    guard = admissions(Clock(), connections=2)
    guard.enter()
    guard.enter()
    refusal = refused(guard.enter)
    assert str(refusal) == "the server is full (2 connections); try again later"
    assert (refusal.reason, refusal.retry_after) == ("full", 30)
    assert guard.open == 2
    guard.leave()
    guard.enter()
    assert guard.open == 2


def test_zero_is_no_limit() -> None:
    guard = admissions(Clock(), connections=0, per_address=0, per_minute=0)
    for _ in range(20_000):
        guard.enter()
        guard.claim("192.0.2.1")
    assert guard.open == 20_000


# --- per address ---------------------------------------------------------------------------


def test_an_address_has_its_share_and_others_have_theirs() -> None:
    guard = admissions(Clock(), per_address=2)
    guard.claim("a")
    guard.claim("a")
    refusal = refused(guard.claim, "a")
    assert str(refusal) == "2 connections from your address are open already; close one first"
    assert (refusal.reason, refusal.retry_after) == ("per-address", 10)
    guard.claim("b")
    guard.unclaim("a")
    guard.claim("a")
    refused(guard.claim, "a")


def test_a_refused_connection_takes_no_share() -> None:
    guard = admissions(Clock(), per_address=1)
    guard.claim("a")
    for _ in range(10):
        refused(guard.claim, "a")
    guard.unclaim("a")
    guard.claim("a")


def test_an_address_that_left_is_forgotten_at_once_where_no_minute_counts() -> None:
    guard = admissions(Clock(), per_address=2)
    guard.claim("a")
    guard.unclaim("a")
    assert remembered(guard) == 0


def test_whoever_may_not_come_in_is_not_counted_in_all_either() -> None:
    guard = admissions(Clock(), per_address=1)
    guard.admit("a")
    assert refused(guard.admit, "a").reason == "per-address"
    assert guard.open == 1


# --- per minute ----------------------------------------------------------------------------


def test_the_minute_slides_exactly() -> None:
    clock = Clock()
    guard = admissions(clock, per_minute=2)
    guard.claim("a")
    clock.advance(10)
    guard.claim("a")
    clock.advance(49.5)
    refusal = refused(guard.claim, "a")
    assert refusal.reason == "per-minute"
    assert refusal.retry_after == 1
    assert str(refusal) == (
        "more than 2 new connections a minute from your address; try again in 1 s"
    )
    clock.advance(0.5)
    guard.claim("a")
    assert refused(guard.claim, "a").retry_after == 10


def test_open_connections_and_refusals_do_not_count_as_new_ones() -> None:
    clock = Clock()
    guard = admissions(clock, per_minute=1)
    guard.claim("a")
    for _ in range(59):
        clock.advance(1)
        refused(guard.claim, "a")
    clock.advance(1)
    guard.claim("a")


def test_what_a_peer_is_told_to_wait_is_what_it_has_to_wait() -> None:
    clock = Clock()
    guard = admissions(clock, per_minute=3)
    for pause in (0.0, 7.3, 20.9):
        clock.advance(pause)
        guard.claim("a")
    clock.advance(1.7)
    clock.advance(refused(guard.claim, "a").retry_after)
    guard.claim("a")


def test_a_limit_lowered_while_running_counts_from_the_arrivals_that_were() -> None:
    clock = Clock()
    guard = admissions(clock, per_minute=10)
    for _ in range(6):
        guard.claim("a")
        clock.advance(1)
    guard.limits = Limits(per_minute=2)
    # Of six arrivals, at 0 to 5 s, two may be within a minute: until the one at 4 s is too old.
    assert refused(guard.claim, "a").retry_after == 58
    clock.advance(57.5)
    refused(guard.claim, "a")
    clock.advance(0.5)
    guard.claim("a")


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=80),
)
def test_within_any_minute_no_address_has_more_newcomers_than_its_limit(
    limit: int, arrivals: list[tuple[str, int]]
) -> None:
    clock = Clock()
    guard = admissions(clock, per_minute=limit)
    let_in: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    for group, pause in arrivals:
        clock.advance(pause)
        now = clock.seconds()
        recent = [when for when in let_in[group] if when > now - MINUTE]
        try:
            guard.claim(group)
        except TooMany:
            assert len(recent) == limit
        else:
            assert len(recent) < limit
            let_in[group].append(now)
            guard.unclaim(group)


# --- memory --------------------------------------------------------------------------------


def test_a_hundred_thousand_addresses_are_forgotten_again() -> None:
    clock = Clock()
    guard = admissions(clock, per_address=1, per_minute=2)
    for number in range(100_000):
        clock.advance(0.01)
        guard.claim(str(number))
        guard.unclaim(str(number))
        # a hundred newcomers a second: six thousand within a minute
        assert remembered(guard) <= 6_001 + SWEEP_EVERY
    clock.advance(MINUTE)
    for number in range(SWEEP_EVERY):
        guard.claim(f"later {number}")
    assert remembered(guard) == SWEEP_EVERY


def test_forgetting_keeps_who_is_in_and_who_came_just_now() -> None:
    clock = Clock()
    guard = admissions(clock, per_address=1, per_minute=1)
    guard.claim("stays")
    clock.advance(MINUTE * 2)
    guard.claim("just left")
    guard.unclaim("just left")
    for number in range(SWEEP_EVERY):
        guard.claim(str(number))
    assert refused(guard.claim, "stays").reason == "per-address"
    assert refused(guard.claim, "just left").reason == "per-minute"


# --- the bucket ----------------------------------------------------------------------------


def test_a_burst_goes_at_once_and_then_one_after_the_other() -> None:
    bucket = TokenBucket(3, 5, 100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [0, 0, 0, 0.2]
    assert bucket.take(100.2) == 0
    assert bucket.take(100.2) > 0.19


def test_after_a_rest_there_is_one_burst_and_not_more() -> None:
    bucket = TokenBucket(2, 1, 0.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [0, 0, 1.0]


def test_a_rate_of_none_sets_no_limit() -> None:
    bucket = TokenBucket(1, 0, 0.0)
    assert {bucket.take(0.0) for _ in range(1000)} == {0.0}


def test_a_clock_that_steps_back_takes_no_tokens_away() -> None:
    bucket = TokenBucket(2, 1, 100.0)
    assert [bucket.take(50.0), bucket.take(50.0)] == [0, 0]


@given(st.integers(1, 20), st.floats(0.01, 1000))
def test_whoever_waits_as_long_as_told_may_speak(burst: int, rate: float) -> None:
    bucket, now = TokenBucket(burst, rate, 0.0), 0.0
    for _ in range(burst + 20):
        wait = bucket.take(now)
        if wait:
            now += wait
            assert bucket.take(now) == 0


def test_what_is_spent_too_early_is_paid_back() -> None:
    bucket = TokenBucket(1, 1, 0.0)
    assert [bucket.spend(0.0) for _ in range(4)] == [1.0, 2.0, 3.0, 4.0]
    assert bucket.spend(4.0) == 1.0
    assert bucket.take(4.0) == 1.0


def test_spending_without_a_rate_costs_nothing() -> None:
    bucket = TokenBucket(1, 0, 0.0)
    assert {bucket.spend(0.0) for _ in range(1000)} == {0.0}


@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.lists(st.floats(0, 5, allow_nan=False), max_size=200),
)
def test_a_bucket_never_lends(rate: int, burst: int, pauses: list[float]) -> None:
    bucket, now, ready = TokenBucket(burst, rate, 0.0), 0.0, 0.0
    for taken, pause in enumerate(pauses, 1):
        now = max(now + pause, ready)
        ready = now + bucket.spend(now)
        assert taken <= burst + rate * now + 1e-3
