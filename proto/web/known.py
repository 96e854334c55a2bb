"""Answers that are known already: what was sent for exactly the same head within this second.

A head is the key with all its bytes, so whatever an answer depends on is in it: the path, the
conditions, the codings, the range, who asks.  What does not depend on the head alone is not kept:
whoever answers says so by `WebRequest.keep_answer`.  All that is kept is forgotten when a second is
over, and with it the Date and whatever has changed on the disk.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IReactorTime

from proto.metrics import Tally

LONGEST_HEAD: Final = 4096
"""Bytes of a head that is looked for."""
LARGEST: Final = 128 * 1024
"""Bytes of an answer that is kept."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of all that are kept, and of their heads."""
SECONDS: Final = 1.0
_OVERHEAD: Final = 512
"""Bytes that each takes besides."""


class KnownAnswer:
    """One answer as it goes over the wire, and what the log and the counters say of it."""

    __slots__ = ("body_bytes", "logged", "requests", "wire")

    def __init__(self, wire: bytes, body_bytes: int, requests: Tally, logged: str) -> None:
        """`logged` is the line of the access log without the peer's address."""
        self.wire = wire
        self.body_bytes = body_bytes
        self.requests = requests
        self.logged = logged


class KnownAnswers:
    """Those of one site; bounded."""

    def __init__(
        self, clock: IReactorTime, *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES
    ) -> None:
        """`seconds` is for how long an answer may be repeated; with 0 none is."""
        self._clock = clock
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._bytes = 0
        self._is_stopped = not seconds
        self._is_timed = False
        self._kept: dict[bytes, KnownAnswer] = {}
        self.get = self._kept.get
        """The answer to a head, or None."""

    def keep(self, head: bytes, answer: KnownAnswer) -> None:
        """Repeat it for this head until the time is over; what is too much is left out."""
        size = len(head) + len(answer.wire) + _OVERHEAD
        is_too_much = len(head) > LONGEST_HEAD or self._bytes + size > self._most_bytes
        if self._is_stopped or is_too_much or head in self._kept:
            return
        if not self._is_timed:
            self._is_timed = True
            self._clock.callLater(self._seconds, self._time_is_over)
        self._bytes += size
        self._kept[head] = answer

    def forget(self) -> None:
        """Something was changed: what was answered before may be wrong now."""
        self._kept.clear()
        self._bytes = 0

    @property
    def keeps(self) -> bool:
        """Whether any are kept."""
        return not self._is_stopped

    def start(self) -> None:
        """Keep answers."""
        self._is_stopped = not self._seconds

    def stop(self) -> None:
        """Keep none any more."""
        self._is_stopped = True
        self.forget()

    def _time_is_over(self) -> None:
        self._is_timed = False
        self.forget()
