"""The leaf of the tree behind which other servers answer.

It makes a request of ours one for a server, and a server's answer one of ours.  Whom to ask is
decided in `upstreams`; a cache may stand between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.addresses import host_of
from proto.web.incoming import BodyLost
from proto.web.outgoing import Outgoing, PeerLeft
from proto.web.proxy.connection import Switched
from proto.web.proxy.forwarding import Origin, Trust, forwarded
from proto.web.proxy.knownasks import KnownAsks
from proto.web.proxy.messages import Ask, Fetch, Reply, ReplyLost
from proto.web.proxy.places import Place
from proto.web.proxy.replybody import ReplyBody
from proto.web.proxy.running import Running
from proto.web.proxy.tunnel import Tunnel
from proto.web.proxy.upstreams import Upstreams
from proto.web.request import WebRequest
from proto.web.response import HTTPError, refusal_of

Cached = Callable[[Ask, Fetch], Awaitable[Reply]]
"""Answers from what it has, or asks."""

_VERSIONS: Final = {b"HTTP/2.0": b"2.0", b"HTTP/1.0": b"1.0"}
_NEVER_UPGRADED: Final = frozenset({b"h2c", b"h2", b"tls", b"http"})
"""Protocols in which somebody could ask for what we would refuse."""
_HOST_OF: Final = lru_cache(1024)(host_of)


@lru_cache(1024)
def _spelled(name: bytes) -> bytes:
    """A field's name as Twisted spells it, by which fields of ours are found."""
    headers = Headers()
    headers.addRawHeader(name, b"")
    return next(headers.getAllRawHeaders())[0]


class ProxyResource(Resource):
    """Answers for a path and all below it as the servers behind it do."""

    isLeaf = True
    log = Logger()

    def __init__(
        self,
        upstreams: Upstreams,
        place: Place,
        clock: IReactorTime,
        *,
        host: bytes | None,
        trust: Trust | None = None,
        tunnels: set[Tunnel] | None = None,
    ) -> None:
        """`host` is what servers are told in Host; None: what the client said."""
        super().__init__()
        self.upstreams = upstreams
        self.place = place
        self.tunnels: set[Tunnel] = set() if tunnels is None else tunnels
        """What is open."""
        self._clock = clock
        self._host = host
        self._trust = trust or Trust()
        self._cached: Cached | None = None
        self._known = KnownAsks()

    def answer_from(self, cached: Cached) -> None:
        """Ask that one from now on, which may ask the servers."""
        self._cached = cached

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        if request.method == b"TRACE":  # it would show what was added on the way
            raise refusal_of("TRACE", ("GET", "HEAD", "OPTIONS", "POST"))
        ask, upgrade = self._ask_for(request)
        answer = self._upgrade(request, ask) if upgrade else self._answer(request, ask)
        running = Running(answer, self._failed, request)
        if not request.is_over:
            request.when_over().addErrback(running.cancel)
        return NOT_DONE_YET

    def _ask_for(self, request: WebRequest) -> tuple[Ask, bytes]:
        """What a server is asked, and what the connection shall become, if anything else.

        Raises HTTPError.
        """
        head = request.head
        if head is None or head.length != 0 or not self._known.may_keep(head):
            return self._make_ask(request)
        key = (request.channel.head, _HOST_OF(request.client), request.isSecure())
        found = self._known.get(key)
        if found is None:
            found = self._make_ask(request)
            self._known.keep(key, found)
        return found

    def _make_ask(self, request: WebRequest) -> tuple[Ask, bytes]:
        if b"#" in request.uri:  # a server may end the path there, behind our locks' backs
            raise HTTPError(400, "A request target has no fragment.")
        head = request.head
        if head is not None:
            fields: Any = head.fields
        else:
            listed = request.requestHeaders.getAllRawHeaders()
            fields = [(name, value) for name, values in listed for value in values]
        asked_host = request.field("Host")
        version = _VERSIONS.get(request.clientproto, b"1.1")
        origin = Origin(_HOST_OF(request.client), request.isSecure(), asked_host, version)
        rest, client = forwarded(fields, origin, self._trust)
        rest.insert(0, (b"Host", asked_host if self._host is None else self._host))
        length = request.field("Content-Length")
        if length:
            rest.append((b"Content-Length", b"%d" % int(length)))
        if request.body is not None and request.field("Expect"):
            rest.append((b"Expect", b"100-continue"))
        upgrade = b""
        # HTTP/1.0 knows no upgrade (RFC 9110, 7.8).
        if head is not None and head.upgrade and version == b"1.1" and request.body is None:
            upgrade = _upgrade_of(head.values[b"upgrade"])
            if upgrade:
                rest += [(b"Connection", b"upgrade"), (b"Upgrade", upgrade)]
        query = request.target.query if b"?" in request.uri else None
        target = self.place.target(request.target.path, query)
        return Ask(request.method, target, tuple(rest), request.body, client), upgrade

    async def _answer(self, request: WebRequest, ask: Ask) -> None:
        if self._cached is None:
            reply = await self.upstreams.ask(ask, False)
        else:
            reply = await self._cached(ask, self.upstreams.fetch)
        await self._pass_on(request, reply)

    async def _pass_on(self, request: WebRequest, reply: Reply) -> None:
        """Raises PeerLeft, ReplyLost."""
        try:
            if request.is_over:
                return
            self._begin(request, reply)
            body = reply.body
            if isinstance(body, ReplyBody) and body.is_whole:
                request.write(body.take())
                request.finish()
                return
            outgoing = Outgoing(request)
            await outgoing.write(body.take() if isinstance(body, ReplyBody) else b"")
            async for chunk in body:
                await outgoing.write(chunk)
            outgoing.finish()
        finally:
            reply.close()

    async def _upgrade(self, request: WebRequest, ask: Ask) -> None:
        reply = await self.upstreams.ask(ask, True)
        connection = reply.connection if isinstance(reply, Switched) else None
        if not isinstance(reply, Switched) or connection is None:
            await self._pass_on(request, reply)
            return
        become = dict(ask.fields)[b"Upgrade"]
        if request.is_over or reply.protocol.lower() != become.lower():
            reply.close()
            raise HTTPError(502, "The server behind this one speaks what nobody asked for.")
        self._begin(request, reply)
        figures = self.upstreams.figures
        figures.tunnels.value += 1
        idle = self.upstreams.waits.tunnel
        tunnel = Tunnel(connection, reply.early, self._clock, idle, self.tunnels, figures.sent)
        fields = [("Connection", "upgrade"), ("Upgrade", become.decode("latin-1"))]
        request.hand_over(fields, tunnel)

    def _begin(self, request: WebRequest, reply: Reply) -> None:
        """Set the head of the answer; what the server says takes the place of what we would."""
        request.code, request.code_message = reply.status, reply.reason
        request.defaultContentType = None
        named: dict[bytes, list[bytes]] = {}
        for name, value in reply.fields:
            named.setdefault(_spelled(name), []).append(value)
        if b"Location" in named:
            named[b"Location"] = [self.place.location(url) for url in named[b"Location"]]
        request.responseHeaders.preset(named)

    def _failed(self, failure: Failure, request: WebRequest) -> None:
        if failure.check(PeerLeft) or (request.is_over and failure.check(CancelledError, BodyLost)):
            return
        if not failure.check(ReplyLost):
            request.fail(failure)
        elif request.chunked or request.responseHeaders.has(b"Content-Length"):
            request.break_off()
        else:  # only a broken connection shows that something is missing
            request.cut_off()


def _upgrade_of(told: bytes) -> bytes:
    """What a connection may become, as the client wrote it; empty if it may not."""
    name = told.strip(b" \t").partition(b"/")[0].lower()
    return b"" if b"," in told or name in _NEVER_UPGRADED else told
