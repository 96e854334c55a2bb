"""Something that is told once, to all who wait for it; work that goes on when nobody waits.

Knows nothing of what is told.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, succeed

T = TypeVar("T")


class Announcement(Generic[T]):
    """Whoever waits after it was told is told at once."""

    def __init__(self) -> None:
        self._waiting: dict[Deferred[T], None] = {}
        self._told: list[T] = []

    @property
    def is_told(self) -> bool:
        """Nobody waits any more."""
        return bool(self._told)

    def tell(self, value: T) -> None:
        """Tell it.  Raises RuntimeError when it was told before."""
        if self._told:
            raise RuntimeError("it was told before")
        self._told.append(value)
        waiting, self._waiting = self._waiting, {}
        for each in waiting:
            if not each.called:  # one of them may have cancelled another
                each.callback(value)

    def wait(self) -> Deferred[T]:
        """Fires with what is told; may be cancelled."""
        if self._told:
            return succeed(self._told[0])
        waiting: Deferred[T] = Deferred(self._forget)
        self._waiting[waiting] = None
        return waiting

    def _forget(self, waiting: Deferred[T]) -> None:
        self._waiting.pop(waiting, None)


def unharmed(work: Deferred[T]) -> Deferred[T]:
    """Fires with what comes of it; cancelling ends the waiting, and not the work."""
    waiting: Deferred[T] = Deferred()
    work.addBoth(waiting.callback)
    return waiting
