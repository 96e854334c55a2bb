"""What one client wants to say, waiting for its turn: not too fast, and only while they may.

Nothing is discarded.  Whoever reads from the client asks `crowded`, and reads on when it is not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sized
from typing import Final, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from proto.limits import TokenBucket

SIZE: Final = 1 << 18
"""Bytes that wait, above which no more should be read from a client."""

Item = TypeVar("Item", bound=Sized | None)


class Turns(Generic[Item]):
    """A queue that is emptied at a pace.

    act      does what one item says
    may      whether the client may speak now; ask again with `go_on` when that changes
    again    called when a client that was too fast may go on; calls `go_on`
    free     whether an item costs no turn
    limit    items above which the client is `crowded`; and so it is above `SIZE` bytes
    """

    __slots__ = (
        "_act",
        "_again",
        "_bucket",
        "_clock",
        "_free",
        "_limit",
        "_may",
        "_size",
        "_timer",
        "_waiting",
    )

    def __init__(
        self,
        clock: IReactorTime,
        bucket: TokenBucket,
        limit: int,
        act: Callable[[Item], None],
        may: Callable[[], bool],
        again: Callable[[], None],
        free: Callable[[Item], bool],
    ) -> None:
        self._clock = clock
        self._bucket = bucket
        self._limit = limit
        self._act = act
        self._may = may
        self._again = again
        self._free = free
        self._waiting: deque[Item] = deque()
        self._size = 0
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def crowded(self) -> bool:
        """Whether so much waits that no more should be read from the client."""
        return len(self._waiting) > self._limit or self._size > SIZE

    @property
    def delayed(self) -> bool:
        """Whether the next item waits because the client was too fast."""
        return self._timer is not None

    def add(self, items: Iterable[Item]) -> None:
        """Let these wait; `go_on` lets them have their turn."""
        for item in items:
            self._size += _length(item)
            self._waiting.append(item)

    def charge(self, turns: int) -> None:
        """The last item cost more than one turn."""
        for _ in range(turns):
            self._bucket.spend(self._clock.seconds())

    def go_on(self) -> None:
        """Act on what waits, as far as that may be."""
        if self._timer is not None:
            self._stop()
        if not self._waiting:
            return
        now = self._clock.seconds()
        while self._waiting and self._may():
            wait = 0.0 if self._free(self._waiting[0]) else self._bucket.take(now)
            if wait:
                self._timer = self._clock.callLater(wait, self._again)
                return
            item = self._waiting.popleft()
            self._size -= _length(item)
            self._act(item)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        self._size = 0
        self._stop()

    def _stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


def _length(item: Sized | None) -> int:
    return 0 if item is None else len(item)
