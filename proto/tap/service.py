"""A service with front doors: it listens, and when told to stop it drains before it closes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.endpoints import UNIXServerEndpoint, serverFromString
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto import endpoints
from proto.addresses import peer_name
from proto.door import Door
from proto.doorkeeper import Doorkeeper, Listener
from proto.endpoints import Endpoint
from proto.errors import StartError
from proto.tap.options import ListenSettings
from proto.tls import Certificates

MAX_DATAGRAM: Final = 65536
"""Bytes; Twisted would cut a datagram at 8,192."""
ABORT_DEADLINE: Final = 1.0
"""Seconds for aborted connections to be gone; they are closed in the next turn of the reactor."""


class CannotListen(StartError, SystemExit):
    """The end of the process: one line, and exit code 1.

    It is an Exception too, since twistd may be a daemon by now: of those, and of nothing else, it
    tells the process that started it, which would wait for ever.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text


@dataclass(frozen=True, slots=True)
class BoundDoor:
    """A door, where it stands, and the socket or Twisted endpoint that leads to it."""

    endpoint: Endpoint
    door: Door
    way: socket.socket | IStreamServerEndpoint

    def listen(self, reactor: Any) -> Deferred[IListeningPort]:
        """Begin to accept."""
        if not isinstance(self.way, socket.socket):
            listening: Deferred[IListeningPort] = self.way.listen(self.door)
            return listening
        with self.way as bound:  # the port keeps a duplicate
            port = reactor.adoptStreamPort(bound.fileno(), bound.family, self.door)
        return maybeDeferred(lambda: port)


@dataclass(frozen=True, slots=True)
class BoundDatagrams:
    """A bound datagram socket and the protocol that answers on it."""

    endpoint: Endpoint
    way: socket.socket
    protocol: DatagramProtocol


@dataclass(slots=True)
class Opened:
    """Everything of a service that is bound and not yet listening."""

    doors: list[BoundDoor] = field(default_factory=list)
    datagrams: list[BoundDatagrams] = field(default_factory=list)
    certificates: list[Certificates] = field(default_factory=list)

    def close(self) -> None:
        """Give everything back, unused."""
        for bound in self.doors:
            if isinstance(bound.way, socket.socket):
                bound.way.close()
        for datagrams in self.datagrams:
            datagrams.way.close()


@dataclass(frozen=True, slots=True)
class Part:
    """What starts and ends with a service, in the process that serves: threads, programs."""

    start: Callable[[], None] = lambda: None
    close: Callable[[], Deferred[None] | None] = lambda: None
    """Called when no peer is left."""
    reopen: Callable[[], None] = lambda: None
    """SIGHUP: open files again and read again what can change."""


class DoorService(Service):
    """One service: its factory, its doors, and how it ends."""

    log = Logger()

    def __init__(
        self,
        keeper: Doorkeeper,
        opened: Opened,
        reactor: Any,
        grace: float,
        settings: Any,
        *,
        reopen: Callable[[], None] = lambda: None,
        apply: Callable[[Any], None] = lambda settings: None,
        start: Callable[[], None] = lambda: None,
        close: Callable[[], Deferred[None] | None] = lambda: None,
    ) -> None:
        """`reopen` opens the files again that logrotate may have moved; `apply` takes over those
        of the new settings that can change, the limits apart.  `start` is called when twistd will
        fork no more, `close` after everything else has ended."""
        self.setName(keeper.name)
        self.keeper = keeper
        self.settings = settings
        self.certificates = opened.certificates
        self.reopen = reopen
        self.ports: list[IListeningPort] = []
        self.places: list[str] = []
        """Where it listens, as people read it: `chat on tcp 0.0.0.0:12345`."""
        self.ready = False
        self.parts: Sequence[Part] = ()
        self.grace = grace
        self._opened = opened
        self._failed: str | None = None
        self._reactor = reactor
        self._apply = apply
        self._start = start
        self._close = close

    # twistd calls these.
    def privilegedStartService(self) -> None:
        self.keeper.factory.doStart()
        for bound in self._opened.doors:
            bound.listen(self._reactor).addCallbacks(
                self._listening, self._not_listening, callbackArgs=(bound,), errbackArgs=(bound,)
            )
        for each in self._opened.datagrams:
            with each.way as way:
                port = self._reactor.adoptDatagramPort(
                    way.fileno(), way.family, each.protocol, MAX_DATAGRAM
                )
            self.ports.append(port)
            self._announce(each.endpoint, port, "udp")
        if self._failed is not None:
            raise CannotListen(self._failed)

    def startService(self) -> None:
        super().startService()
        for part in self.parts:
            part.start()
        self._start()
        self.ready = True

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.ready = False
        stopping = Deferred.fromCoroutine(self._stop())
        stopping.addErrback(lambda failure: self.log.failure("stopping went wrong", failure))
        return stopping

    # The process calls these.
    def hurry(self) -> None:
        """Stop waiting for peers: cut them off now."""
        self.keeper.abort()

    def reload(self, settings: Any) -> None:
        """Take over what can change while the service runs."""
        self.settings = settings
        self.keeper.set_limits(settings.limits())
        self._apply(settings)

    async def _stop(self) -> None:
        self.keeper.close_doors()
        closing = [maybeDeferred(port.stopListening) for port in self.ports]
        self.keeper.factory.farewell()
        closed: list[tuple[bool, Any]] = await DeferredList(closing, consumeErrors=True)
        for _, result in closed:
            if isinstance(result, Failure):  # such as a unix socket that somebody removed already
                self.log.warn("a port did not close: {why}", why=result.getErrorMessage())
        await self._until_empty(self.grace)
        if left := len(self.keeper.connections):
            self.log.warn(
                "{service}: {left} connections did not end within {grace} s and are cut off",
                service=self.keeper.name,
                left=left,
                grace=self.grace,
            )
        self.keeper.abort()
        await self._until_empty(ABORT_DEADLINE)
        self.keeper.close()
        self.keeper.factory.doStop()
        for part in self.parts:
            await maybeDeferred(part.close)
        await maybeDeferred(self._close)

    async def _until_empty(self, deadline: float) -> None:
        waiting = self.keeper.when_empty()
        waiting.addTimeout(deadline, self._reactor)
        await waiting.addErrback(lambda failure: failure.trap(TimedOut))

    def _listening(self, port: IListeningPort, bound: BoundDoor) -> None:
        self.ports.append(port)
        self.keeper.watch(cast(Listener, port))
        self._announce(bound.endpoint, port, "tls" if bound.endpoint.tls else "tcp")

    def _announce(self, endpoint: Endpoint, port: IListeningPort, kind: str) -> None:
        here = port.getHost()
        shown = str(endpoint)
        if endpoint.kind == "tcp":
            shown = f"{kind} {peer_name(here)}"
        self.places.append(f"{self.keeper.name} on {shown}")
        self.log.info("{service} listens on {where}", service=self.keeper.name, where=shown)

    def _not_listening(self, failure: Failure, bound: BoundDoor) -> None:
        why = failure.getErrorMessage()
        text = f"twistd {self.keeper.name}: {bound.endpoint}: cannot listen: {why}"
        self.log.critical("{text}", text=text)
        self._failed = text  # a Deferred would swallow a SystemExit
        if self.running:
            self._reactor.stop()


def open_doors(
    keeper: Doorkeeper,
    settings: ListenSettings,
    reactor: Any,
    alpn: tuple[bytes, ...] = (),
    datagrams: Callable[[], DatagramProtocol] | None = None,
    dismiss: Callable[[Any], bool] = lambda protocol: False,
    client_ca: Path | None = None,
    bind: Callable[[Endpoint], socket.socket] = endpoints.bind,
) -> Opened:
    """Bind every port of a service, and for `datagrams` the same UDP ports.

    `dismiss` is as in `Door`, `client_ca` as in `Certificates`; `bind` gives the socket of a TCP
    port, in the order of the settings.
    Raises StartError, with nothing left bound.
    """
    opened = Opened()
    certificates: dict[str, Certificates] = {}
    try:
        for endpoint in planned(settings):
            creator: IOpenSSLServerConnectionCreator | None = None
            if endpoint.tls:
                text = endpoint.certs or settings.tls
                if text not in certificates:
                    certificates[text] = Certificates(text, reactor.seconds, alpn, client_ca)
                creator = certificates[text]
            door = Door(
                keeper, tls=creator, trusted_proxies=settings.proxy_protocol, dismiss=dismiss
            )
            opened.doors.append(BoundDoor(endpoint, door, _way(endpoint, reactor, bind)))
            if datagrams is not None and endpoint.kind == "tcp":
                way = endpoints.bind_udp(endpoint)
                opened.datagrams.append(BoundDatagrams(endpoint, way, datagrams()))
    except StartError:
        opened.close()
        raise
    opened.certificates.extend(certificates.values())
    return opened


def planned(settings: ListenSettings) -> list[Endpoint]:
    """Where a service with these settings would listen.  Raises StartError."""
    if not settings.port:
        raise StartError("no port to listen on; give at least one")
    places = [endpoint.on(settings.interface) for endpoint in settings.port]
    if settings.tls and not any(place.tls for place in places):
        places = [replace(place, tls=True) for place in places]
    for place in places:
        if place.tls and not (place.certs or settings.tls):
            raise StartError(f"{place.text}: no certificate; add --tls DIR or :certs=DIR")
    return places


def check_certificates(settings: ListenSettings, client_ca: Path | None = None) -> None:
    """Load what would be served.  Raises StartError."""
    for place in planned(settings):
        if place.tls:
            Certificates(place.certs or settings.tls, lambda: 0.0, (), client_ca)


def _way(
    endpoint: Endpoint, reactor: Any, bind: Callable[[Endpoint], socket.socket]
) -> socket.socket | IStreamServerEndpoint:
    if endpoint.kind == "tcp":
        return bind(endpoint)
    if endpoint.kind == "unix":
        endpoints.check_unix(endpoint)
        path = os.path.abspath(endpoint.path)  # a daemon may be told to live in another folder
        return UNIXServerEndpoint(reactor, path, backlog=endpoint.backlog, mode=endpoint.mode)
    try:
        way: IStreamServerEndpoint = serverFromString(reactor, endpoint.text)
    except Exception as error:  # whatever a plugin's parser raises
        raise StartError(
            f"--port {endpoint.text}: not an endpoint that Twisted can make: {error}"
        ) from error
    return way
