"""A coroutine that runs for a request, with no more around it than it needs.

As twisted.internet.defer.Deferred.fromCoroutine, without a result.  Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Running(Generic[T]):
    """It runs until it waits for a Deferred, and goes on when that fires."""

    __slots__ = ("_coroutine", "_failed", "_subject", "_waits_for")

    def __init__(
        self,
        coroutine: Coroutine[Deferred[Any], None, None],
        failed: Callable[[Failure, T], None],
        subject: T,
    ) -> None:
        """`failed(failure, subject)` is told what it raises."""
        self._coroutine = coroutine
        self._failed = failed
        self._subject = subject
        self._waits_for: Deferred[Any] | None = None
        self._go_on(None)

    def cancel(self, _: object = None) -> None:
        """Cancel what it waits for; does nothing when it is over."""
        if self._waits_for is not None:
            self._waits_for.cancel()

    def _go_on(self, result: object) -> None:
        """What is no failure the coroutine finds in the Deferred."""
        self._waits_for = None
        coroutine = self._coroutine
        try:
            if isinstance(result, Failure) and result.value is not None:
                waits_for = coroutine.throw(result.value)
            else:
                waits_for = coroutine.send(None)
        except StopIteration:
            return
        except Exception:
            self._failed(Failure(), self._subject)
            return
        self._waits_for = waits_for
        waits_for.addBoth(self._go_on)
