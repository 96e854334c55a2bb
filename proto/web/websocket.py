"""The resource that upgrades a request to a WebSocket (RFC 6455).

Knows no application: `accept` makes whatever wants to listen.  Who may come is decided in
`handshake`; what happens on the connection afterwards is in `sockets`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.metrics import Metrics
from proto.web.backlog import Bounds
from proto.web.frames import text_frame
from proto.web.handshake import Agreement, check_origin, negotiate, parse_origin
from proto.web.request import WebRequest
from proto.web.response import HTTPError, refusal_of
from proto.web.sockets import Listener, Socket, Terms

__all__ = ["MAX_MESSAGE", "Listener", "Socket", "WebSocketResource", "text_frame"]

MAX_MESSAGE: Final = 65536


class WebSocketResource(Resource):
    """A leaf of the tree that becomes a WebSocket.

    `accept` makes the listener for a request, or raises HTTPError to refuse it.  `origins` are
    those whose pages may connect besides our own: `https://example.com`.  `max_message` and
    `max_queue` are in bytes; above `max_queue` bytes that wait, or when nothing was taken for
    `stuck_after` seconds, the peer is dropped.  A peer that is silent for `ping_every` seconds is
    pinged, and dropped after twice as many.  Of several in a process each is counted under a name
    of its own.
    """

    isLeaf = True
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        accept: Callable[[WebRequest], Listener],
        *,
        origins: Sequence[str] = (),
        max_message: int = MAX_MESSAGE,
        max_queue: int = 1 << 20,
        stuck_after: float = 30.0,
        ping_every: float = 30.0,
        subprotocols: Sequence[str] = (),
        metrics: Metrics | None = None,
        counted_as: str = "web_socket",
    ) -> None:
        """Raises ValueError for an origin that is none."""
        super().__init__()
        self._clock = clock
        self._accept = accept
        self._origins = frozenset(parse_origin(origin.lower()) for origin in origins)
        self._subprotocols = tuple(subprotocols)
        self._ping_every = ping_every
        self._round: IDelayedCall | None = None
        metrics = metrics or Metrics()
        self._terms = Terms(
            Bounds(clock, max_queue, stuck_after),
            max_message,
            set(),
            metrics.tally(f"{counted_as}_messages", "Messages received over WebSockets"),
            metrics.tally(f"{counted_as}s_dropped", "WebSockets cut off as too slow or silent"),
            self.log,
        )
        sockets = self._terms.sockets
        metrics.gauge(
            f"{counted_as}_queue_bytes",
            "Bytes that wait for slow WebSockets",
            lambda: sum(socket.waiting for socket in sockets),
        )
        metrics.gauge(f"{counted_as}s_open", "WebSockets open now", lambda: len(sockets))

    # The application calls this.
    def bound(self, max_queue: int, stuck_after: float) -> None:
        """What may wait for those who come from now on."""
        bounds = Bounds(self._clock, max_queue, stuck_after)
        self._terms = replace(self._terms, bounds=bounds)

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        agreement = self._agree(request)
        socket = Socket(self._terms, agreement, self._accept(request))
        request.hand_over(agreement.fields, socket)
        if self._round is None:
            self._round = self._clock.callLater(self._ping_every / 4, self._go_round)
        return NOT_DONE_YET

    def _agree(self, request: WebRequest) -> Agreement:
        """Raises HTTPError for whatever may not become a WebSocket."""
        if request.verb != "GET":
            raise refusal_of(request.verb, ("GET",))
        if not isinstance(request.channel, HTTPChannel):
            raise HTTPError(400, "A WebSocket needs a connection of HTTP/1.1.")
        if request.owner.leaving:
            raise HTTPError(503, "The server is stopping.")
        headers = request.requestHeaders
        fields = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, values in headers.getAllRawHeaders()
            for value in values
        ]
        agreement = negotiate(request.clientproto.decode("latin-1"), fields, self._subprotocols)
        told = [value for name, value in fields if name.lower() == "origin"]
        check_origin(told, request.header("Host"), request.isSecure(), self._origins)
        return agreement

    def _go_round(self) -> None:
        """Look after everybody four times in a period; one timer serves them all."""
        self._round = None
        now = self._clock.seconds()
        for socket in list(self._terms.sockets):
            socket.check(now, self._ping_every)
        if self._terms.sockets:
            self._round = self._clock.callLater(self._ping_every / 4, self._go_round)
