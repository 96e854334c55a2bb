from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proto.chat.flood import TokenBucket


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
