"""Asks each server of a group now and then how it is, and tells its `health`.

One GET of a path for each server and interval, never two at once for one server; a status from 200
to 399 in time is good.  Handed how to ask, and a clock; knows no connections.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.web.proxy.messages import Ask, Reply, ReplyLost
from proto.web.proxy.parameters import read_words, seconds, whole
from proto.web.proxy.servers import Group, Member, Server
from proto.web.response import HTTPError
from proto.web.target import BadTarget, parse_target

Fetch = Callable[[Server, Ask], Awaitable[Reply]]
"""Asks this server.  Raises HTTPError, 502, 503 or 504, when there is no answer."""

MOST_READ: Final = 64 * 1024
"""Bytes of an answer that are read so that its connection can be used again."""
FIRST_WITHIN: Final = 1.0
"""Seconds in which a server is asked for the first time; not all at one moment."""
JITTER: Final = 0.1
"""An interval is longer or shorter by up to this part of it."""

_OPTIONS: Final = {
    "interval": seconds(0.1),
    "timeout": seconds(0.05),
    "rise": whole(1, 1_000),
    "fall": whole(1, 1_000),
}


@dataclass(frozen=True, slots=True)
class Check:
    """What servers are asked, and what their answers mean.  Times are seconds."""

    path: str = "/"
    """With its query; on the server itself, whatever its base path is."""
    interval: float = 5.0
    """From the end of one check to the next."""
    timeout: float = 2.0
    rise: int = 2
    """So many that pass, one after another, bring a server back."""
    fall: int = 3
    """So many that fail, one after another, take it out."""

    @classmethod
    def parse(cls, text: str) -> Check:
        """`/health interval=5s timeout=2s rise=2 fall=3`.  Raises ValueError with the reason."""
        path, *words = text.split() or [""]
        if not path.startswith("/") or not path.isascii() or not path.isprintable():
            raise ValueError(f"{path!r} is no path such as /health")
        try:
            parse_target(path.encode())
        except BadTarget as bad:
            raise ValueError(f"{path!r}: {bad}") from bad
        return cls(path, **read_words(words, _OPTIONS))


class Probes:
    """The checks of one group.

    They go on from `start` to `stop`; `follow` is for when the group has other members.
    """

    log = Logger()

    def __init__(
        self,
        group: Group,
        check: Check,
        fetch: Fetch,
        clock: IReactorTime,
        rng: random.Random | None = None,
    ) -> None:
        self._group = group
        self._check = check
        self._fetch = fetch
        self._clock = clock
        self._rng = rng or random.Random()
        self._watches: dict[Member, _Watch] = {}
        self._ending: set[Deferred[None]] = set()

    def start(self) -> None:
        """Ask everybody for the first time soon."""
        self.follow()

    def follow(self) -> None:
        """Ask whoever is in the group now, and those that have left no more."""
        members = dict.fromkeys(self._group.members)
        for member in [each for each in self._watches if each not in members]:
            self._end(member)
        for member in members:
            if member not in self._watches:
                watch = _Watch(member, self._check, self._fetch, self._clock, self._rng)
                self._watches[member] = watch
                watch.begin()

    def stop(self) -> Deferred[None]:
        """Ask nobody any more; fires when what was under way has ended."""
        for member in list(self._watches):
            self._end(member)
        ended: Deferred[None] = DeferredList(list(self._ending)).addCallback(lambda _: None)
        return ended

    def _end(self, member: Member) -> None:
        ended = self._watches.pop(member).end()
        self._ending.add(ended)
        ended.addCallback(lambda _: self._ending.discard(ended))


class _Watch:
    """The checks of one server."""

    def __init__(
        self,
        member: Member,
        check: Check,
        fetch: Fetch,
        clock: IReactorTime,
        rng: random.Random,
    ) -> None:
        self._member = member
        self._check = check
        self._fetch = fetch
        self._clock = clock
        self._rng = rng
        self._next: IDelayedCall | None = None
        self._timer: IDelayedCall
        self._is_late = False
        self._running: Deferred[str] | None = None
        self._over: Deferred[None] | None = None

    def begin(self) -> None:
        self._wait(self._rng.uniform(0.0, min(FIRST_WITHIN, self._check.interval)))

    def end(self) -> Deferred[None]:
        """Ask no more; fires when nothing is under way."""
        self._over = Deferred()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._running is None:
            self._over.callback(None)
        else:
            self._running.cancel()
        return self._over

    def _wait(self, delay: float) -> None:
        self._next = self._clock.callLater(delay, self._probe)

    def _probe(self) -> None:
        self._next = None
        self._is_late = False
        self._timer = self._clock.callLater(self._check.timeout, self._give_up)
        self._running = Deferred.fromCoroutine(self._ask())
        self._running.addCallbacks(self._passed, self._failed).addCallback(self._settle)

    def _give_up(self) -> None:
        # Whatever the cancelled one makes of it, such as ConnectingCancelledError: it was late.
        self._is_late = True
        if self._running is not None:
            self._running.cancel()

    async def _ask(self) -> str:
        """Ask once, and say how it was.  Raises HTTPError, ReplyLost."""
        server = self._member.server
        fields = ((b"Host", server.name.encode()), (b"User-Agent", b"proto-check"))
        reply = await self._fetch(server, Ask(b"GET", self._check.path.encode(), fields))
        try:
            if not 200 <= reply.status < 400:
                raise HTTPError(502, f"status {reply.status}")
            size = 0
            async for chunk in reply.body:
                size += len(chunk)
                if size > MOST_READ:
                    break
        finally:
            reply.close()
        return f"status {reply.status}"

    def _passed(self, how: str) -> tuple[bool, str]:
        return True, how

    def _failed(self, failure: Failure) -> tuple[bool, str]:
        if self._is_late:
            return False, f"no answer within {self._check.timeout:g} s"
        match failure.value:
            case HTTPError() as error:
                return False, str(error)
            case ReplyLost():
                return False, "the answer broke off"
        if self._over is None:  # when it is over, it was cancelled
            Probes.log.failure("check of {name}", failure, name=self._member.name)
        return False, "the check itself failed"

    def _settle(self, how: tuple[bool, str]) -> None:
        self._running = None
        if self._timer.active():
            self._timer.cancel()
        if self._over is not None:
            self._over.callback(None)
            return
        self._member.checked(*how, rise=self._check.rise, fall=self._check.fall)
        self._wait(self._check.interval * self._rng.uniform(1 - JITTER, 1 + JITTER))
