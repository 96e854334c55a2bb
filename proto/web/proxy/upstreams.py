"""Asks one of several servers, and another one when that is safe.

Whom to ask says the group; a connection comes from the pool or from the connector.  Knows no
client, and nothing of what is done with an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from proto.addresses import group_of
from proto.web.proxy.asking import IDEMPOTENT, may_repeat
from proto.web.proxy.connection import Connection, Failed, Waits
from proto.web.proxy.figures import Figures
from proto.web.proxy.messages import Ask, Reply
from proto.web.proxy.places import host_field
from proto.web.proxy.pool import Pool
from proto.web.proxy.replies import ReplyHeads
from proto.web.proxy.servers import Group, Member, Server
from proto.web.response import HTTPError
from proto.web.shares import Shares

Connector = Callable[[Server, Factory], Deferred[Any]]
"""Connects a protocol of the factory to a server; cancelling gives it up."""

RETRY_AFTER: Final = "5"
"""Seconds, for a client that found nobody."""
UNDER_WAY: Final = 10_000
LOG_EVERY: Final = 1.0
"""Seconds in which the failures of one server are told once."""
_GROUP_OF: Final = lru_cache(1024)(group_of)


class _Ready(Factory):
    """Gives the one connection that is made already."""

    noisy = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Twisted calls this.
    def buildProtocol(self, addr: object) -> Connection:
        return self._connection


class Upstreams:
    """The servers that answer for one path."""

    log = Logger()

    def __init__(
        self,
        group: Group,
        connector: Connector,
        clock: IReactorTime,
        *,
        pool: Pool | None = None,
        waits: Waits | None = None,
        figures: Figures | None = None,
        own_hosts: bool = False,
        shares: Shares | None = None,
    ) -> None:
        """`own_hosts`: each server is told its own name in Host, whatever a request says.

        `shares` bounds the requests under way, without it to UNDER_WAY: each has a connection.
        """
        self.group = group
        self.pool = pool or Pool()
        self.waits = waits or Waits()
        self.figures = figures or Figures()
        self.shares = shares or Shares(UNDER_WAY)
        self._connector = connector
        self.clock = clock
        self._own_hosts = own_hosts
        self._heads = ReplyHeads()
        self._told: dict[Server, float] = {}

    async def fetch(self, ask: Ask) -> Reply:
        """Ask, and give the answer when its head is here.

        Raises:
            HTTPError: 502, 503 or 504 when there is no answer; or what the body of the request
                raised.
        """
        return await self.ask(ask, False)

    async def ask(self, ask: Ask, upgrades: bool) -> Reply:
        """The same; with `upgrades` the answer may be Switched."""
        tried: list[Server] = []
        failed: Failed | None = None
        holder = _GROUP_OF(ask.client)
        while True:
            if not self.shares.fits(holder):
                raise self._nobody(None)
            member = self.group.choose(ask.client, tried)
            if member is None:
                raise self._nobody(failed)
            tried.append(member.server)
            attempt = _Attempt(self, member, holder)
            try:
                return await attempt.run(ask, upgrades)
            except Failed as failure:
                self._tell(member, failure)
                if not attempt.repeats:
                    raise self._nobody(failure) from failure
                failed = failure
                self.figures.repeats.value += 1

    async def check(self, server: Server, ask: Ask) -> Reply:
        """Ask this one server, and count nothing.  Raises HTTPError, 502 or 504."""
        connection = self.pool.take(server) or await self._connect_or_refuse(server)
        try:
            return await connection.ask(ask, False, lambda ok, why: None)
        except Failed as failed:
            raise HTTPError(failed.status, str(failed)) from failed

    async def _connect_or_refuse(self, server: Server) -> Connection:
        try:
            return await self.connect(server)
        except Failed as failed:
            raise HTTPError(failed.status, str(failed)) from failed

    def _nobody(self, failed: Failed | None) -> HTTPError:
        if failed is None:
            headers = [("Retry-After", RETRY_AFTER)]
            return HTTPError(503, "No server is free to answer this.", headers)
        if failed.status == 504:
            return HTTPError(504, "The server behind this one did not answer in time.")
        return HTTPError(502, "The server behind this one gave no proper answer.")

    def _tell(self, member: Member, failed: Failed) -> None:
        now = self.clock.seconds()
        if now - self._told.get(member.server, -LOG_EVERY) >= LOG_EVERY:
            self._told[member.server] = now
            self.log.warn("proxy: {server}: {why}", server=member.name, why=str(failed))

    # An attempt calls this.
    async def connect(self, server: Server) -> Connection:
        """A new connection.  Raises Failed."""
        host = host_field(server).encode() if self._own_hosts else b""
        connection = Connection(self.pool, server, self._heads, self.waits, self.clock, host)
        connecting = self._connector(server, _Ready(connection))
        is_late: list[bool] = []

        def give_up() -> None:
            is_late.append(True)
            connecting.cancel()

        timer = self.clock.callLater(self.waits.connect, give_up)
        try:
            await connecting
        except (ConnectError, DNSLookupError, OSError) as error:
            raise Failed(502, f"it cannot be connected to: {_shown(error)}") from error
        except (CancelledError, ConnectingCancelledError) as error:
            if is_late:
                raise self._too_late() from error
            raise CancelledError from error
        finally:
            if timer.active():
                timer.cancel()
        return connection

    def _too_late(self) -> Failed:
        return Failed(504, f"it was not connected within {self.waits.connect:g} s")


def _shown(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]


class _Attempt:
    """One server that is asked, and what it and the counters are told of it."""

    __slots__ = (
        "_began",
        "_connection",
        "_figures",
        "_holder",
        "_is_over",
        "_member",
        "_upstreams",
        "repeats",
    )

    def __init__(self, upstreams: Upstreams, member: Member, holder: str) -> None:
        self.repeats = True
        """Another server may be asked, if this one fails."""
        self._upstreams = upstreams
        self._member = member
        self._holder = holder
        self._figures = upstreams.figures.of(member)
        self._connection: Connection | None = None
        self._is_over = False
        self._began = 0.0

    async def run(self, ask: Ask, upgrades: bool) -> Reply:
        """Raises Failed, or what the body of the request raised."""
        self._member.begin()
        self._upstreams.shares.take(self._holder)
        self._began = self._upstreams.clock.seconds()
        is_answered = False
        try:
            reply = await self._reply(ask, upgrades)
            is_answered = True
        except Failed as failed:
            self._settle(False, str(failed))
            raise
        finally:
            if not is_answered:
                self._settle(None, "")
        if not self._is_over:  # the rest, or a tunnel, may take long
            self._member.answered()
        self._figures.answered(reply.status)
        return reply

    async def _reply(self, ask: Ask, upgrades: bool) -> Reply:
        server = self._member.server
        kept = self._kept(server, ask)
        if kept is not None:
            self._connection = kept
            try:
                return await kept.ask(ask, upgrades, self._settle)
            except Failed as failed:
                self._look_at(ask, kept)
                if not (failed.was_silent and self.repeats):
                    raise
            self._upstreams.figures.repeats.value += 1
        self._connection = connection = await self._upstreams.connect(server)
        self._figures.connects.value += 1
        try:
            return await connection.ask(ask, upgrades, self._settle)
        except Failed:
            self._look_at(ask, connection)
            raise

    def _kept(self, server: Server, ask: Ask) -> Connection | None:
        """A connection that waits; for what cannot be repeated, one that is surely alive."""
        pool = self._upstreams.pool
        kept = pool.take(server)
        if ask.body is not None or ask.method not in IDEMPOTENT:
            while kept is not None and kept.has_news:
                kept.close()
                kept = pool.take(server)
        return kept

    def _look_at(self, ask: Ask, connection: Connection) -> None:
        self.repeats = may_repeat(ask, connection.is_sent, connection.has_body_begun)

    def _settle(self, ok: bool | None, why: str) -> None:
        """It is over; the first word counts."""
        if self._is_over:
            return
        self._is_over = True
        self._member.done(ok, why)
        figures, upstreams = self._figures, self._upstreams
        upstreams.shares.give(self._holder)
        upstreams.figures.seconds.observe(upstreams.clock.seconds() - self._began)
        if ok is False:
            figures.failures.value += 1
        if self._connection is not None:
            figures.bytes.value += self._connection.received
