"""A service with front doors: it listens, and when told to stop it drains before it closes."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, connectProtocol
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import DatagramProtocol, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.door import Door
from proto.doorkeeper import Doorkeeper
from proto.endpoints import parse
from proto.errors import StartError
from proto.limits import Limits
from proto.metrics import Metrics
from proto.tap.options import ListenSettings
from proto.tap.service import BoundDoor, DoorService, Opened, Part, open_doors, planned
from tests.certificate import write_pair
from tests.guarded import Service, Talk

HERE = "tcp:0:interface=127.0.0.1"


def the_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


def listen(*ports: str, **settings: Any) -> ListenSettings:
    return ListenSettings(port=tuple(map(parse, ports)), **settings)


def within(deferred: Deferred[Any], seconds: float = 5.0) -> Deferred[Any]:
    return deferred.addTimeout(seconds, the_reactor())


class Visitor(Protocol):
    """A client that keeps what it hears and knows when it is over."""

    def __init__(self, *, stays: bool = False) -> None:
        self.heard = b""
        self.over: Deferred[bytes] = Deferred()
        self.greeted: Deferred[None] = Deferred()
        self.stays = stays

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if not self.greeted.called and b"\n" in self.heard:
            self.greeted.callback(None)
            if self.stays:
                transport: Any = self.transport
                transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over.callback(self.heard)


class Stubborn(Service):
    """A service whose peers do not go when they are told to."""

    def farewell(self) -> None:
        self.history.append("farewell")


def build(
    settings: ListenSettings, factory: Service, *, grace: float = 5.0, **more: Any
) -> DoorService:
    reactor = the_reactor()
    keeper = Doorkeeper("talk", factory, reactor, settings.limits(), Metrics(), reactor.getReaders)
    datagrams = more.pop("datagrams", None)
    opened = open_doors(keeper, settings, reactor, datagrams=datagrams)
    return DoorService(keeper, opened, reactor, grace, settings, **more)


@asynccontextmanager
async def running(service: DoorService) -> AsyncIterator[DoorService]:
    """The service between its start and its stop."""
    service.privilegedStartService()
    service.startService()
    try:
        yield service
    finally:
        if service.running:
            await within(service.stopService())


def is_ready(service: DoorService) -> bool:
    return service.ready


def port_of(port: IListeningPort) -> int:
    return int(cast(Any, port.getHost()).port)


async def visit(port: IListeningPort, *, stays: bool = False) -> Visitor:
    way = TCP4ClientEndpoint(the_reactor(), "127.0.0.1", port_of(port))
    visitor: Visitor = await within(connectProtocol(way, Visitor(stays=stays)))
    await within(visitor.greeted)
    return visitor


# --- from start to stop --------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_service_starts_once_tells_people_drains_and_stops_once() -> None:
    factory = Service()
    service = build(listen(HERE, HERE), factory)
    assert not is_ready(service)
    with capturedLogs() as events:
        service.privilegedStartService()
    assert not is_ready(service)
    service.startService()
    assert is_ready(service)
    numbers = [port_of(port) for port in service.ports]
    assert [event["where"] for event in events if "where" in event] == [
        f"tcp 127.0.0.1:{number}" for number in numbers
    ]
    visitors = [await visit(port) for port in service.ports]
    assert factory.history == ["started"]

    await within(service.stopService())
    assert factory.history == ["started", "farewell", "stopped with 0 present"]
    assert not is_ready(service)
    for visitor in visitors:
        heard = await within(visitor.over)
        assert heard.endswith(b"\ngoodbye\n")
    for number in numbers:
        with pytest.raises(ConnectError):
            await within(
                connectProtocol(TCP4ClientEndpoint(the_reactor(), "127.0.0.1", number), Visitor())
            )


@pytest_twisted.ensureDeferred
async def test_whom_the_kernel_has_connected_is_told_as_well() -> None:
    service = build(listen(HERE), Service())
    async with running(service):
        with socket.create_connection(("127.0.0.1", port_of(service.ports[0])), 5) as waiting:
            waiting.setblocking(False)
            stopping = service.stopService()  # not one turn of the reactor since
            await within(stopping)
            assert waiting.recv(1000).endswith(b"\ngoodbye\n")


@pytest_twisted.ensureDeferred
async def test_who_does_not_go_within_the_grace_is_cut_off_before_the_factory_stops() -> None:
    factory = Stubborn()
    service = build(listen(HERE), factory, grace=0.1)
    async with running(service):
        visitor = await visit(service.ports[0])
        with capturedLogs() as events:
            await within(service.stopService())
        assert [event["left"] for event in events if "left" in event] == [1]
    assert factory.history == ["started", "farewell", "stopped with 0 present"]
    await within(visitor.over)


@pytest_twisted.ensureDeferred
async def test_who_goes_within_the_grace_is_waited_for_and_no_longer() -> None:
    factory = Stubborn()
    service = build(listen(HERE), factory, grace=1000)
    async with running(service):
        visitor = await visit(service.ports[0])
        stopping = service.stopService()
        await deferLater(the_reactor(), 0.05)
        assert factory.history == ["started", "farewell"]
        assert visitor.transport is not None
        visitor.transport.loseConnection()
        with capturedLogs() as events:
            await within(stopping)
    assert factory.history[-1] == "stopped with 0 present"
    assert not [event for event in events if "left" in event]


@pytest_twisted.ensureDeferred
async def test_hurrying_ends_the_wait_for_a_peer_that_never_reads() -> None:
    class Flood(Talk):
        def connectionMade(self) -> None:
            super().connectionMade()
            assert self.transport is not None
            self.transport.write(bytes(20_000_000))

    factory = Service(Flood)
    service = build(listen(HERE), factory, grace=1000)
    async with running(service):
        visitor = await visit(service.ports[0], stays=True)
        stopping = service.stopService()
        await deferLater(the_reactor(), 0.05)
        assert not stopping.called
        service.hurry()
        await within(stopping)
    assert factory.history[-1] == "stopped with 0 present"
    cast(Any, visitor.transport).abortConnection()
    await within(visitor.over)


@pytest_twisted.ensureDeferred
async def test_no_grace_at_all_is_no_wait_at_all() -> None:
    factory = Stubborn()
    service = build(listen(HERE), factory, grace=0)
    async with running(service):
        visitor = await visit(service.ports[0])
        await within(service.stopService())
    await within(visitor.over)
    assert factory.history[-1] == "stopped with 0 present"


@pytest_twisted.ensureDeferred
async def test_nothing_ticks_and_nothing_is_read_after_the_stop() -> None:
    reactor = the_reactor()
    before = (len(reactor.getDelayedCalls()), len(reactor.getReaders()))
    service = build(listen(HERE, idle=50, accept_rate=1), Service())
    async with running(service):
        visitor = await visit(service.ports[0])  # the listener rests now
    await within(visitor.over)
    await deferLater(reactor, 0)
    assert (len(reactor.getDelayedCalls()), len(reactor.getReaders())) == before


@pytest_twisted.ensureDeferred
async def test_a_service_that_stops_while_its_listener_rests_stops_in_order() -> None:
    factory = Service()
    service = build(listen(HERE, accept_rate=1), factory)
    async with running(service):
        visitor = await visit(service.ports[0])
        with capturedLogs() as events:
            await within(service.stopService())
        await within(visitor.over)
        await deferLater(the_reactor(), 0.01)
    assert factory.history[-1] == "stopped with 0 present"
    assert not [event for event in events if "log_failure" in event]


@pytest_twisted.ensureDeferred
async def test_a_mistake_at_the_farewell_is_logged_and_ends_the_stop() -> None:
    class Wrong(Service):
        def farewell(self) -> None:
            raise RuntimeError("a bug")

    service = build(listen(HERE), Wrong())
    async with running(service):
        with capturedLogs() as events:
            await within(service.stopService())
        (failure,) = [event["log_failure"] for event in events if "log_failure" in event]
        assert failure.check(RuntimeError)
    service.keeper.close()


# --- what a service is given ---------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_new_limits_count_from_now_and_the_others_are_handed_on() -> None:
    applied: list[Any] = []
    settings = listen(HERE)
    service = build(settings, Service(), apply=applied.append)
    async with running(service):
        first = await visit(service.ports[0])
        new = listen(HERE, max_connections=1)
        service.reload(new)
        second = await visit(service.ports[0])
        assert (await within(second.over)).startswith(b"! the server is full (1 connections)")
        assert not first.over.called
    assert applied == [new]
    assert service.settings is new
    await within(first.over)


@pytest_twisted.ensureDeferred
async def test_trusted_proxies_and_limits_reach_the_doors() -> None:
    settings = listen(HERE, proxy_protocol=(ip_network("127.0.0.0/8"),), max_per_address=1)
    service = build(settings, Service())
    async with running(service):
        number = port_of(service.ports[0])
        for told in (b"hello 192.0.2.7:1\n", b"! 1 connections from your address are open alr"):
            way = TCP4ClientEndpoint(the_reactor(), "127.0.0.1", number)
            visitor: Visitor = await within(connectProtocol(way, Visitor()))
            assert visitor.transport is not None
            visitor.transport.write(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 1\r\n")
            await within(visitor.greeted)
            assert visitor.heard.startswith(told)


# --- unix sockets --------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_unix_socket_has_its_mode_and_is_removed_at_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "s"
    service = build(listen(f"unix:{path}:mode=600"), Service())
    assert not path.exists()
    async with running(service):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        way = UNIXClientEndpoint(the_reactor(), str(path))
        visitor: Visitor = await within(connectProtocol(way, Visitor()))
        await within(visitor.greeted)
        assert visitor.heard == b"hello unix\n"
    await within(visitor.over)
    assert not path.exists()


@pytest_twisted.ensureDeferred
async def test_a_unix_socket_stays_where_it_is_when_the_daemon_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service = build(listen("unix:s"), Service())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    async with running(service):
        assert (tmp_path / "s").exists()
    assert not (tmp_path / "s").exists()


@pytest_twisted.ensureDeferred
async def test_a_unix_socket_that_is_gone_already_does_not_disturb_the_stop(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s"
    factory = Service()
    service = build(listen(f"unix:{path}"), factory)
    async with running(service):
        path.unlink()
        with capturedLogs() as events:
            await within(service.stopService())
        cast(Any, service.ports[0]).socket.close()  # Twisted gave up before it came to this
    assert [event["why"] for event in events if "why" in event] != []
    assert not [event for event in events if "log_failure" in event]
    assert factory.history[-1] == "stopped with 0 present"


# --- datagrams -----------------------------------------------------------------------------


class Answer(DatagramProtocol):
    def datagramReceived(self, data: bytes, addr: Any) -> None:
        assert self.transport is not None
        self.transport.write(data, addr)


@pytest_twisted.ensureDeferred
async def test_datagrams_are_answered_whole_and_their_port_closes_too() -> None:
    service = build(listen(HERE), Service(), datagrams=Answer)
    async with running(service):
        _, udp = sorted(service.ports, key=lambda port: "Datagram" in repr(port.__class__.__mro__))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(("127.0.0.1", port_of(udp)))
            client.send(b"x" * 60_000)
            heard = b""
            while not heard:
                await deferLater(the_reactor(), 0.01)
                try:
                    heard = client.recv(70_000)
                except BlockingIOError:
                    continue
        assert heard == b"x" * 60_000
        number = port_of(udp)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", number))


# --- opening -------------------------------------------------------------------------------


def keeper_of(factory: Service | None = None) -> Doorkeeper:
    reactor = MemoryReactorClock()
    return Doorkeeper("talk", factory or Service(), cast(Any, reactor), Limits(), Metrics())


def refused(settings: ListenSettings, **more: Any) -> str:
    with pytest.raises(StartError) as refusal:
        open_doors(keeper_of(), settings, the_reactor(), **more)
    return str(refusal.value)


def test_what_was_bound_is_given_back_when_another_port_is_not_free() -> None:
    with socket.socket() as taken, socket.socket() as spare:
        for each in (taken, spare):
            each.bind(("127.0.0.1", 0))
        taken.listen()
        free = spare.getsockname()[1]
        spare.close()
        number = taken.getsockname()[1]
        told = refused(
            listen(
                f"tcp:{free}:interface=127.0.0.1",
                f"tcp:{number}:interface=127.0.0.1",
            ),
            datagrams=DatagramProtocol,
        )
        assert told.startswith(f"tcp 127.0.0.1:{number} is in use; ")
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as again:
                again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                again.bind(("127.0.0.1", free))


def test_one_certificate_is_loaded_once_for_all_its_ports(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        write_pair(folder)
    opened = open_doors(
        keeper_of(),
        listen("tls:0", "tls:0", f"tls:0:certs={other}", "0", tls=str(one)),
        the_reactor(),
        (b"h2",),
    )
    try:
        assert len(opened.certificates) == 2
        assert [bound.endpoint.tls for bound in opened.doors] == [True, True, True, False]
    finally:
        opened.close()
    assert [cast(socket.socket, bound.way).fileno() for bound in opened.doors] == [-1] * 4


def test_a_certificate_that_is_not_there_is_told_with_nothing_left_bound(tmp_path: Path) -> None:
    told = refused(listen("0", f"tls:0:certs={tmp_path}"))
    assert told.startswith(f"--tls {tmp_path}: no certificate there; expected fullchain.pem with")


@pytest.mark.parametrize(
    "text",
    [
        "nosuch:1",
        "fd:",
        "systemd:domain=INET:index=99",
        "systemd:domain=NONSENSE:index=0",
        "systemd:domain=INET:index=x",
        "haproxy:",
        "ssl:0:privateKey=/nonexistent",
        "ssl:0:privateKey=/etc/passwd",
        "ssl:x",
    ],
)
def test_an_endpoint_that_twisted_cannot_make_is_told_in_one_line(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    told = refused(listen(text))
    assert told.startswith(f"--port {text}: not an endpoint that Twisted can make: ")


@pytest_twisted.ensureDeferred
async def test_an_endpoint_of_twisted_listens_behind_the_same_door() -> None:
    service = build(listen("haproxy:tcp:0:interface=127.0.0.1"), Service())
    with capturedLogs() as events:
        async with running(service):
            way = TCP4ClientEndpoint(the_reactor(), "127.0.0.1", port_of(service.ports[0]))
            visitor: Visitor = await within(connectProtocol(way, Visitor()))
            assert visitor.transport is not None
            visitor.transport.write(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 1\r\n")
            await within(visitor.greeted)
            # Twisted's reader tells the real peer later than connectionMade: the reason for ours.
            assert visitor.heard.startswith(b"hello 127.0.0.1:")
    assert "haproxy:tcp:0:interface=127.0.0.1" in [event.get("where") for event in events]


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_cannot_listen_ends_the_process_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = f"haproxy:tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        service = build(listen(text), Service())
        with pytest.raises(SystemExit) as ended, capturedLogs() as events:
            service.privilegedStartService()
    assert isinstance(ended.value, Exception)  # of nothing else does a daemon tell its parent
    told = str(ended.value.code)
    assert told.startswith(f"twistd talk: {text}: cannot listen: ")
    assert len(told.splitlines()) == 1
    assert [event["text"] for event in events if "text" in event] == [told]
    service.keeper.close()
    await deferLater(the_reactor(), 0)


@implementer(IStreamServerEndpoint)
class Way:
    """An endpoint that listens when it is told to."""

    def __init__(self) -> None:
        self.listening: Deferred[IListeningPort] = Deferred()

    def listen(self, factory: object) -> Deferred[IListeningPort]:
        return self.listening


def test_an_endpoint_that_fails_later_ends_the_process_too() -> None:
    reactor = MemoryReactorClock()
    way = Way()
    keeper = keeper_of()
    opened = Opened(doors=[BoundDoor(parse("onion:80"), Door(keeper), cast(Any, way))])
    service = DoorService(keeper, opened, reactor, 1.0, ListenSettings())
    service.privilegedStartService()
    service.startService()
    assert [reactor.hasStopped] == [False]
    with capturedLogs() as events:
        way.listening.errback(Failure(CannotListenError("", 80, OSError("no network"))))
    assert reactor.hasStopped
    assert [event["log_level"].name for event in events] == ["critical"]


def test_a_failure_that_comes_at_once_stops_the_start() -> None:
    way = Way()
    way.listening = cast("Deferred[IListeningPort]", fail(OSError("no network")))
    keeper = keeper_of()
    opened = Opened(doors=[BoundDoor(parse("onion:80"), Door(keeper), cast(Any, way))])
    service = DoorService(keeper, opened, MemoryReactorClock(), 1.0, ListenSettings())
    with pytest.raises(SystemExit) as ended:
        service.privilegedStartService()
    assert ended.value.code == "twistd talk: onion:80: cannot listen: no network"


# --- planning ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (listen("80"), ["tcp 0.0.0.0:80"]),
        (listen("80", interface="::1"), ["tcp [::1]:80"]),
        (listen("80", "tcp6:81", interface="127.0.0.1"), ["tcp 127.0.0.1:80", "tcp [::]:81"]),
        (listen("80", "unix:/x", tls="/t"), ["tls 0.0.0.0:80", "unix /x"]),
        (listen("80", "tls:81", tls="/t"), ["tcp 0.0.0.0:80", "tls 0.0.0.0:81"]),
        (listen("80", "tls:81:certs=/t"), ["tcp 0.0.0.0:80", "tls 0.0.0.0:81"]),
    ],
)
def test_a_plan_says_where_a_service_would_listen(
    settings: ListenSettings, places: list[str]
) -> None:
    assert [str(place) for place in planned(settings)] == places


def test_tls_for_all_ports_leaves_none_in_the_clear() -> None:
    settings = listen("80", "unix:/x", "systemd:domain=INET:index=0", tls="/t")
    assert all(place.tls for place in planned(settings))


def test_a_tls_port_without_a_certificate_is_refused() -> None:
    with pytest.raises(StartError) as refusal:
        planned(listen("80", "tls:81"))
    assert str(refusal.value) == "tls:81: no certificate; add --tls DIR or :certs=DIR"


def test_a_unix_socket_is_not_left_behind_by_a_plan(tmp_path: Path) -> None:
    path = tmp_path / "s"
    opened = open_doors(keeper_of(), listen(f"unix:{path}"), the_reactor())
    opened.close()
    assert os.listdir(tmp_path) == []


@pytest_twisted.ensureDeferred
async def test_what_a_service_keeps_is_started_late_and_closed_last() -> None:
    factory = Service()
    closing: Deferred[None] = Deferred()

    def close() -> Deferred[None]:
        factory.history.append("closing")
        return closing

    service = build(
        listen(HERE), factory, start=lambda: factory.history.append("opened"), close=close
    )
    service.privilegedStartService()
    assert factory.history == ["started"]
    service.startService()
    assert factory.history == ["started", "opened"]
    stopping = service.stopService()
    stopped: list[None] = []
    stopping.addCallback(stopped.append)
    while "closing" not in factory.history:
        await within(deferLater(the_reactor(), 0, lambda: None))
    assert stopped == []
    closing.callback(None)
    await within(stopping)
    assert factory.history[-1] == "closing"


@pytest_twisted.ensureDeferred
async def test_the_parts_of_a_service_start_with_it_and_end_when_no_peer_is_left() -> None:
    factory = Service()
    told = factory.history.append
    service = build(listen(HERE), factory, close=lambda: told("closed"))
    service.parts = [
        Part(lambda: told("one begins"), lambda: told("one ends")),
        Part(lambda: told("two begins"), lambda: told("two ends")),
    ]
    service.privilegedStartService()
    service.startService()
    assert factory.history == ["started", "one begins", "two begins"]
    await within(service.stopService())
    assert factory.history[-3:] == ["one ends", "two ends", "closed"]
