"""One timer for all the deadlines of a connection.

A deadline that moves later costs nothing: the timer rings when it was set to, and asks when the
next one is.  So a connection on which requests come and go sets a timer once a minute or so.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Alarm:
    """Rings no later than it was asked to."""

    __slots__ = ("_at", "_call", "_clock", "_ring")

    def __init__(self, clock: IReactorTime, ring: Callable[[float], float | None]) -> None:
        """`ring` is told the time; what it returns is when to ring next, if at all."""
        self._clock = clock
        self._ring: Callable[[float], float | None] | None = ring
        self._call: IDelayedCall | None = None
        self._at = 0.0

    @property
    def is_set(self) -> bool:
        """It will ring."""
        return self._call is not None

    def by(self, when: float) -> None:
        """Ring at this time of the clock, or before."""
        if self._call is not None:
            if self._at <= when:
                return
            self._call.cancel()
        elif self._ring is None:
            return
        self._set(when)

    def stop(self) -> None:
        """Never ring again."""
        self._ring = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _set(self, when: float) -> None:
        self._at = when
        self._call = self._clock.callLater(max(0.0, when - self._clock.seconds()), self._go_off)

    def _go_off(self) -> None:
        self._call = None
        if self._ring is not None:
            when = self._ring(self._clock.seconds())
            if when is not None and self._ring is not None:
                self.by(when)
