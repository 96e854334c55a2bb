"""One request to the origin for all who ask for the same while it is under way.

Knows neither rules nor stores: what comes of it is told by the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import CancelledError, Deferred

from proto.web.proxy.cache.announcement import Announcement
from proto.web.proxy.cache.entry import Entry, Variants
from proto.web.proxy.cache.filling import Filling
from proto.web.proxy.cache.wanted import Wanted
from proto.web.proxy.messages import Ask, Reply


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what the store has for it."""

    ask: Ask
    wanted: Wanted
    key: bytes
    """Of what is asked for, whatever the variant."""
    variants: Variants | None = None
    flight_key: bytes = b""
    """Of the variant, if the store knows that there are any."""
    entry: Entry | None = None
    why: bytes = b"uri-miss"
    """Why it goes to the origin, as in Cache-Status."""


@dataclass(frozen=True, slots=True)
class Passed:
    """An answer for the one who asked, and nobody else."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer, or one that tells of a failure while something is kept that helps."""

    why: Exception


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was kept still holds."""

    entry: Entry
    is_shared: bool
    """It may still be kept."""


@dataclass(frozen=True, slots=True)
class Filled:
    """An answer that may be kept is coming."""

    reply: Reply
    entry: Entry
    """Without its body."""
    filling: Filling


Landing = Passed | Failed | Confirmed | Filled


class Flight:
    """A request under way, and those who wait for what comes of it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.landing: Announcement[Landing] = Announcement()
        self.whole: Entry | None = None
        """The whole answer, while the store is taking it."""
        self.is_spoilt = False
        """What it brings is worthless to others: something has changed since it began."""
        self.is_taken = False
        """Somebody has the answer that was passed."""
        self.is_awaited = False
        """Whoever began it has come to wait."""
        self._waiting = 0
        self._flying: Deferred[None] | None = None

    def begin(self, flying: Deferred[None]) -> None:
        """That is what fetches it; cancelled when nobody waits."""
        if not self.landing.is_told:
            self._flying = flying

    def cancel(self) -> None:
        """Nobody shall have anything of it; who waits goes to the origin alone."""
        if self._flying is not None and not self.landing.is_told:
            self._flying.cancel()

    async def wait(self) -> Landing:
        """What comes of it."""
        self.is_awaited = True
        self._waiting += 1
        try:
            landing = await self.landing.wait()
        except CancelledError:
            self._waiting -= 1
            if not self._waiting:
                self.cancel()
            raise
        self._waiting -= 1
        return landing
