"""Is a server well?  Told of each request's end, of each check and of the time; it asks nobody.

Two opinions count, and a server is up when both are good.  Requests: `max_fails` failures within
`fail_timeout` seconds take a server out for `fail_timeout` seconds; then one request is let through
as a trial, and its end decides.  Checks: `fall` that fail one after another take it out, `rise`
that pass bring it back.  Knows neither sockets nor which server it is about.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Final

SLOWEST: Final = 0.1
"""The part of its weight with which a server comes back when it starts slowly."""


class State(StrEnum):
    """How a server stands, in the words of the status page."""

    UP = "up"
    SLOW = "slow"
    """It came back and does not yet get all that its weight promises."""
    TRIAL = "trial"
    """Its time out is over, and one request shall show how it is."""
    DOWN = "down"
    DRAINED = "drained"


class Health:
    """What is known of one server.  Times are seconds of any one clock."""

    __slots__ = (
        "_down_at",
        "_fail_timeout",
        "_failed_at",
        "_failed_checks",
        "_max_fails",
        "_passed_checks",
        "_slow_since",
        "_slow_start",
        "_trial_at",
        "is_out_by_checks",
        "is_settled",
    )

    def __init__(
        self, max_fails: int = 1, fail_timeout: float = 10.0, slow_start: float = 0.0
    ) -> None:
        """`max_fails` 0: whatever fails, only checks take the server out."""
        self._max_fails = max_fails
        self._fail_timeout = fail_timeout
        self._slow_start = slow_start
        self._failed_at: deque[float] = deque(maxlen=max_fails)
        self._down_at: float | None = None
        self._trial_at: float | None = None
        self._slow_since: float | None = None
        self._failed_checks = self._passed_checks = 0
        self.is_out_by_checks = False
        self.is_settled = True
        """It is up with all of its weight; nothing else has to be asked."""

    def adjust(self, max_fails: int, fail_timeout: float, slow_start: float) -> None:
        """Go on with other limits, and with what is known."""
        self._failed_at = deque(self._failed_at, maxlen=max_fails)
        self._max_fails, self._fail_timeout = max_fails, fail_timeout
        self._slow_start = slow_start
        if not max_fails:
            self._down_at = self._trial_at = None
            self._settle()

    def is_up(self, now: float) -> bool:
        """A request may be sent to it, be it as a trial."""
        if self.is_out_by_checks:
            return False
        if self._down_at is None:
            return True
        return not (self._is_out(now) or self._is_tried(now))

    def state(self, now: float) -> State:
        """The same in a word."""
        if self.is_out_by_checks:
            return State.DOWN
        if self._down_at is not None:
            return State.DOWN if self._is_out(now) else State.TRIAL
        return State.UP if self.share(now) == 1.0 else State.SLOW

    def share(self, now: float) -> float:
        """The part of its weight that counts now, from SLOWEST to 1."""
        if self._slow_since is None:
            return 1.0
        passed = now - self._slow_since
        if not 0.0 <= passed < self._slow_start:
            self._slow_since = None
            self._settle()
            return 1.0
        return max(SLOWEST, passed / self._slow_start)

    def warm_up(self, now: float) -> None:
        """It is there again, and starts slowly if it shall."""
        self._slow_since = now if self._slow_start else None
        self._settle()

    def began(self, now: float) -> None:
        """A request is sent to it; while it is out, that is a trial."""
        if self._down_at is not None:
            self._trial_at = now

    def succeeded(self, now: float) -> bool:
        """It answered; True when that brings it back.

        While a trial runs, whatever ends first decides, also a request that is older.
        """
        if self._trial_at is None:
            return False
        self._recover(now)
        return not self.is_out_by_checks

    def failed(self, now: float) -> bool:
        """It did not answer; True when that takes it out.

        What was under way when it went out tells nothing new when it fails as well.
        """
        if self._down_at is not None:
            if self._trial_at is not None:
                self._go_out(now)
            return False
        self._failed_at.append(now)
        if not self._max_fails or len(self._failed_at) < self._max_fails:
            return False
        if now - self._failed_at[0] > self._fail_timeout:
            return False
        self._go_out(now)
        return not self.is_out_by_checks

    def gave_up(self) -> None:
        """A request ended, and not by the server's fault or merit: the next one is the trial."""
        self._trial_at = None

    def checked(self, passed: bool, now: float, rise: int = 1, fall: int = 1) -> bool:
        """A check ended; True when that takes it out or brings it back."""
        if not passed:
            self._passed_checks = 0
            self._failed_checks += 1
            if self.is_out_by_checks or self._failed_checks < fall:
                return False
            was_up = self._down_at is None
            self.is_out_by_checks = True
            self._settle()
            return was_up
        self._failed_checks = 0
        self._passed_checks += 1
        if not self.is_out_by_checks or self._passed_checks < rise:
            return False
        self.is_out_by_checks = False
        self._recover(now)
        return True

    def _is_out(self, now: float) -> bool:
        return self._is_recent(self._down_at, now)

    def _is_tried(self, now: float) -> bool:
        """A trial runs.  One that takes too long, such as a download, does not hold up the next."""
        return self._is_recent(self._trial_at, now)

    def _is_recent(self, at: float | None, now: float) -> bool:
        # A clock that was put back must not keep a server out for the difference.
        return at is not None and 0.0 <= now - at < self._fail_timeout

    def _go_out(self, now: float) -> None:
        self._down_at = now
        self._trial_at = None
        self._failed_at.clear()
        self._settle()

    def _recover(self, now: float) -> None:
        self._down_at = self._trial_at = None
        self._failed_at.clear()
        self.warm_up(now)

    def _settle(self) -> None:
        is_up = self._down_at is None and not self.is_out_by_checks
        self.is_settled = is_up and self._slow_since is None
