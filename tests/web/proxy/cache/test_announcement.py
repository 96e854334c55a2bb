from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from proto.web.proxy.cache.announcement import Announcement, unharmed
from tests.web.proxy.cache.results import results_of


def test_all_who_wait_are_told_and_whoever_comes_later_too() -> None:
    news: Announcement[int] = Announcement()
    waiting = [results_of(news.wait()) for _ in range(3)]
    assert not news.is_told
    news.tell(5)
    assert waiting == [[5]] * 3
    assert results_of(news.wait()) == [5]
    assert news.is_told


def test_who_left_is_not_told_and_the_others_are() -> None:
    news: Announcement[int] = Announcement()
    leaving, staying = news.wait(), news.wait()
    left, stayed = results_of(leaving), results_of(staying)
    leaving.cancel()
    news.tell(5)
    assert isinstance(left[0], CancelledError)
    assert stayed == [5]


def test_one_who_is_told_may_send_another_away() -> None:
    news: Announcement[int] = Announcement()
    first, second = news.wait(), news.wait()
    first.addCallback(lambda _: second.cancel())
    results = results_of(second)
    news.tell(5)
    assert len(results) == 1
    assert isinstance(results[0], CancelledError)


def test_nothing_is_told_twice() -> None:
    news: Announcement[int] = Announcement()
    news.tell(5)
    with pytest.raises(RuntimeError):
        news.tell(6)


def test_work_goes_on_when_nobody_waits() -> None:
    work: Deferred[int] = Deferred()
    waiting = unharmed(work)
    results = results_of(waiting)
    waiting.cancel()
    assert isinstance(results[0], CancelledError)
    assert not work.called
    work.callback(5)


def test_what_comes_of_work_comes_to_who_waits() -> None:
    work: Deferred[int] = Deferred()
    results = results_of(unharmed(work))
    work.callback(5)
    assert results == [5]
    failed: Deferred[int] = Deferred()
    results = results_of(unharmed(failed))
    failed.errback(OSError("full"))
    assert isinstance(results[0], OSError)
