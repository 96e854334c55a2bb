"""The requests to the origin that are under way, and what is kept of their answers.

Knows what may be kept, and nothing of what a client is answered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.web.proxy.cache.directives import number_of, values_of
from proto.web.proxy.cache.entry import Entry
from proto.web.proxy.cache.figures import CacheFigures
from proto.web.proxy.cache.filling import Filling, Room
from proto.web.proxy.cache.flight import Asked, Confirmed, Failed, Filled, Flight, Landing, Passed
from proto.web.proxy.cache.freshness import MOST_HEURISTIC
from proto.web.proxy.cache.rules import FAILURES, helps_in_need
from proto.web.proxy.cache.shelf import Shelf
from proto.web.proxy.cache.storable import Head, entry_of
from proto.web.proxy.cache.validation import (
    can_be_validated,
    confirmed,
    is_confirmed,
    refreshed,
    validating,
    whole,
)
from proto.web.proxy.cache.wanted import Wanted
from proto.web.proxy.messages import Ask, Fetch, Fields, Reply
from proto.web.response import HTTPError

MAX_OBJECT: Final = 1024**2
MOST_UNSHARED: Final = 10_000
"""Keys that are remembered because their answers are for one client alone."""
UNSHARED_FOR: Final = 60.0


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """What a cache may take, and how long it may let anybody wait."""

    max_object: int = MAX_OBJECT
    """Bytes of a body that is kept."""
    max_gathered: int = 32 * 1024**2
    """Bytes of bodies that are on their way to be kept."""
    max_behind: int = 16
    """Answers that are asked for anew behind the clients' backs, at one time."""
    max_heuristic: int = MOST_HEURISTIC
    """Seconds for which an answer may be fresh that does not say so itself."""
    patience: float = 5.0
    """Seconds to wait for an answer that somebody else is asking for."""
    stale_if_error: int = 0
    """Seconds for which an answer that says nothing of it helps out when the origin fails."""


class Flights:
    """Sends requests on, for one who asks or for many."""

    log = Logger()

    def __init__(
        self,
        shelf: Shelf,
        clock: IReactorTime,
        figures: CacheFigures,
        limits: CacheLimits,
    ) -> None:
        self._shelf = shelf
        self._clock = clock
        self._figures = figures
        self._limits = limits
        self._room = Room(limits.max_gathered)
        self._shared: dict[bytes, Flight] = {}
        self._all: dict[Flight, None] = {}
        self._behind: set[Deferred[None]] = set()
        self._unshared: OrderedDict[bytes, float] = OrderedDict()

    def find(self, key: bytes) -> Flight | None:
        """What is under way for all who ask for that, if anything."""
        return self._shared.get(key)

    def may_share(self, key: bytes) -> bool:
        """Whether it is worth to wait for the answer to somebody else's request."""
        until = self._unshared.get(key)
        return until is None or until <= self._clock.seconds()

    def begin(self, asked: Asked, fetch: Fetch, *, is_shared: bool) -> Flight:
        """Send it to the origin; with `is_shared` others can wait for the answer, too."""
        flight = Flight(asked)
        self._all[flight] = None
        if is_shared:
            self._shared[asked.flight_key] = flight
        flight.begin(self._run(self._fly(flight, fetch)))
        return flight

    def renew_behind(self, asked: Asked, fetch: Fetch) -> None:
        """Ask for it anew for nobody's sake, unless that is being done or too much is."""
        if asked.flight_key in self._shared or len(self._behind) >= self._limits.max_behind:
            return
        flight = self.begin(asked, fetch, is_shared=True)
        renewing = self._run(self._take_in(flight))
        if not renewing.called:
            self._behind.add(renewing)
            renewing.addBoth(lambda _: self._behind.discard(renewing))

    def spoil(self, keys: Collection[bytes]) -> None:
        """What is under way for these keys is not kept, and nobody else is given it."""
        for flight in list(self._all):
            if flight.asked.key in keys:
                flight.is_spoilt = True
                self._land(flight)

    def drop(self, keys: Collection[bytes]) -> Deferred[None]:
        """Forget what is kept for these keys; fires when it is done."""
        return self._run(self._drop(keys))

    def close(self) -> None:
        """Stop what nobody waits for."""
        for renewing in list(self._behind):
            renewing.cancel()

    def _run(self, work: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
        return Deferred.fromCoroutine(work).addErrback(self._failed)

    async def _fly(self, flight: Flight, fetch: Fetch) -> None:
        try:
            landing = await self._fetch(flight, fetch)
        except Exception as error:
            landing = Failed(error)
        if not isinstance(landing, Filled | Confirmed):
            self._land(flight)
        flight.landing.tell(landing)
        match landing:
            case Passed(reply) if flight.is_awaited and not flight.is_taken:
                reply.close()
            case Confirmed(entry, True):
                await self._keep(flight, entry)
            case Confirmed():
                self._land(flight)
            case Filled(filling=filling) if flight.is_awaited and not filling.readers:
                filling.abandon()

    async def _fetch(self, flight: Flight, fetch: Fetch) -> Landing:
        asked = flight.asked
        old = asked.entry
        if old is not None and not can_be_validated(old):
            old = None
        ask = asked.ask if old is None else validating(asked.ask, old)
        reply, head = await self._ask(ask, fetch)
        if old is not None and reply.status == 304 and not is_confirmed(old, reply.fields):
            reply.close()
            old = None
            reply, head = await self._ask(whole(asked.ask), fetch)
        if reply.status in FAILURES and self._can_help(asked):
            reply.close()
            return Failed(HTTPError(reply.status))
        if old is not None and reply.status == 304:
            reply.close()
            return await self._confirm(asked, old, head)
        return await self._fill(flight, reply, head)

    async def _ask(self, ask: Ask, fetch: Fetch) -> tuple[Reply, Head]:
        asked_at = self._clock.seconds()
        reply = await fetch(ask)
        now = self._clock.seconds()
        return reply, Head(reply.status, reply.reason, reply.fields, asked_at, now)

    def _can_help(self, asked: Asked) -> bool:
        entry, now = asked.entry, self._clock.seconds()
        return entry is not None and helps_in_need(
            entry, asked.wanted, now, self._limits.stale_if_error
        )

    async def _confirm(self, asked: Asked, old: Entry, head: Head) -> Landing:
        merged = confirmed(old, head)
        entry = self._entry_of(merged, asked.wanted)
        if entry is not None:
            return Confirmed(msgspec.structs.replace(entry, body=old.body), True)
        if self._entry_of(merged, Wanted()) is None:  # nobody may keep it any longer
            await self._shelf.drop(asked.key)
        return Confirmed(refreshed(old, merged, most_heuristic=self._limits.max_heuristic), False)

    async def _fill(self, flight: Flight, reply: Reply, head: Head) -> Landing:
        asked = flight.asked
        entry = self._entry_of(head, asked.wanted)
        length = _length_of(reply.fields)
        if entry is not None and length is not None and not 0 <= length <= self._limits.max_object:
            entry = None
        if entry is None or not entry.terms.lifetime or entry.terms.is_always_validated:
            self._remember_unshared(asked.flight_key)
        if entry is None:
            await self._drop_if_stale(asked, head)
            return Passed(reply)
        kept = entry

        def ended(body: bytes | None) -> None:
            if body is None or flight.is_spoilt:
                self._land(flight)
            else:
                flight.whole = msgspec.structs.replace(kept, body=body)
                self._run(self._keep(flight, flight.whole))

        filling = Filling(reply, length, most=self._limits.max_object, room=self._room, ended=ended)
        return Filled(reply, kept, filling) if filling.is_gathered else Passed(reply)

    async def _keep(self, flight: Flight, entry: Entry) -> None:
        """Others are answered out of the flight until the store has it."""
        asked = flight.asked
        try:
            fields, is_worth = asked.ask.fields, lambda: not flight.is_spoilt
            is_kept = await self._shelf.keep(asked.key, fields, entry, is_worth)
            (self._figures.kept if is_kept else self._figures.failed).value += 1
        finally:
            self._land(flight)

    async def _drop_if_stale(self, asked: Asked, head: Head) -> None:
        """What is stale goes when there is something newer that nobody may keep."""
        now = self._clock.seconds()
        if asked.entry is None or asked.entry.remaining(now) > 0 or head.status >= 500:
            return
        if self._entry_of(head, Wanted()) is None:
            await self._shelf.drop(asked.key)

    async def _drop(self, keys: Collection[bytes]) -> None:
        for key in keys:
            await self._shelf.drop(key)

    async def _take_in(self, flight: Flight) -> None:
        match await flight.wait():
            case Filled(filling=filling):
                await filling.complete()
            case Failed(why):
                self.log.info("an answer was not renewed: {why}", why=str(why))

    def _entry_of(self, head: Head, wanted: Wanted) -> Entry | None:
        return entry_of(head, wanted, most_heuristic=self._limits.max_heuristic)

    def _land(self, flight: Flight) -> None:
        """Nobody can join it any more."""
        self._all.pop(flight, None)
        if self._shared.get(flight.asked.flight_key) is flight:
            del self._shared[flight.asked.flight_key]

    def _remember_unshared(self, key: bytes) -> None:
        self._unshared[key] = self._clock.seconds() + UNSHARED_FOR
        self._unshared.move_to_end(key)
        if len(self._unshared) > MOST_UNSHARED:
            self._unshared.popitem(last=False)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("a cache failed", failure)


def _length_of(fields: Fields) -> int | None:
    """Content-Length; -1 when it is none, None when there is none."""
    values = values_of(fields, b"content-length")
    if not values:
        return None
    length = number_of(values[0]) if len(set(values)) == 1 else None
    return -1 if length is None else length
