"""From the threads into the reactor: what several of them have done by then is one call.

Waking the reactor costs more than most answers do.  Knows nothing of what is called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

CallInReactor = Callable[[Callable[[], None]], object]


class Handover:
    """Calls that threads want to have made in the reactor, in their order."""

    log = Logger()

    def __init__(self, call_in_reactor: CallInReactor) -> None:
        """`call_in_reactor` is reactor.callFromThread."""
        self._call_in_reactor = call_in_reactor
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_coming = False

    def post(self, call: Callable[..., object], *args: Any) -> None:
        """Have this called in the reactor.

        Nothing is locked: a call that is queued before `_is_coming` is looked at is seen by whoever
        has set it, or will.
        """
        self._calls.append((call, args))
        if not self._is_coming:
            self._is_coming = True
            self._call_in_reactor(self._settle)

    def _settle(self) -> None:
        self._is_coming = False
        for _ in range(len(self._calls)):  # what comes meanwhile has asked for a turn of its own
            call, args = self._calls.popleft()
            try:
                call(*args)
            except Exception:
                self.log.failure("what a thread has done could not be taken over")
