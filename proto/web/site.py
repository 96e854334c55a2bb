"""The factory: who is connected, what every answer carries, and how serving ends.

It owns what the requests share: the tree, the access log, the counters, the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import Site

from proto.addresses import host_of
from proto.errors import PeerError
from proto.metrics import Metrics, Tally
from proto.web.accesslog import AccessLog, Visit
from proto.web.aside import AtOnce
from proto.web.connection import WebConnection
from proto.web.dates import http_date
from proto.web.errorpages import ErrorPages
from proto.web.http1 import Heads
from proto.web.known import KnownAnswer, KnownAnswers
from proto.web.pages import SECURITY_HEADERS
from proto.web.patience import Patience
from proto.web.request import WebRequest
from proto.web.response import KNOWN_METHODS
from proto.web.shares import Shares
from proto.web.spool import Spools
from proto.web.visits import Visits

MAX_BODY: Final = 16 * 1024 * 1024
IDLE_SECONDS: Final = 60.0
RETRY_AFTER_SECONDS: Final = 10
OPEN_FILES: Final = 400

_host_of: Final = lru_cache(1024)(host_of)
PATIENT: Final = Patience()

Streams = Callable[[Any], int | None]
"""Whether a request is answered before its body is whole: the bytes that the body may have."""


BodyLimit = Callable[[Any], int | None]
"""The bytes that a body may have which is answered when it is whole; None: as usual.  Asked when
its head is here; raises HTTPError for a body that need not come."""


def _as_usual(request: object) -> None:
    """Nobody reads bodies as they come, and nobody has another limit."""


class Endless(Protocol):
    """An answer that goes on until somebody ends it."""

    def end(self) -> None: ...


class ProtoSite(Site):
    """Serves a tree over HTTP/1.1, and over HTTP/2 where TLS negotiates it.

    `max_body` is in bytes, `timeout` in seconds for which a connection may be idle; `hsts` is for
    how many seconds browsers are told to come over TLS only, and they are told over TLS.  Without
    `parses_multipart` such a form is left to who reads it as it comes, as `proto.web.upload` does.
    For `repeat_seconds` at most the answer from a file may be repeated to whoever sends the same
    head; this is not for a root that looks at who asks, or counts.
    At most `open_files` files are open for peers that take their time to read, half of them for one
    address.
    The access log and the visits are closed when the last listener stops.
    """

    noisy = False
    protocol = WebConnection.speak  # the seam for another channel; see proto.web.connection
    requestFactory = WebRequest  # type: ignore[assignment]

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
        error_pages: ErrorPages | None = None,
        hsts: int = 0,
        parses_multipart: bool = True,
        patience: Patience = PATIENT,
        spools: Spools | None = None,
        streams: Streams | None = None,
        body_limit: BodyLimit | None = None,
        repeat_seconds: float = 0.0,
        open_files: int = OPEN_FILES,
    ) -> None:
        super().__init__(root, timeout=timeout, reactor=clock)
        self.clock = clock
        self.max_body = max_body
        self.displayTracebacks = display_tracebacks
        self.parses_multipart = parses_multipart
        self.patience = patience
        self.spools = spools or Spools()
        self.streams = streams or _as_usual
        self._body_limit = body_limit or _as_usual
        self.open_files = Shares(open_files)
        self.heads = Heads()
        self.known = KnownAnswers(clock, seconds=repeat_seconds)
        self.leaving = False
        self.connections: set[WebConnection] = set()
        self.endless: set[Endless] = set()
        self._access_log = access_log
        self._visits = visits
        self.error_page = (error_pages or ErrorPages(clock, AtOnce())).page
        self._hsts = [f"max-age={hsts}"] if hsts else []
        always = Headers()
        for name, value in (("Server", "proto"), ("Date", ""), *SECURITY_HEADERS, *add_headers):
            always.addRawHeader(name, value)
        self._always = dict(always.getAllRawHeaders())
        self._second = -1
        self._answers: dict[tuple[bytes, int], Tally] = {}
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
        self.known.stop()
        for answer in list(self.endless):
            answer.end()
        for connection in list(self.connections):  # some are gone at once
            connection.dismiss()

    # Requests call these.
    def dress(self, request: WebRequest) -> None:
        """Give an answer the header fields that every answer has."""
        second = int(self.clock.seconds())
        if second != self._second:
            self._second = second
            self._always[b"Date"] = [http_date(second).encode("ascii")]
        request.responseHeaders.preset(self._always)
        if self._hsts and request.isSecure():
            request.responseHeaders.setRawHeaders("Strict-Transport-Security", self._hsts)

    def body_limit(self, request: object) -> int:
        """The bytes that a body may have which is answered when it is whole.  Raises HTTPError."""
        limit = self._body_limit(request)
        return self.max_body if limit is None else limit

    def count_abort(self) -> None:
        """A peer left before its answer was complete."""
        self._aborted.value += 1

    def remember(self, request: WebRequest, head: bytes, wire: bytes) -> None:
        """Repeat this answer as it is, for a moment, to whoever sends the same head."""
        visit = _visit(request)
        line = "" if self._access_log is None else self._access_log.line_of(visit)
        logged = line.removeprefix(visit.host)
        self.known.keep(head, KnownAnswer(wire, request.sentLength, self._tally(request), logged))

    # The channel calls this.
    def log_known(self, answer: KnownAnswer, host: str) -> None:
        """Count an answer that was known, and write its line."""
        answer.requests.value += 1
        self._bytes_sent.value += answer.body_bytes
        self._seconds.observe(0.0)
        if self._access_log is not None:
            self._access_log.add_line(host + answer.logged)

    # Twisted calls these.
    def startFactory(self) -> None:
        self.leaving = False
        self.known.start()
        if self._access_log is not None:
            self._access_log.open()

    def stopFactory(self) -> None:
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
        tally = self._answers.get((request.method, request.code))
        if tally is None:
            tally = self._tally(request)
        tally.value += 1
        if request.method not in (b"GET", b"HEAD"):
            self.known.forget()  # whatever it was, it may have changed what others ask for
        self._bytes_sent.value += request.sentLength
        self._seconds.observe(max(0.0, self.clock.seconds() - request.began))
        if self._access_log is not None:
            self._access_log.add(_visit(request))

    def _tally(self, request: WebRequest) -> Tally:
        """The counter of such answers; asking again is cheap for the usual methods."""
        verb = request.verb if request.verb in KNOWN_METHODS else "other"
        status = f"{request.code // 100}xx"
        tally = self._metrics.tally("web_requests", "Answered requests", method=verb, status=status)
        if verb != "other":
            self._answers[request.method, request.code] = tally
        return tally


def _visit(request: WebRequest) -> Visit:
    header = request.field
    return Visit(
        host=_host_of(request.client),
        user=request.getUser() if header("Authorization") else b"",
        request=request.line or b" ".join((request.method, request.uri, request.clientproto)),
        status=request.code,
        body_bytes=request.sentLength,
        referer=header("Referer"),
        user_agent=header("User-Agent"),
        forwarded_for=header("X-Forwarded-For"),
    )
