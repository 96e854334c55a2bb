from __future__ import annotations

import pytest

from proto.web.proxy.health import SLOWEST, Health, State


def down_at(now: float, **limits: float) -> Health:
    """Somebody who has failed once, and that was enough."""
    health = Health(**limits)  # type: ignore[arg-type]
    assert health.failed(now)
    return health


def test_so_many_failures_in_so_many_seconds_take_a_server_out() -> None:
    health = Health(max_fails=3, fail_timeout=10)
    assert [health.failed(at) for at in (0, 5, 10)] == [False, False, True]
    assert not health.is_up(10)
    assert health.state(10) is State.DOWN


def test_failures_that_are_far_apart_do_not() -> None:
    health = Health(max_fails=3, fail_timeout=10)
    assert not any(health.failed(at) for at in (0, 5, 10.5, 15.1, 20.6))
    assert health.is_up(20.6)
    assert health.state(20.6) is State.UP


def test_a_success_between_them_takes_nothing_back() -> None:
    health = Health(max_fails=2, fail_timeout=10)
    health.failed(0)
    assert not health.succeeded(1)
    assert health.failed(2)


def test_whatever_fails_a_server_with_no_bound_stays() -> None:
    health = Health(max_fails=0)
    assert not any(health.failed(0) for _ in range(100))
    assert health.is_up(0)


def test_when_its_time_is_over_one_request_is_let_through() -> None:
    health = down_at(0, fail_timeout=10)
    assert not health.is_up(9.9)
    assert health.is_up(10)
    assert health.state(10) is State.TRIAL
    health.began(10)
    assert not health.is_up(10)
    assert health.state(10) is State.TRIAL


def test_a_trial_that_succeeds_brings_it_back() -> None:
    health = down_at(0)
    health.began(10)
    assert health.succeeded(11)
    assert health.is_up(11)
    assert health.state(11) is State.UP
    assert not health.succeeded(12)


def test_a_trial_that_fails_takes_it_out_again_for_as_long() -> None:
    health = down_at(0, fail_timeout=10)
    health.began(10)
    assert not health.failed(13)
    assert [health.is_up(at) for at in (13, 22.9, 23)] == [False, False, True]


def test_after_a_trial_earlier_failures_are_forgotten() -> None:
    health = Health(max_fails=2, fail_timeout=10)
    health.failed(0)
    health.failed(1)
    health.began(11)
    health.succeeded(11)
    assert not health.failed(11)
    assert health.failed(12)


def test_a_trial_that_its_client_left_is_followed_by_another() -> None:
    health = down_at(0)
    health.began(10)
    health.gave_up()
    assert health.is_up(10)
    assert health.state(10) is State.TRIAL


def test_a_trial_that_takes_very_long_does_not_hold_up_the_next() -> None:
    health = down_at(0, fail_timeout=10)
    health.began(10)
    assert not health.is_up(19.9)
    assert health.is_up(20)


def test_what_was_under_way_when_it_went_out_changes_nothing() -> None:
    health = down_at(0, fail_timeout=10)
    assert not health.failed(5)
    assert not health.succeeded(6)
    assert not health.is_up(9.9)
    assert health.is_up(10)


def test_a_request_that_was_sent_while_it_was_out_is_a_trial_too() -> None:
    health = down_at(0, fail_timeout=10)
    health.began(3)
    assert not health.is_up(3)
    assert health.succeeded(4)
    assert health.is_up(4)


def test_after_recovery_its_weight_grows_from_a_small_part_to_all_of_it() -> None:
    health = down_at(0, slow_start=30)
    health.began(10)
    health.succeeded(10)
    shares = [health.share(at) for at in (10, 12, 13, 25, 39.9)]
    assert shares == [0.1, 0.1, 0.1, 0.5, pytest.approx(29.9 / 30)]
    assert health.state(25) is State.SLOW
    assert health.is_up(10)
    assert (health.share(40), health.state(40)) == (1.0, State.UP)
    assert (health.share(11), health.is_settled) == (1.0, True)


def test_without_slow_start_all_of_it_counts_at_once() -> None:
    health = down_at(0)
    health.began(10)
    health.succeeded(10)
    assert health.share(10) == 1.0


def test_checks_that_fail_one_after_another_take_it_out() -> None:
    health = Health()
    passed = [True, False, False, True, False, False, False, False]
    changed = [health.checked(each, 0, rise=2, fall=3) for each in passed]
    assert changed == [False] * 6 + [True, False]
    assert not Health().checked(False, 0, fall=2)
    assert not health.is_up(0)
    assert health.state(0) is State.DOWN


def test_checks_that_pass_one_after_another_bring_it_back_slowly() -> None:
    health = Health(slow_start=10)
    health.checked(False, 0)
    passed = [True, False, True, True, True]
    changed = [health.checked(each, 100, rise=2, fall=3) for each in passed]
    assert changed == [False, False, False, True, False]
    assert health.is_up(100)
    assert health.state(100) is State.SLOW


def test_it_is_up_when_requests_and_checks_both_think_so() -> None:
    health = down_at(0)
    assert not health.checked(True, 1)
    assert not health.is_up(1)  # a check that passes tells nothing new
    assert not health.checked(False, 2)
    health.began(10)
    assert not health.succeeded(10)
    assert not health.is_up(10)
    assert health.checked(True, 11)
    assert health.is_up(11)


def test_checks_that_bring_it_back_end_its_time_out_as_well() -> None:
    health = Health(fail_timeout=100)
    health.checked(False, 0)
    health.failed(1)
    assert health.checked(True, 2)
    assert health.is_up(2)


def test_other_limits_count_from_now_on() -> None:
    health = Health(max_fails=3, fail_timeout=20)
    health.failed(0)
    health.failed(15)
    health.adjust(2, 10, 40)
    assert health.failed(20)
    assert (health.is_up(29.9), health.is_up(30)) == (False, True)
    health.began(30)
    health.succeeded(30)
    assert (health.share(50), health.is_settled) == (0.5, False)


def test_a_server_that_may_fail_from_now_on_is_back_at_once() -> None:
    health = down_at(0)
    health.adjust(0, 10, 0)
    assert (health.is_up(1), health.is_settled) == (True, True)


def test_a_clock_that_is_put_back_keeps_nobody_out_or_slow() -> None:
    health = down_at(1_000, fail_timeout=10, slow_start=10)
    assert not health.is_up(1_001)
    assert health.is_up(50)
    health.began(50)
    health.succeeded(50)
    assert (health.share(51), health.share(20)) == (SLOWEST, 1.0)


def test_it_is_settled_only_while_it_is_up_with_all_its_weight() -> None:
    health = Health(slow_start=10)
    seen = [health.is_settled]
    health.failed(0)
    seen.append(health.is_settled)
    health.began(10)
    health.succeeded(10)
    seen.append(health.is_settled)
    health.share(20)
    seen.append(health.is_settled)
    health.checked(False, 20)
    seen.append(health.is_settled)
    assert seen == [True, False, False, True, False]
    health = Health(slow_start=10)
    health.warm_up(0)
    assert not health.is_settled
