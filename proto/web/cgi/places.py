"""How many scripts run at once: more wait in a queue, which is short, and then they are refused.

Knows neither scripts nor requests.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime

from proto.metrics import Tally
from proto.web.response import HTTPError

MOST_WAITING: Final = 100
WAIT_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = 5


class Places:
    """Room for so many scripts."""

    def __init__(
        self,
        clock: IReactorTime,
        most: int,
        *,
        waiting: int = MOST_WAITING,
        seconds: float = WAIT_SECONDS,
        refused: Tally | None = None,
    ) -> None:
        """At most `waiting` wait for room, each for so many `seconds`."""
        self.running = 0
        """Scripts that have a place."""
        self._clock = clock
        self._most = most
        self._most_waiting = waiting
        self._seconds = seconds
        self._refused = refused or Tally()
        self._queue: deque[Deferred[None]] = deque()

    @property
    def waiting(self) -> int:
        """Those that wait for one."""
        return len(self._queue)

    async def enter(self) -> None:
        """Take a place, when there is one.

        Raises:
            HTTPError: 503 when there is none in time, or too many wait already.
        """
        if self.running < self._most:
            self.running += 1
            return
        if len(self._queue) >= self._most_waiting:
            raise self._refusal()
        turn: Deferred[None] = Deferred(self._queue.remove)
        self._queue.append(turn)
        turn.addTimeout(self._seconds, self._clock)
        try:
            await turn
        except TimedOut:
            raise self._refusal() from None

    def leave(self) -> None:
        """Give a place back; it is the next one's."""
        if self._queue:
            self._queue.popleft().callback(None)
        else:
            self.running -= 1

    def _refusal(self) -> HTTPError:
        self._refused.value += 1
        again = [("Retry-After", str(AGAIN_SECONDS))]
        return HTTPError(503, "Too many programs are running here just now.", again)
