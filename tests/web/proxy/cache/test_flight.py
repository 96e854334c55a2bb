from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred

from proto.web.proxy.cache.flight import Asked, Failed, Flight
from proto.web.proxy.cache.wanted import Wanted
from tests.web.proxy.cache.origin import ask
from tests.web.proxy.cache.results import results_of


def flight() -> tuple[Flight, list[object]]:
    """A flight, and what comes of its fetching."""
    found = Flight(Asked(ask(), Wanted(), b"k"))
    flying: Deferred[None] = Deferred()
    found.begin(flying)
    return found, results_of(flying)


def test_all_who_wait_are_told_what_comes_of_it() -> None:
    found, _ = flight()
    waiting = [results_of(found.wait()) for _ in range(3)]
    landing = Failed(OSError())
    found.landing.tell(landing)
    assert waiting == [[landing]] * 3


def test_it_goes_on_while_anybody_waits() -> None:
    found, flying = flight()
    first, second = (Deferred.fromCoroutine(found.wait()) for _ in range(2))
    results_of(first), results_of(second)
    first.cancel()
    assert flying == []
    second.cancel()
    assert isinstance(flying[0], CancelledError)


def test_what_has_landed_is_not_called_back() -> None:
    found, flying = flight()
    waiting = results_of(found.wait())
    found.landing.tell(Failed(OSError()))
    found.cancel()
    assert len(waiting) == 1
    assert flying == []
