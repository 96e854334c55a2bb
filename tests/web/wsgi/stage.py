"""An application on a real site and in real threads; the reactor is the test itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event
from types import TracebackType
from typing import Any, Final, Self

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.web.resource import IResource

from proto.metrics import Metrics
from proto.web.mounts import Mounts
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from proto.web.wsgi.resource import Pool, WsgiResource
from tests.support import connect
from tests.web.wire import clock_now, hang_up

DEADLINE: Final = 20.0

Application = Callable[..., Any]


class Turns:
    """What threads want to have called, until the test does it."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.clock = clock_now()

    def call(self, function: Callable[[], None]) -> None:
        """As reactor.callFromThread."""
        self._calls.put(function)

    def until(self, is_so: Callable[[], object]) -> None:
        """Make the calls as they come, until it is so."""
        end = time.monotonic() + DEADLINE
        while not is_so():
            if time.monotonic() > end:
                pytest.fail("what was waited for did not happen")
            self.clock.advance(0)
            with suppress(Empty):  # it may be so without a call, too
                self._calls.get(timeout=0.02)()


class Stage(Turns):
    """A site with an application at a path."""

    def __init__(
        self,
        application: Application,
        *,
        make: Callable[[Application, Pool], IResource] = WsgiResource,
        path: str = "/",
        threads: int = 4,
        waiting: int = 8,
        max_body: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        self.metrics = Metrics()
        self.pool = Pool(self.call, self.clock, self.metrics, threads=threads, waiting=waiting)
        mounts = Mounts()
        mounts.add(path, make(application, self.pool), max_body=max_body)
        tree = build_tree(None, self.clock, mounts=mounts)
        self.site = ProtoSite(tree, self.clock, streams=tree.streams, **options)
        self._wires: list[tuple[Protocol, StringTransport]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for protocol, wire in self._wires:
            if wire.connected:
                hang_up(protocol)
        ended: list[None] = []
        self.pool.close().addCallback(ended.append)
        self.until(lambda: ended)

    def connect(self) -> tuple[Protocol, StringTransport]:
        """A new connection."""
        protocol, wire = connect(self.site)
        self._wires.append((protocol, wire))
        return protocol, wire

    def send(self, raw: bytes) -> StringTransport:
        """Send this over a connection of its own."""
        protocol, wire = self.connect()
        protocol.dataReceived(raw)
        return wire

    def ask(
        self, target: str = "/", method: str = "GET", body: bytes = b"", **headers: str
    ) -> tuple[bytes, bytes]:
        """The head and the body of the answer to one request, as they came; the last of both."""
        lines = {"Host": "localhost", "Connection": "close"}
        lines.update({name.replace("_", "-"): value for name, value in headers.items()})
        if body:
            lines["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        raw = f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
        wire = self.send(raw)
        self.until(lambda: wire.disconnecting or wire.disconnected)
        start, _, rest = wire.value().partition(b"\r\n\r\n")
        return start, rest


class Gatekeeper:
    """An application whose calls wait until they are let go, and are counted."""

    def __init__(self) -> None:
        self.inside = 0
        self.let_go = Event()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.inside += 1
        assert self.let_go.wait(DEADLINE), "nobody let go"
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]


def chunks_of(body: bytes) -> bytes:
    """What a chunked body holds; it is whole."""
    data = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert body == b"\r\n"
            return data
        data += body[:length]
        assert body[length : length + 2] == b"\r\n"
        body = body[length + 2 :]
