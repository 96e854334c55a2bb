"""The factory: who is connected, what every answer carries, and how serving ends.

It owns what the requests share: the tree, the access log, the counters, the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import Site

from proto.addresses import host_of
from proto.errors import PeerError
from proto.metrics import Metrics
from proto.web.accesslog import AccessLog, Visit
from proto.web.channel import WebConnection
from proto.web.dates import http_date
from proto.web.pages import SECURITY_HEADERS
from proto.web.request import WebRequest
from proto.web.response import KNOWN_METHODS
from proto.web.visits import Visits

MAX_BODY: Final = 16 * 1024 * 1024
IDLE_SECONDS: Final = 60.0
RETRY_AFTER_SECONDS: Final = 10
# How often a stopping site looks whether the streams of an HTTP/2 connection are done.
SWEEP_SECONDS: Final = 0.1


class Endless(Protocol):
    """An answer that goes on until somebody ends it."""

    def end(self) -> None: ...


class ProtoSite(Site):
    """Serves a tree over HTTP/1.1, and over HTTP/2 where TLS negotiates it.

    `max_body` is in bytes, `timeout` in seconds for which a connection may be idle.  The access
    log and the visits are closed when the last listener stops.
    """

    noisy = False
    protocol = WebConnection.speak  # the seam for another channel; see proto.web.channel
    requestFactory = WebRequest

    def __init__(
        self,
        root: IResource,
        clock: IReactorTime,
        *,
        access_log: AccessLog | None = None,
        visits: Visits | None = None,
        metrics: Metrics | None = None,
        display_tracebacks: bool = False,
        max_body: int = MAX_BODY,
        timeout: float = IDLE_SECONDS,
        add_headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(root, timeout=timeout, reactor=clock)
        self.clock = clock
        self.max_body = max_body
        self.displayTracebacks = display_tracebacks
        self.leaving = False
        self.connections: set[WebConnection] = set()
        self.endless: set[Endless] = set()
        self._access_log = access_log
        self._visits = visits
        self._sweeping: IDelayedCall | None = None
        self._always = Headers()
        for name, value in (*SECURITY_HEADERS, ("Server", "proto"), *add_headers):
            self._always.addRawHeader(name, value)
        self._metrics = metrics or Metrics()
        self._bytes_sent = self._metrics.tally("web_bytes_sent", "Bytes of answers' bodies")
        self._aborted = self._metrics.tally(
            "web_aborted", "Requests whose peer left before the answer was complete"
        )
        self._seconds = self._metrics.histogram(
            "web_request_seconds", "From the first line of a request to the end of its answer"
        )

    # The door calls these.
    def refusal(self, reason: PeerError) -> bytes:
        """A whole answer for a peer that cannot be let in."""
        body = f"{reason}\n".encode("utf-8", "replace")
        head = (
            "HTTP/1.1 503 Service Unavailable\r\n"
            f"Date: {http_date(self.clock.seconds())}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"Retry-After: {RETRY_AFTER_SECONDS}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode("ascii") + body

    def farewell(self) -> None:
        """Close the connections that are idle now, and the others after their answers.

        Answers that have no end of their own end here.
        """
        self.leaving = True
        for answer in list(self.endless):
            answer.end()
        staying = [connection for connection in self.connections if not connection.dismiss()]
        if staying:
            self._sweeping = self.clock.callLater(SWEEP_SECONDS, self.farewell)

    # Requests call these.
    def dress(self, request: WebRequest) -> None:
        """Give an answer the header fields that every answer has."""
        for name, values in self._always.getAllRawHeaders():
            request.responseHeaders.setRawHeaders(name, values)
        request.responseHeaders.setRawHeaders("Date", [http_date(self.clock.seconds())])

    def count_abort(self) -> None:
        """A peer left before its answer was complete."""
        self._aborted.value += 1

    # Twisted calls these.
    def startFactory(self) -> None:
        self.leaving = False
        if self._access_log is not None:
            self._access_log.open()

    def stopFactory(self) -> None:
        if self._sweeping is not None and self._sweeping.active():
            self._sweeping.cancel()
        if self._visits is not None:
            self._visits.close()
        if self._access_log is not None:
            self._access_log.close()

    def getResourceFor(self, request: WebRequest) -> IResource:
        self.dress(request)
        request.find_target()
        found: IResource = super().getResourceFor(request)
        return found

    def log(self, request: WebRequest) -> None:  # type: ignore[override]
        """Count an answer and write its line; called once for each."""
        verb = request.verb if request.verb in KNOWN_METHODS else "other"
        status = f"{request.code // 100}xx"
        self._metrics.tally(
            "web_requests", "Answered requests", method=verb, status=status
        ).value += 1
        self._bytes_sent.value += request.sentLength
        self._seconds.observe(max(0.0, self.clock.seconds() - request.began))
        if self._access_log is not None:
            self._access_log.add(_visit(request))


def _visit(request: WebRequest) -> Visit:
    def header(name: str) -> bytes:
        return request.header(name).encode("latin-1")

    return Visit(
        host=host_of(request.client),
        user=request.getUser(),
        request=b" ".join((request.method, request.uri, request.clientproto)),
        status=request.code,
        body_bytes=request.sentLength,
        referer=header("Referer"),
        user_agent=header("User-Agent"),
        forwarded_for=header("X-Forwarded-For"),
    )
