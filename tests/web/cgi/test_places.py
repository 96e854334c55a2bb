from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from proto.metrics import Tally
from proto.web.cgi.places import WAIT_SECONDS, Places
from proto.web.response import HTTPError


def enter(places: Places) -> Deferred[None]:
    return Deferred.fromCoroutine(places.enter())


def refusal(entering: Deferred[None]) -> HTTPError:
    failures: list[Failure] = []
    entering.addErrback(failures.append)
    assert len(failures) == 1
    error = failures[0].value
    assert isinstance(error, HTTPError)
    return error


def test_so_many_run_and_the_next_wait_in_their_order() -> None:
    places = Places(Clock(), 2)
    first, second, third, fourth = (enter(places) for _ in range(4))
    assert (first.called, second.called, third.called) == (True, True, False)
    assert (places.running, places.waiting) == (2, 2)
    places.leave()
    assert (third.called, fourth.called) == (True, False)
    assert (places.running, places.waiting) == (2, 1)
    for _ in range(3):
        places.leave()
    assert (places.running, places.waiting) == (0, 0)
    assert fourth.called


def test_when_too_many_wait_the_next_is_refused() -> None:
    refused = Tally()
    places = Places(Clock(), 1, waiting=1, refused=refused)
    enter(places)
    enter(places)
    error = refusal(enter(places))
    assert (error.status, error.headers) == (503, (("Retry-After", "5"),))
    assert refused.value == 1


def test_nobody_waits_for_long() -> None:
    clock = Clock()
    places = Places(clock, 1)
    enter(places)
    waiting = enter(places)
    clock.advance(WAIT_SECONDS)
    assert refusal(waiting).status == 503
    assert (places.running, places.waiting) == (1, 0)
    assert not clock.getDelayedCalls()


def test_who_leaves_the_queue_takes_no_place() -> None:
    clock = Clock()
    places = Places(clock, 1)
    enter(places)
    waiting, behind = enter(places), enter(places)
    waiting.cancel()
    waiting.addErrback(lambda failure: failure.trap(CancelledError))
    places.leave()
    assert behind.called
    assert (places.running, places.waiting) == (1, 0)
    assert not clock.getDelayedCalls()
