"""What comes of work that may be done at once or later."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


def now(work: Coroutine[Any, Any, T]) -> T:
    """What comes of work that waits for nobody."""
    (result,) = results_of(work)
    assert not isinstance(result, Exception), result
    return result  # type: ignore[no-any-return]


def results_of(work: Coroutine[Any, Any, T] | Deferred[T]) -> list[Any]:
    """A list that gets the result, or the exception, when it comes."""
    results: list[Any] = []
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    deferred.addCallback(results.append)
    deferred.addErrback(lambda failure: results.append(failure.value))
    return results


def soon(until: Callable[[Callable[[], object]], None], work: Coroutine[Any, Any, T]) -> T:
    """What comes of work when `until` has waited for it."""
    results = results_of(work)
    until(lambda: results)
    assert not isinstance(results[0], Exception), results
    return results[0]  # type: ignore[no-any-return]
