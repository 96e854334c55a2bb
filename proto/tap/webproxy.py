"""`--proxy`: other servers in the tree of `twistd -n web`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from typing import Any

from OpenSSL.SSL import Connection as TLSConnection
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions, optionsForClientTLS
from twisted.logger import Logger
from zope.interface import implementer

from proto.config import NETWORK, Network, flag, one_of, parsed, seconds, setting, size, whole
from proto.errors import StartError
from proto.tap.process import Process
from proto.tap.service import Part
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts, names_of
from proto.web.proxy.balancing import METHODS
from proto.web.proxy.cache.cache import Cache
from proto.web.proxy.cache.figures import CacheFigures, show_store
from proto.web.proxy.cache.files import FileStore
from proto.web.proxy.cache.flights import CacheLimits
from proto.web.proxy.cache.memory import MemoryStore
from proto.web.proxy.cache.opening import check_store, open_store
from proto.web.proxy.cache.store import StoreSpec, parse_store
from proto.web.proxy.connection import Waits
from proto.web.proxy.figures import Figures
from proto.web.proxy.forwarding import Trust
from proto.web.proxy.places import host_field
from proto.web.proxy.pool import KEPT, Pool
from proto.web.proxy.probing import Check, Probes
from proto.web.proxy.resource import ProxyResource
from proto.web.proxy.roster import Roster
from proto.web.proxy.routes import Route, is_unix
from proto.web.proxy.servers import Group, Member, Server
from proto.web.proxy.status import count_group, mount_status
from proto.web.proxy.tunnel import Tunnel
from proto.web.proxy.upstreams import UNDER_WAY, Connector, Upstreams
from proto.web.shares import Shares

_WAITS = Waits()
_CACHE = CacheLimits()
_LOG = Logger(namespace="proto.web.proxy")


@dataclass(frozen=True, kw_only=True)
class ProxySettings:
    """Which servers stand behind which paths, and how they are asked."""

    proxy: tuple[Route, ...] = setting(
        parsed('a path and servers such as "/app=http://a:8000,http://b:8000"', Route.parse),
        [],
        "as /app=http://a:8000,http://b:8000: servers that answer for a path; behind a URL there "
        "may be weight=3 max_fails=1 fail_timeout=10s slow_start=30s max_conns=100 backup drain; "
        "as /app=@FILE they stand in a file, one in each line, which SIGHUP reads again; "
        "may be given more than once",
        many=True,
    )
    proxy_method: str = setting(
        one_of(*METHODS), "round_robin", "how the server for a request is chosen"
    )
    proxy_host: str = setting(
        one_of("upstream", "keep"),
        "upstream",
        "what a server is told in Host: its own name, or what the client said",
    )
    proxy_trust: tuple[Network, ...] = setting(
        NETWORK,
        [],
        "an address or network that is believed what it says in X-Forwarded-For, Forwarded and the "
        "like; may be given more than once",
        many=True,
    )
    proxy_keepalive: int = setting(
        whole(0, 10_000), KEPT, "connections to each server that are kept for the next request"
    )
    proxy_idle_timeout: float = setting(
        seconds(0.1), _WAITS.idle, "seconds for which such a connection is kept"
    )
    proxy_connect_timeout: float = setting(
        seconds(0.01), _WAITS.connect, "seconds for a connection to a server"
    )
    proxy_send_timeout: float = setting(
        seconds(0.01), _WAITS.send, "seconds without a server taking anything of a request's body"
    )
    proxy_read_timeout: float = setting(
        seconds(0.01), _WAITS.read, "seconds without anything of a server's answer"
    )
    proxy_tunnel_timeout: float = setting(
        seconds(0.1), _WAITS.tunnel, "seconds of silence in a WebSocket, or after another upgrade"
    )
    proxy_max_body: int = setting(
        size(), 0, "bytes of the largest request body that goes to a server; 0: as --max-body"
    )
    proxy_insecure: bool = flag("do not verify the certificates of https:// servers")
    proxy_check: Check | None = setting(
        parsed('a path such as "/health interval=5s timeout=2s rise=2 fall=3"', Check.parse),
        None,
        "ask every server for this path now and then, and leave out those that do not answer",
    )
    proxy_cache: StoreSpec | None = setting(
        parsed("memory:SIZE, files:DIR:SIZE or memcached:HOST:PORT", parse_store),
        None,
        "keep answers that may be kept, as memory:64M, files:DIR:1G or memcached:HOST:PORT",
    )
    proxy_cache_max_object: int = setting(
        size(), _CACHE.max_object, "bytes of the largest answer that is kept"
    )
    proxy_cache_stale: int = setting(
        whole(0),
        _CACHE.stale_if_error,
        "seconds for which what was kept helps out when the servers fail and it says nothing of it",
    )


def check(settings: ProxySettings) -> None:
    """Find servers that make no group.  Raises StartError."""
    for route in settings.proxy:
        try:
            names_of(route.path)
            Group(route.read().servers, settings.proxy_method, lambda: 0.0)
        except OSError as error:
            why = f"{route.file}: {error.strerror}"
            raise StartError(f"--proxy {route.path}: {why}; name a file of servers") from error
        except ValueError as error:
            raise StartError(f"--proxy {route.path}: {error}; change what stands there") from error
    for option, value in (("check", settings.proxy_check), ("cache", settings.proxy_cache)):
        if value is not None and not settings.proxy:
            raise StartError(f"--proxy-{option}: there is no --proxy; add one")
    if settings.proxy_cache is not None:
        check_store(settings.proxy_cache)


def mount(
    settings: ProxySettings, process: Process, mounts: Mounts, handlers: Handlers
) -> Sequence[Part]:
    """Put the servers into the tree."""
    if not settings.proxy:
        return ()
    shared = _Shared(settings, process)
    groups: dict[str, Group] = {}
    for route in map(_read, settings.proxy):
        upstreams = shared.upstreams(route)
        groups[route.path] = upstreams.group
        resource = shared.resource(route, upstreams)
        mounts.add(route.path, resource, max_body=settings.proxy_max_body)
        shared.follow(route, resource)
    mount_status(handlers, groups)
    return [Part(start=shared.start, close=shared.close, reopen=shared.reopen)]


def most_under_way() -> int:
    """Requests at servers: three quarters of the descriptors, for a client of HTTP/2 has one and
    a hundred streams."""
    descriptors = getrlimit(RLIMIT_NOFILE)[0]
    return UNDER_WAY if descriptors == RLIM_INFINITY else descriptors * 3 // 4


def _read(route: Route) -> Route:
    """The route with its servers; its file is found again wherever the process goes."""
    if route.file is None:
        return route
    return replace(route, file=route.file.absolute()).read()


class _Shared:
    """What all paths have in common."""

    def __init__(self, settings: ProxySettings, process: Process) -> None:
        self._settings = settings
        self._metrics = process.metrics
        self._clock: Any = process.reactor
        self._pool = pool = Pool(settings.proxy_keepalive)
        self._probes: list[Probes] = []
        self._resources: dict[str, ProxyResource] = {}
        self._rosters: list[Roster] = []
        self._is_open = False
        self._caches: list[Cache] = []
        self._close_store: Callable[[], Deferred[None] | None] = lambda: None
        self._figures = Figures(process.metrics)
        self._trust = Trust(settings.proxy_trust)
        self._connect = connector(process.reactor, settings.proxy_insecure)
        self._tunnels: set[Tunnel] = set()
        self._shares = Shares(most_under_way())
        process.metrics.gauge(
            "web_proxy_kept", "Connections to servers that wait for a request", lambda: len(pool)
        )
        process.metrics.gauge(
            "web_proxy_tunnels_open", "Tunnels that are open now", lambda: len(self._tunnels)
        )
        self._waits = Waits(
            connect=settings.proxy_connect_timeout,
            read=settings.proxy_read_timeout,
            send=settings.proxy_send_timeout,
            idle=settings.proxy_idle_timeout,
            tunnel=settings.proxy_tunnel_timeout,
        )

    def upstreams(self, route: Route) -> Upstreams:
        """The servers of a path."""
        method = self._settings.proxy_method
        upstreams = Upstreams(
            Group(route.servers, method, self._clock.seconds, changed=_tell(route.path)),
            self._connect,
            self._clock,
            pool=self._pool,
            waits=self._waits,
            figures=self._figures,
            shares=self._shares,
            own_hosts=not self._keeps_host and (len(route.servers) > 1 or route.file is not None),
        )
        asked = self._settings.proxy_check
        if asked is not None:
            self._probes.append(Probes(upstreams.group, asked, upstreams.check, self._clock))
        return upstreams

    def resource(self, route: Route, upstreams: Upstreams) -> ProxyResource:
        """What stands in the tree."""
        resource = self._resources[route.path] = ProxyResource(
            upstreams,
            route.place,
            self._clock,
            host=None if self._keeps_host else host_field(route.servers[0]).encode(),
            trust=self._trust,
            tunnels=self._tunnels,
        )
        return resource

    def follow(self, route: Route, resource: ProxyResource) -> None:
        """Count the servers of a path, also when its file lists others."""
        group = resource.upstreams.group

        def changed() -> None:
            count_group(self._metrics, route.path, group)
            for each in self._probes if self._is_open else ():
                each.follow()

        changed()
        if route.file is not None:
            self._rosters.append(Roster(route, resource, changed))

    def reopen(self) -> None:
        """Read again who the servers are."""
        for each in self._rosters:
            each.read()

    def start(self) -> None:
        """Keep connections and answers, and look after the servers."""
        self._is_open = True
        self._pool.open()
        for each in self._probes:
            each.start()
        if self._settings.proxy_cache is not None:
            self._open_cache(self._settings.proxy_cache)

    def close(self) -> Deferred[None] | None:
        """Keep nothing any more."""
        self._is_open = False
        for each in self._probes:
            each.stop()
        caches, self._caches = self._caches, []
        for cache in caches:
            cache.close()
        self._pool.close()
        return self._close_store()

    def _open_cache(self, spec: StoreSpec) -> None:
        clock, settings = self._clock, self._settings
        store, self._close_store = open_store(
            spec,
            clock,
            call_in_reactor=clock.callFromThread,
            dial=lambda host, port: _by_tcp(clock, host, port),
        )
        if isinstance(store, (FileStore, MemoryStore)):
            show_store(self._metrics, store)
        limits = CacheLimits(
            max_object=settings.proxy_cache_max_object, stale_if_error=settings.proxy_cache_stale
        )
        for path, resource in self._resources.items():
            figures = CacheFigures(self._metrics, path)
            cache = Cache(store, clock, limits, scope=path.encode(), figures=figures)
            self._caches.append(cache)
            resource.answer_from(cache.reply)

    @property
    def _keeps_host(self) -> bool:
        return self._settings.proxy_host == "keep"


def _tell(path: str) -> Callable[[Member], None]:
    def changed(member: Member) -> None:
        _LOG.info(
            "proxy {path}: {server} is {state}",
            path=path,
            server=member.name,
            state=member.state.value,
        )

    return changed


def connector(reactor: Any, insecure: bool) -> Connector:
    """What connects to servers: by TCP, TLS or a unix socket."""
    endpoints: dict[Server, Any] = {}

    def connect(server: Server, factory: Factory) -> Deferred[Any]:
        endpoint = endpoints.get(server)
        if endpoint is None:
            endpoint = endpoints[server] = _endpoint(reactor, server, insecure)
        connecting: Deferred[Any] = endpoint.connect(factory)
        return connecting

    return connect


def _endpoint(reactor: Any, server: Server, insecure: bool) -> Any:
    if is_unix(server):
        return UNIXClientEndpoint(reactor, server.host)
    endpoint = _by_tcp(reactor, server.host, server.port)
    if not server.tls:
        return endpoint
    creator = _Unverified(server.host) if insecure else optionsForClientTLS(server.host)
    return wrapClientTLS(creator, endpoint)


def _by_tcp(reactor: Any, host: str, port: int) -> Any:
    """To an address at once; a name is looked up, and the first address that answers is taken."""
    if ":" in host:
        return TCP6ClientEndpoint(reactor, host, port)
    if host.replace(".", "").isdigit():
        return TCP4ClientEndpoint(reactor, host, port)
    return HostnameEndpoint(reactor, host, port)


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """TLS with whoever is there."""

    def __init__(self, host: str) -> None:
        self._host = host.encode("ascii")
        self._context = CertificateOptions().getContext()

    # Twisted calls this.
    def clientConnectionForTLS(self, protocol: object) -> TLSConnection:
        connection = TLSConnection(self._context, None)
        if not self._host.replace(b".", b"").isdigit() and b":" not in self._host:
            connection.set_tlsext_host_name(self._host)
        return connection
