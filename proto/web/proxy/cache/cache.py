"""A shared cache in front of an origin (RFC 9111): what is kept answers, or the origin is asked.

    cache = Cache(store, clock)
    reply = await cache.reply(ask, fetch)

The rules are in modules of their own; here is only the order in which they are asked.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from proto.metrics import Metrics
from proto.web.proxy.cache.announcement import unharmed
from proto.web.proxy.cache.entry import Entry, Variants
from proto.web.proxy.cache.figures import CacheFigures
from proto.web.proxy.cache.filling import Filling
from proto.web.proxy.cache.flight import Asked, Confirmed, Failed, Filled, Flight, Landing, Passed
from proto.web.proxy.cache.flights import CacheLimits, Flights
from proto.web.proxy.cache.invalidation import SAFE, outdated_targets
from proto.web.proxy.cache.keys import is_selected, key_of, variant_key, vary_names
from proto.web.proxy.cache.rules import FAILURES, Use, helps_in_need, use_of
from proto.web.proxy.cache.serving import answer_from
from proto.web.proxy.cache.shelf import Found, Shelf
from proto.web.proxy.cache.store import Store
from proto.web.proxy.cache.validation import can_be_validated, is_outdated, whole
from proto.web.proxy.cache.wanted import Wanted, wanted_of
from proto.web.proxy.messages import Ask, Fetch, Reply
from proto.web.response import HTTPError

T = TypeVar("T")


class Cache:
    """Answers requests, out of a store where the rules allow it."""

    def __init__(
        self,
        store: Store,
        clock: IReactorTime,
        limits: CacheLimits | None = None,
        *,
        scope: bytes = b"",
        figures: CacheFigures | None = None,
        name: bytes = b"proto",
    ) -> None:
        """`scope` keeps apart the origins whose answers share a store; `name` is a token."""
        limits = limits or CacheLimits()
        self._clock = clock
        self._limits = limits
        self._scope = scope
        self._name = name
        self._figures = figures or CacheFigures(Metrics())
        self._shelf = Shelf(store)
        self._flights = Flights(self._shelf, clock, self._figures, limits)

    async def reply(self, ask: Ask, fetch: Fetch) -> Reply:
        """The answer; `fetch` asks the origin, for this client or for several.

        Raises:
            HTTPError: 504, the client wants only what is kept, and there is nothing that may
                answer it; and whatever `fetch` raises.
        """
        if ask.method not in (b"GET", b"HEAD"):
            return await self._pass_on(ask, fetch)
        wanted = wanted_of(ask)
        if wanted.is_for_origin and not wanted.only_if_cached:
            return self._passed(await fetch(ask), b"fwd=bypass")
        key = key_of(self._scope, ask)
        found = await self._shelf.find(key, ask.fields)
        use = Use.VALIDATED
        if found.entry is not None and not wanted.is_for_origin:
            use = use_of(found.entry, wanted, self._clock.seconds())
        asked = Asked(ask, wanted, key, found.variants, found.place, found.entry, self._why(found))
        if found.entry is not None and use is not Use.VALIDATED:
            return self._from_store(asked, found.entry, use, fetch)
        if wanted.only_if_cached:
            raise HTTPError(504, "Nothing that is kept here can answer this request.")
        if ask.method == b"HEAD":
            return await self._head(asked, fetch)
        return await self._get(asked, fetch)

    def close(self) -> None:
        """Stop what is done for nobody's sake; the store is closed by whoever opened it."""
        self._flights.close()

    async def _pass_on(self, ask: Ask, fetch: Fetch) -> Reply:
        """The answer to what no cache can answer; what it makes worthless is forgotten first."""
        try:
            reply = await fetch(ask)
        except (HTTPError, CancelledError):
            if ask.method not in SAFE:  # nobody knows what has come of it
                self._forget([ask.target], ask)
            raise
        if targets := outdated_targets(ask, reply.status, reply.fields):
            await unharmed(self._forget(targets, ask))
        return self._passed(reply, b"fwd=method")

    def _forget(self, targets: Sequence[bytes], ask: Ask) -> Deferred[None]:
        """Nobody is given what is kept, or under way, for these targets."""
        keys = {key_of(self._scope, ask, target) for target in targets}
        self._flights.spoil(keys)
        return self._flights.drop(keys)

    def _from_store(self, asked: Asked, entry: Entry, use: Use, fetch: Fetch) -> Reply:
        if use is Use.FRESH:
            self._figures.hits.value += 1
        else:
            self._figures.stale.value += 1
        if use is Use.RENEWED and not asked.wanted.no_store:
            ask = whole(replace(asked.ask, method=b"GET"))
            who = asked.wanted
            wanted = Wanted(is_authorized=who.is_authorized, has_cookies=who.has_cookies)
            self._flights.renew_behind(replace(asked, ask=ask, wanted=wanted), fetch)
        return self._answer(asked, entry, b"hit", self._ttl(entry))

    async def _head(self, asked: Asked, fetch: Fetch) -> Reply:
        """Of an answer to a HEAD nothing is kept; it may tell that what is kept is outdated."""
        try:
            reply = await fetch(asked.ask)
        except HTTPError as refusal:
            return self._in_need(asked, refusal)
        if reply.status in FAILURES and self._helps(asked):
            reply.close()
            return self._in_need(asked, HTTPError(reply.status))
        if reply.status == 200 and asked.entry and is_outdated(asked.entry, reply.fields):
            await self._shelf.drop(asked.key)
        return self._missed(reply, asked)

    async def _get(self, asked: Asked, fetch: Fetch) -> Reply:
        """Ask the origin, or wait for the answer to somebody who is asking it already."""
        is_plain = asked.wanted.is_plain or (
            asked.entry is not None and can_be_validated(asked.entry)
        )
        until = self._clock.seconds() + self._limits.patience
        while is_plain and not (asked.wanted.no_store or asked.wanted.no_cache):
            flight = self._flights.find(asked.flight_key)
            if flight is None:
                return await self._first(asked, fetch, self._flights.may_share(asked.flight_key))
            landing = await self._in_time(flight.wait(), until)
            if landing is None:
                break
            if other := _other_variant(asked, flight, landing):
                if other == asked.flight_key:
                    break
                asked = replace(asked, flight_key=other, why=b"vary-miss")
                continue
            reply = await self._share(asked, flight, landing, until)
            if reply is not None:
                return reply
            break
        return await self._first(asked, fetch, is_shared=False)

    async def _first(self, asked: Asked, fetch: Fetch, is_shared: bool) -> Reply:
        """Ask the origin; the answer goes to the client as it comes."""
        flight = self._flights.begin(asked, fetch, is_shared=is_shared)
        match await flight.wait():
            case Passed(reply):
                flight.is_taken = True
                return self._missed(reply, asked)
            case Failed(why):
                return self._in_need(asked, why)
            case Confirmed(entry):
                self._figures.confirmed.value += 1
                return self._answer(asked, entry, b"fwd=" + asked.why, b"fwd-status=304")
            case Filled(reply, _, filling):
                reader = filling.join()
                fetched = Reply(reply.status, reply.reason, reply.fields, reader, reader.close)
                return self._missed(fetched, asked, b"stored")

    async def _share(
        self, asked: Asked, flight: Flight, landing: Landing, until: float
    ) -> Reply | None:
        """What somebody else's request brings, if it answers this one."""
        match landing:
            case Failed(why) if self._helps(asked):
                return self._in_need(asked, why)
            case Confirmed(entry, True) if self._is_usable(asked, entry):
                return self._collapsed(asked, entry)
            case Filled(_, entry, filling) if self._is_usable(asked, entry):
                if flight.whole is None and filling.may_be_joined and asked.wanted.is_plain:
                    return self._joined(asked, entry, filling)
                if flight.whole is None:
                    await self._in_time(filling.complete(), until)
                if flight.whole is not None:
                    return self._collapsed(asked, flight.whole)
        return None

    def _joined(self, asked: Asked, entry: Entry, filling: Filling) -> Reply:
        head = self._collapsed(asked, entry)
        fields = [field for field in head.fields if field[0].lower() != b"content-length"]
        fields.append((b"Content-Length", b"%d" % (filling.length or 0)))
        reader = filling.join()
        return Reply(head.status, head.reason, fields, reader, reader.close)

    def _collapsed(self, asked: Asked, entry: Entry) -> Reply:
        self._figures.collapsed.value += 1
        return self._answer(asked, entry, b"fwd=" + asked.why, b"collapsed")

    def _in_need(self, asked: Asked, why: Exception) -> Reply:
        """What is kept helps out, or there is no answer."""
        if asked.entry is None or not isinstance(why, HTTPError) or not self._helps(asked):
            raise why
        self._figures.stale.value += 1
        return self._answer(
            asked, asked.entry, b"hit", self._ttl(asked.entry), b'detail="stale-if-error"'
        )

    def _helps(self, asked: Asked) -> bool:
        grace, now = self._limits.stale_if_error, self._clock.seconds()
        return asked.entry is not None and helps_in_need(asked.entry, asked.wanted, now, grace)

    def _is_usable(self, asked: Asked, entry: Entry) -> bool:
        return use_of(entry, asked.wanted, self._clock.seconds()) is not Use.VALIDATED

    async def _in_time(self, work: Coroutine[Any, Any, T], until: float) -> T | None:
        """What comes of it, None when it takes too long."""
        left = until - self._clock.seconds()
        if left <= 0:
            work.close()
            return None
        try:
            return await Deferred.fromCoroutine(work).addTimeout(left, self._clock)
        except TimeoutError:
            return None

    def _why(self, found: Found) -> bytes:
        """Why a request goes to the origin, if it does (RFC 9211 section 2.2)."""
        if found.entry is None:
            return b"vary-miss" if found.variants is not None else b"uri-miss"
        return b"request" if found.entry.remaining(self._clock.seconds()) > 0 else b"stale"

    def _ttl(self, entry: Entry) -> bytes:
        return b"ttl=%d" % entry.remaining(self._clock.seconds())

    def _answer(self, asked: Asked, entry: Entry, *told: bytes) -> Reply:
        now = self._clock.seconds()
        return answer_from(entry, asked.ask, asked.wanted, now, self._status(told))

    def _missed(self, reply: Reply, asked: Asked, *told: bytes) -> Reply:
        self._figures.misses.value += 1
        status = self._status((b"fwd=" + asked.why, *told))
        return replace(reply, fields=[*reply.fields, (b"Cache-Status", status)])

    def _passed(self, reply: Reply, told: bytes) -> Reply:
        self._figures.passed.value += 1
        if reply.status < 200:
            return reply
        return replace(reply, fields=[*reply.fields, (b"Cache-Status", self._status((told,)))])

    def _status(self, told: Sequence[bytes]) -> bytes:
        """A member of Cache-Status (RFC 9211)."""
        return b"; ".join((self._name, *told))


def _other_variant(asked: Asked, flight: Flight, landing: Landing) -> bytes:
    """The key to wait at instead, when it is another variant that is coming; else empty."""
    if not isinstance(landing, Filled | Confirmed):
        return b""
    names = vary_names(landing.entry.fields) or ()
    if is_selected(names, flight.asked.ask.fields, asked.ask.fields):
        return b""
    return variant_key(asked.key, Variants(names, b""), asked.ask.fields)
