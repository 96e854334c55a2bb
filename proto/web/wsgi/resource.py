"""The leaf of the tree at which a WSGI application stands.

The request is turned into an environ here, and given to a thread; who comes when all threads are
busy and too many wait is sent away at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.addresses import host_of
from proto.metrics import LATENCY_SECONDS, Metrics
from proto.web.request import WebRequest
from proto.web.response import HTTPError, refusal_of
from proto.web.wsgi.call import Application, Call
from proto.web.wsgi.environ import Asked, Pairs, environ_of
from proto.web.wsgi.exchange import Exchange
from proto.web.wsgi.handover import CallInReactor, Handover
from proto.web.wsgi.streams import FileWrapper
from proto.web.wsgi.workers import THREADS, WAITING, Job, Workers

AGAIN_SECONDS: Final = "1"
PATIENCE: Final = 2.0
"""Seconds in which the threads have to end when the service does."""
_TOO_MANY: Final = "Too many requests wait for this application."
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Variables = Callable[[WebRequest], dict[str, Any]]

_host_of: Final = lru_cache(1024)(host_of)


class Pool:
    """The threads of one door, and what is counted of them."""

    log = Logger()

    def __init__(
        self,
        call_in_reactor: CallInReactor,
        clock: IReactorTime,
        metrics: Metrics,
        *,
        threads: int = THREADS,
        waiting: int = WAITING,
        name: str = "wsgi",
    ) -> None:
        """`call_in_reactor` is reactor.callFromThread; the metrics begin with `name`."""
        self.handover = Handover(call_in_reactor)
        self._clock = clock
        self._is_waking = False
        seconds = metrics.histogram(
            f"{name}_seconds", "From the call of the application to its end", LATENCY_SECONDS
        )
        self.workers = workers = Workers(threads, waiting, name=name, observe=seconds.observe)
        metrics.gauge(f"{name}_threads_busy", "Requests that run", lambda: workers.busy)
        metrics.gauge(f"{name}_queued", "Requests that wait for a thread", lambda: workers.queued)
        self._refused = metrics.tally(f"{name}_refused", "Requests for which there was no room")

    def check_room(self) -> None:
        """Raises HTTPError, 503, when too many wait."""
        if self.workers.is_full:
            self._refused.value += 1
            raise HTTPError(503, _TOO_MANY, [("Retry-After", AGAIN_SECONDS)])

    def run(self, job: Job) -> None:
        """Have a thread call `job`, which raises nothing; there is room for it.

        The threads are woken when this turn of the reactor ends: until then they could only get
        into its way, as one thread at a time runs Python.
        """
        self.workers.add(job)
        if not self._is_waking:
            self._is_waking = True
            self._clock.callLater(0, self._wake)

    def _wake(self) -> None:
        self._is_waking = False
        self.workers.wake()

    def close(self) -> Deferred[None]:
        """Take nothing more, and wait for the threads; not for long, as they may never end."""
        ended: Deferred[None] = Deferred()

        def end() -> None:
            if not ended.called:
                ended.callback(None)

        def give_up() -> None:
            self.log.warn(
                "{busy} calls of applications did not end within {seconds:g} s and are left alone",
                busy=self.workers.busy,
                seconds=PATIENCE,
            )
            end()

        late = self._clock.callLater(PATIENCE, give_up)
        ended.addCallback(lambda _: late.cancel() if late.active() else None)
        self.workers.stop(lambda: self.handover.post(end))
        return ended


class WsgiResource(Resource):
    """Answers for all below its path by calling an application."""

    isLeaf = True

    def __init__(
        self,
        application: Application,
        pool: Pool,
        *,
        is_multiprocess: bool = False,
        variables: Variables = lambda request: {},
    ) -> None:
        """`variables` gives what else an environ holds."""
        super().__init__()
        self._application = application
        self._pool = pool
        self._is_multiprocess = is_multiprocess
        self._variables = variables

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        if request.method == b"TRACE":
            raise refusal_of("TRACE", METHODS)
        self._pool.check_room()
        exchange = Exchange(request, self._pool.handover)
        environ = environ_of(_asked(request))
        environ["wsgi.multiprocess"] = self._is_multiprocess
        environ["wsgi.input"] = exchange.input
        environ["wsgi.errors"] = exchange.errors
        environ["wsgi.file_wrapper"] = FileWrapper
        environ.update(self._variables(request))
        self._pool.run(Call(self._application, environ, exchange).run)
        return NOT_DONE_YET


def _asked(request: WebRequest) -> Asked:
    script: Sequence[bytes] = request.prepath or ()
    path: Sequence[bytes] = request.postpath or ()
    return Asked(
        method=request.method,
        script=script,
        path=path,
        target=request.uri,
        query=request.target.query,
        protocol=request.clientproto,
        fields=_fields(request),
        server=_place(request.host),
        client=_place(request.client),
        is_secure=request.isSecure(),
    )


def _fields(request: WebRequest) -> Pairs:
    if request.head is not None:
        return request.head.fields
    lines = request.requestHeaders.getAllRawHeaders()
    return [(name, value) for name, values in lines for value in values]


def _place(address: Any) -> tuple[str, int]:
    """A bare address and a port; of a unix socket, neither."""
    port = getattr(address, "port", None)
    return ("", 0) if port is None else (_host_of(address), port)
