"""How long a script may take: in all, and without a sign of life while somebody waits for it.

Knows a clock, and nothing of processes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from twisted.internet.interfaces import IReactorTime

from proto.web.alarm import Alarm


class Watch:
    """The deadlines of one script."""

    def __init__(
        self,
        clock: IReactorTime,
        total: float,
        silence: float,
        *,
        late: Callable[[], None],
        silent: Callable[[], None],
    ) -> None:
        """After `total` seconds `late` is called; after so many of `silence`, `silent` is."""
        self._clock = clock
        self._silence = silence
        self._late = late
        self._silent = silent
        self._end = clock.seconds() + total
        self._moved = 0.0
        self._is_expected = False
        self._alarm = Alarm(clock, self._ring)
        self._alarm.by(self._end)

    def expect(self) -> None:
        """Somebody waits for the script from now on."""
        self._is_expected = True
        self.moved()
        self._alarm.by(self._moved + self._silence)

    def moved(self) -> None:
        """It has given a sign of life."""
        self._moved = self._clock.seconds()

    def relax(self) -> None:
        """Nobody waits for it now; only its time in all is bounded."""
        self._is_expected = False

    def shorten(self, silence: float) -> None:
        """From now on it may be silent for so long, at most."""
        self._silence = min(silence, self._silence)
        self.moved()
        self._alarm.by(self._moved + self._silence)

    def stop(self) -> None:
        """It has ended."""
        self._alarm.stop()

    def _ring(self, now: float) -> float | None:
        if now >= self._end:
            self._alarm.stop()
            self._late()
            return None
        silent = self._moved + self._silence if self._is_expected else inf
        if now >= silent:
            self._silent()
            return self._end
        return min(self._end, silent)
