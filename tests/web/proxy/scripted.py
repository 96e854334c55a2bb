"""A proxy in memory: servers that say what a test has them say, and a client on a wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from proto.web.mounts import Mounts
from proto.web.proxy.connection import Waits
from proto.web.proxy.forwarding import Trust
from proto.web.proxy.places import host_field
from proto.web.proxy.pool import Pool
from proto.web.proxy.resource import ProxyResource
from proto.web.proxy.routes import Route
from proto.web.proxy.servers import Group, Server
from proto.web.proxy.upstreams import Upstreams
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from tests.support import connect
from tests.web.wire import clock_now

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class End:
    """A server's end of a connection."""

    def __init__(self, server: Server, protocol: Any) -> None:
        self.server = server
        self.protocol = protocol
        self.wire = StringTransport()
        protocol.makeConnection(self.wire)

    @property
    def heard(self) -> bytes:
        """All that has come, and is told once."""
        data: bytes = self.wire.value()
        self.wire.clear()
        return data

    @property
    def is_closed(self) -> bool:
        """We have hung up."""
        return bool(self.wire.disconnecting)

    @property
    def is_cut_off(self) -> bool:
        """Without what waited."""
        return bool(self.wire.disconnected)

    def pause(self) -> None:
        """Take no more."""
        producer: Any = self.wire.producer
        producer.pauseProducing()

    def resume(self) -> None:
        """Take more."""
        producer: Any = self.wire.producer
        producer.resumeProducing()

    def say(self, data: bytes) -> None:
        """Send that."""
        self.protocol.dataReceived(data)

    def leave(self, why: type[Exception] = ConnectionDone) -> None:
        """Close the connection."""
        self.protocol.connectionLost(Failure(why()))


class Servers:
    """In the place of what connects."""

    def __init__(self) -> None:
        self.ends: list[End] = []
        self.refusals: list[Exception] = []
        """What the next connections fail with."""
        self.is_silent = False
        """Connections are neither made nor refused."""
        self.tries: list[Server] = []
        self.given_up = 0

    def connect(self, server: Server, factory: Factory) -> Deferred[Any]:
        """See proto.web.proxy.upstreams.Connector."""
        self.tries.append(server)
        if self.is_silent:
            return Deferred(self._given_up)
        if self.refusals:
            return fail(self.refusals.pop(0))
        protocol = factory.buildProtocol(cast(Any, None))
        self.ends.append(End(server, protocol))
        return succeed(protocol)

    def _given_up(self, _: Deferred[Any]) -> None:
        self.given_up += 1

    @property
    def last(self) -> End:
        """The newest connection."""
        return self.ends[-1]


class Proxied:
    """A site with a proxy in it."""

    def __init__(
        self,
        route: str = "/app=http://a:8000/base",
        *,
        keeps_host: bool = False,
        trust: Trust | None = None,
        waits: Waits | None = None,
        keep: int = 64,
        max_body: int = 0,
    ) -> None:
        self.clock: Clock = clock_now()
        self.servers = Servers()
        parsed = Route.parse(route)
        clock = cast(IReactorTime, self.clock)
        self.upstreams = Upstreams(
            Group(parsed.servers, "round_robin", self.clock.seconds),
            self.servers.connect,
            clock,
            pool=Pool(keep),
            waits=waits,
            own_hosts=not keeps_host and len(parsed.servers) > 1,
        )
        host = None if keeps_host else host_field(parsed.servers[0]).encode()
        self.resource = ProxyResource(self.upstreams, parsed.place, clock, host=host, trust=trust)
        mounts = Mounts()
        mounts.add(parsed.path, self.resource, max_body=max_body)
        tree = build_tree(None, clock, mounts=mounts)
        self.site = ProtoSite(tree, clock, streams=tree.streams)

    def client(self, host: str = "192.0.2.1") -> Client:
        """Somebody who connects."""
        return Client(self.site, host)

    @property
    def active(self) -> int:
        """Requests that are under way at all servers."""
        return sum(member.active for member in self.upstreams.group.members)


class Client:
    """One connection to the site."""

    def __init__(self, site: ProtoSite, host: str) -> None:
        protocol, wire = connect(site, host)
        self.protocol: Protocol = protocol
        self.wire: StringTransport = wire

    def say(self, data: bytes) -> None:
        """Send that."""
        self.protocol.dataReceived(data)

    def get(self, target: str = "/app/x", *fields: str, method: str = "GET") -> None:
        """Ask for something."""
        lines = [f"{method} {target} HTTP/1.1", "Host: site", *fields, "", ""]
        self.say("\r\n".join(lines).encode("latin-1"))

    @property
    def heard(self) -> bytes:
        """All that has come, and is told once."""
        data: bytes = self.wire.value()
        self.wire.clear()
        return data

    @property
    def is_closed(self) -> bool:
        """The site has hung up."""
        return bool(self.wire.disconnecting)

    @property
    def is_cut_off(self) -> bool:
        """Without what waited."""
        return bool(self.wire.disconnected)

    def pause(self) -> None:
        """Take no more."""
        producer: Any = self.wire.producer
        producer.pauseProducing()

    def resume(self) -> None:
        """Take more."""
        producer: Any = self.wire.producer
        producer.resumeProducing()

    def leave(self) -> None:
        """Hang up."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


def fields_of(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of the head at the beginning."""
    lines: Sequence[bytes] = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]


def values(raw: bytes, name: bytes) -> list[bytes]:
    """The values of one of them."""
    return [value for each, value in fields_of(raw) if each.lower() == name]
