"""A folder of scripts in the web's tree: a request comes, a script answers it.

Knows neither settings nor where the folder stands.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.addresses import host_of
from proto.metrics import Metrics
from proto.web.aside import Aside
from proto.web.cgi.environ import Call, environment_of, server_name
from proto.web.cgi.exchange import Counts, Exchange
from proto.web.cgi.inside import Redirects
from proto.web.cgi.places import Places
from proto.web.cgi.running import Deadlines, Running, Started, start
from proto.web.cgi.scripts import Script, Scripts
from proto.web.request import WebRequest
from proto.web.response import HTTPError, refusal_of

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""What a script is asked; it is for the script to refuse."""
_PIECE: Final = 64 * 1024
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)

Translate = Callable[[tuple[bytes, ...]], bytes | None]
"""The file that the segments of a path would stand for."""
UserOf = Callable[[WebRequest], bytes | None]
"""Who has shown a password for the path of a request."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What all scripts of a service have in common."""

    deadlines: Deadlines = field(default_factory=Deadlines)
    max_output: int = 1024**3
    at_once: int = 100
    extra: tuple[tuple[bytes, bytes], ...] = ()
    pass_authorization: bool = False
    translate: Translate = lambda names: None
    user_of: UserOf = lambda request: None


class Scene:
    """Where the scripts of a service run, whatever folder they are from."""

    log = Logger()

    def __init__(self, rules: Rules, reactor: Any, aside: Aside, metrics: Metrics) -> None:
        """`reactor` watches pipes and keeps time; `aside` looks for files and starts processes."""
        self.rules = rules
        self.aside = aside
        self.redirects = Redirects()
        refused = metrics.tally("web_cgi_refused", "Requests for which no place was left")
        self.places = Places(reactor, rules.at_once, refused=refused)
        self.counts = Counts(
            metrics.tally("web_cgi_late", "Scripts that were stopped for taking too long"),
            metrics.tally("web_cgi_malformed", "Scripts whose answer was none"),
        )
        self._reactor = reactor
        self._running: set[Running] = set()
        self._is_closed = False
        self._seconds = metrics.histogram(
            "web_cgi_seconds", "From the start of a script to its end"
        )
        metrics.gauge("web_cgi_running", "Scripts that run", lambda: self.places.running)
        metrics.gauge("web_cgi_waiting", "Requests that wait for a place", self._count_waiting)

    async def run(self, script: Script, call: Call, has_body: bool) -> Running:
        """Start it, in a place that is given back when it has ended.

        Raises:
            HTTPError: 503 when there is no place, 500 when it cannot be run.
        """
        await self.places.enter()
        rules = self.rules
        extra, authorized = rules.extra, rules.pass_authorization
        environment = environment_of(call, extra, pass_authorization=authorized)
        began: Deferred[Started] = self.aside.run(
            script.path,
            start,
            script,
            environment,
            has_body,
            unwanted=lambda started: self._watch(script, started).stop(),
        )
        try:
            started = await began
        except BaseException as error:
            self.places.leave()
            if isinstance(error, OSError):
                raise self._refusal(script, error) from error
            raise
        return self._watch(script, started, leaves=True)

    async def close(self) -> None:
        """Stop all that run, and wait for their ends."""
        self._is_closed = True
        ends = [running.when_over() for running in self._running]
        for running in list(self._running):
            running.stop()
        await DeferredList(ends)

    def _watch(self, script: Script, started: Started, *, leaves: bool = False) -> Running:
        running = Running(script, started, self._reactor, self.rules.deadlines)
        self._running.add(running)
        began = self._reactor.seconds()

        def over(_: None) -> None:
            self._running.discard(running)
            self._seconds.observe(self._reactor.seconds() - began)
            if leaves:
                self.places.leave()

        running.when_over().addCallback(over)
        if self._is_closed:
            running.stop()
        return running

    def _refusal(self, script: Script, error: OSError) -> HTTPError:
        self.log.error(
            "cgi {script} cannot be run: {why}", script=ascii(script.path)[2:-1], why=error.strerror
        )
        if error.errno in _EXHAUSTED:
            again = [("Retry-After", "5")]
            return HTTPError(503, "Too much is running here just now.", again)
        return HTTPError(500, "The program cannot be run. The log says why.")

    def _count_waiting(self) -> int:
        return self.places.waiting


class CgiFolder(Resource):
    """The scripts of one folder as a leaf of the tree."""

    isLeaf = True

    def __init__(self, scripts: Scripts, scene: Scene) -> None:
        super().__init__()
        self._scripts = scripts
        self._scene = scene

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        if request.verb not in METHODS:
            raise refusal_of(request.verb, METHODS)
        running = Deferred.fromCoroutine(self._answer(request))

        def failed(failure: Failure) -> None:
            # A peer that left needs no answer, and its going is nobody's mistake.
            if not (request.is_over and failure.check(CancelledError)):
                request.fail(failure)

        running.addErrback(failed)
        if not request.is_over:
            request.when_over().addErrback(lambda _: running.cancel())
        return NOT_DONE_YET

    async def _answer(self, request: WebRequest) -> None:
        target = await self._run(request)
        if target is not None:
            await self._scene.redirects.follow(request, target)

    async def _run(self, request: WebRequest) -> bytes | None:
        """Let the script answer; or give the path that is to be answered with instead."""
        scene = self._scene
        names = tuple(request.postpath or ())
        script = await scene.aside.run(self._scripts.folder, self._scripts.find, names)
        length, body = await _body_of(request)
        call = _call(request, script, length, scene.rules)
        running = await scene.run(script, call, body is not None)
        try:
            exchange = Exchange(request, running, scene.rules.max_output, scene.counts)
            return await exchange.run(body)
        except BaseException:
            running.stop()
            raise


async def _body_of(request: WebRequest) -> tuple[int | None, AsyncIterable[bytes] | None]:
    """The length of the body and the body, as far as the request has one.

    A script must be told the length: a body of unknown length is taken whole before.
    """
    told = request.field("Content-Length")
    if told:
        return int(told), request.body
    if request.body is None:
        return None, None
    spool = request.owner.spools.open()
    size = 0
    try:
        async for chunk in request.body:
            spool.write(chunk)
            size += len(chunk)
        whole = spool.rewind()
    except BaseException:
        spool.close()
        raise
    return size, _pieces(whole)


async def _pieces(file: Any) -> AsyncIterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _call(request: WebRequest, script: Script, length: int | None, rules: Rules) -> Call:
    path_info = script.path_info
    here = request.host
    names = (*(request.prepath or ()), *script.names)
    fields = request.requestHeaders.getAllRawHeaders()
    return Call(
        method=request.method,
        protocol=request.clientproto,
        script_name=b"".join(b"/" + name for name in names),
        path_info=path_info,
        path_translated=None
        if path_info is None
        else rules.translate(tuple(path_info.split(b"/")[1:])),
        query=request.target.query,
        fields=tuple((name, tuple(values)) for name, values in fields),
        length=length,
        server_name=server_name(request.field("Host"), host_of(here)),
        server_port=getattr(here, "port", 443 if request.isSecure() else 80),
        client=host_of(request.client).encode("ascii", "backslashreplace"),
        is_secure=request.isSecure(),
        user=rules.user_of(request),
    )
