"""The front door: a peer is let in or turned away before the service hears of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IListeningPort,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from zope.interface import directlyProvides

from proto.door import HEADER_DEADLINE, LINGER, MAX_LINGERING, Door, Network
from proto.doorkeeper import Doorkeeper
from proto.limits import Limits
from proto.metrics import Metrics
from proto.tls import Certificates
from tests.certificate import write_pair
from tests.guarded import HalfCloseable, Service, Talk, Wire, address, counted, make_keeper
from tests.test_proxyprotocol import IPV4, IPV6, TLVS, v2

FULL = b"! the server is full (1 connections); try again later\r\n"
PROXY = "10.0.0.9"
TRUSTED: tuple[Network, ...] = (
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("2001:db8::/32"),
)
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 4242 443\r\n"


def come(door: Door, peer: IAddress | None = None) -> tuple[Protocol, Wire]:
    """Somebody connects: what the listening port has, and the wire."""
    peer = peer or address()
    protocol = cast(Protocol, door.buildProtocol(peer))
    wire = Wire(peer)
    protocol.makeConnection(cast(ITransport, wire))
    return protocol, wire


def go(protocol: Protocol) -> None:
    protocol.connectionLost(Failure(ConnectionDone()))


def refusals(metrics: Metrics, reason: str) -> str:
    return counted(metrics, f'connections_refused_total{{reason="{reason}",service="talk"}}')


# --- being let in --------------------------------------------------------------------------


def test_a_peer_that_is_let_in_talks_to_the_service() -> None:
    service = Service()
    keeper = make_keeper(Clock(), service)
    door = Door(keeper)
    peer, wire = come(door)
    assert wire.value() == b"hello 192.0.2.1:4242\n"
    assert service.met == [address()]
    peer.dataReceived(b"one")
    peer.dataReceived(b"two")
    (talk,) = service.present
    assert talk.heard == [b"one", b"two"]
    assert cast(object, talk.transport) is wire
    assert (keeper.admissions.open, len(keeper.connections)) == (1, 1)
    go(peer)
    assert len(talk.lost) == 1
    assert service.present == []
    assert keeper.admissions.open == len(keeper.connections) == 0


def test_a_door_neither_starts_nor_stops_the_factory() -> None:
    service = Service()
    door = Door(make_keeper(Clock(), service))
    door.doStart()
    door.doStop()
    assert service.history == []
    assert door.logPrefix() == "talk"


def test_a_mistake_of_the_service_at_the_end_leaves_nothing_counted() -> None:
    class Wrong(HalfCloseable):
        def connectionLost(self, reason: Failure = connectionDone) -> None:
            raise RuntimeError("a bug")

    keeper = make_keeper(Clock(), Service(Wrong), limits=Limits(per_address=1))
    door = Door(keeper)
    peer, _ = come(door)
    with pytest.raises(RuntimeError):
        go(peer)
    assert keeper.admissions.open == len(keeper.connections) == 0
    _, wire = come(door)
    assert wire.value().startswith(b"hello")


def test_a_mistake_of_the_service_at_the_start_takes_no_share() -> None:
    class Wrong(Service):
        broken = True

        def buildProtocol(self, addr: IAddress | None) -> Any:
            if self.broken:
                raise RuntimeError("a bug")
            return super().buildProtocol(addr)

    service = Wrong()
    keeper = make_keeper(Clock(), service, limits=Limits(per_address=1))
    door = Door(keeper)
    protocol = cast(Protocol, door.buildProtocol(address()))
    with pytest.raises(RuntimeError):
        protocol.makeConnection(cast(ITransport, Wire(address())))
    go(protocol)
    assert keeper.admissions.open == len(keeper.connections) == 0
    service.broken = False
    _, wire = come(door)
    assert wire.value().startswith(b"hello")


# --- being turned away ---------------------------------------------------------------------


def test_a_full_service_says_so_in_its_own_words_and_closes() -> None:
    metrics, clock = Metrics(), Clock()
    service = Service()
    keeper = make_keeper(clock, service, metrics, limits=Limits(connections=1))
    door = Door(keeper)
    come(door)
    late, wire = come(door)
    assert wire.value() == FULL
    assert wire.closed_writing
    assert not wire.closing()
    assert refusals(metrics, "full") == "1.0"
    assert len(service.met) == 1
    assert keeper.admissions.open == 1
    late.dataReceived(b"but I have so much to say")
    assert wire.value() == FULL
    go(late)
    assert keeper.lingering == set()
    assert clock.getDelayedCalls() == []


def test_an_address_above_its_share_is_told_and_its_share_comes_back() -> None:
    metrics = Metrics()
    keeper = make_keeper(Clock(), metrics=metrics, limits=Limits(per_address=1))
    door = Door(keeper)
    first, _ = come(door)
    second, wire = come(door, address(port=5))
    assert wire.value() == (
        b"! 1 connections from your address are open already; close one first\r\n"
    )
    assert refusals(metrics, "per-address") == "1.0"
    _, other = come(door, address("192.0.2.2"))
    assert other.value().startswith(b"hello")
    go(second)
    go(first)
    _, wire = come(door)
    assert wire.value().startswith(b"hello")


def test_addresses_of_one_64_have_one_share() -> None:
    door = Door(make_keeper(Clock(), limits=Limits(per_address=1)))
    come(door, cast(IAddress, IPv6Address("TCP", "2001:db8::1", 1)))
    _, neighbour = come(door, cast(IAddress, IPv6Address("TCP", "2001:db8::2", 1)))
    _, stranger = come(door, cast(IAddress, IPv6Address("TCP", "2001:db8:0:1::2", 1)))
    assert neighbour.value().startswith(b"! ")
    assert stranger.value().startswith(b"hello [2001:db8:0:1::2]:1\n")


def test_all_doors_of_a_service_share_its_limits() -> None:
    keeper = make_keeper(Clock(), limits=Limits(connections=1))
    come(Door(keeper))
    _, wire = come(Door(keeper))
    assert wire.value() == FULL


def test_newcomers_above_the_minute_are_told_when_to_come_back() -> None:
    clock = Clock()
    door = Door(make_keeper(clock, limits=Limits(per_minute=1)))
    go(come(door)[0])
    _, wire = come(door)
    assert wire.value() == (
        b"! more than 1 new connections a minute from your address; try again in 60 s\r\n"
    )
    clock.advance(60)
    _, wire = come(door)
    assert wire.value().startswith(b"hello")


def test_who_was_turned_away_has_a_moment_to_read_why() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(connections=1))
    door = Door(keeper)
    come(door)
    _, wire = come(door)
    clock.advance(LINGER - 0.1)
    assert not wire.cut()
    clock.advance(0.1)
    assert wire.cut()


def test_only_so_many_linger_and_the_others_are_closed_after_the_words() -> None:
    keeper = make_keeper(Clock(), limits=Limits(connections=1))
    door = Door(keeper)
    come(door)
    lingering = [come(door) for _ in range(MAX_LINGERING)]
    assert all(not wire.closing() for _, wire in lingering)
    _, wire = come(door)
    assert wire.value() == FULL
    assert wire.closing()
    go(lingering[0][0])
    go(lingering[1][0])
    _, wire = come(door)
    assert not wire.closing()


def test_a_transport_that_cannot_close_one_side_is_closed_after_the_words() -> None:
    keeper = make_keeper(Clock(), limits=Limits(connections=1))
    door = Door(keeper)
    come(door)
    protocol = cast(Protocol, door.buildProtocol(address()))
    wire = StringTransport()
    protocol.makeConnection(cast(ITransport, wire))
    assert wire.value() == FULL
    assert wire.disconnecting


def test_above_that_many_nobody_is_waited_for_through_tls(tmp_path: Path) -> None:
    write_pair(tmp_path)
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(connections=1))
    door = Door(keeper, tls=Certificates(str(tmp_path), clock.seconds, ()))
    come(door)
    lingering = [come(door) for _ in range(MAX_LINGERING)]
    assert not any(wire.closing() for _, wire in lingering)
    _, wire = come(door)
    assert wire.cut()
    assert len(keeper.lingering) == MAX_LINGERING
    clock.advance(LINGER)
    assert all(wire.cut() for _, wire in lingering)


def test_a_transport_that_cannot_be_aborted_is_closed() -> None:
    class Pipe(Wire):
        abortConnection = None  # type: ignore[assignment]

    keeper = make_keeper(Clock())
    protocol = cast(Protocol, Door(keeper).buildProtocol(address()))
    wire = Pipe(address())
    protocol.makeConnection(cast(ITransport, wire))
    keeper.abort()
    assert wire.closing()


def test_abort_cuts_off_who_is_in_and_who_was_turned_away() -> None:
    clock = Clock()
    keeper = make_keeper(clock, limits=Limits(connections=1))
    door = Door(keeper)
    inside, outside = come(door), come(door)
    keeper.abort()
    assert inside[1].cut()
    assert outside[1].cut()
    empty: list[None] = []
    keeper.when_empty().addCallback(empty.append)
    assert not empty
    go(inside[0])
    go(outside[0])
    assert empty == [None]
    assert clock.getDelayedCalls() == []


# --- half-closing --------------------------------------------------------------------------


def test_half_closing_is_passed_on_to_a_protocol_that_knows_it() -> None:
    service = Service(HalfCloseable)
    peer, wire = come(Door(make_keeper(Clock(), service)))
    whole = IHalfCloseableProtocol(peer)
    whole.writeConnectionLost()
    whole.readConnectionLost()
    (talk,) = service.present
    assert isinstance(talk, HalfCloseable)
    assert talk.closed == ["write", "read"]
    assert wire.value() == b"hello 192.0.2.1:4242\ngoodbye\n"
    assert wire.closing()


def test_half_closing_ends_the_connection_of_a_protocol_that_does_not_know_it() -> None:
    keeper = make_keeper(Clock(), limits=Limits(connections=1))
    door = Door(keeper)
    peer, _ = come(door)
    assert not IHalfCloseableProtocol.providedBy(peer)
    refused, wire = come(door)
    IHalfCloseableProtocol(refused).readConnectionLost()
    assert wire.value() == b"! the server is full (1 connections); try again later\r\n"
    assert wire.disconnecting


# --- silence -------------------------------------------------------------------------------


def test_a_silent_peer_is_hung_up_on_and_then_cut_off() -> None:
    clock, metrics = Clock(), Metrics()
    keeper = make_keeper(clock, metrics=metrics, limits=Limits(idle=8))
    door = Door(keeper)
    (_, silent), (talker, talking) = come(door), come(door)
    with capturedLogs() as events:
        for _ in range(8):
            clock.advance(1)
            talker.dataReceived(b".")
    assert silent.closing()
    assert not silent.cut()
    assert not talking.closing()
    assert counted(metrics, 'connections_idle_total{service="talk"}') == "1.0"
    assert [event["peer"] for event in events] == ["192.0.2.1:4242"]
    clock.advance(2)
    assert silent.cut()
    assert counted(metrics, 'connections_idle_total{service="talk"}') == "1.0"


def bid_farewell(talk: Talk) -> bool:
    """The end in the service's own words, for whoever has said something."""
    assert talk.transport is not None
    talk.transport.write(b"goodbye\n")
    return bool(talk.heard)


def test_a_silent_peer_may_be_hung_up_on_in_the_words_of_the_service() -> None:
    clock, metrics = Clock(), Metrics()
    keeper = make_keeper(clock, metrics=metrics, limits=Limits(idle=4))
    door = Door(keeper, dismiss=bid_farewell)
    (talker, talking), (_, silent) = come(door), come(door)
    talker.dataReceived(b".")
    clock.pump([1] * 4)
    for wire in (talking, silent):
        assert wire.value().endswith(b"\ngoodbye\n")
    assert (talking.closing(), silent.closing()) == (False, True)
    assert counted(metrics, 'connections_idle_total{service="talk"}') == "2.0"
    clock.advance(1)
    assert talking.cut()
    assert talking.value().count(b"goodbye") == 1


def test_who_was_never_let_in_is_not_dismissed_in_those_words() -> None:
    clock = Clock()
    door = Door(
        make_keeper(clock, limits=Limits(idle=1.5, per_address=1)),
        trusted_proxies=TRUSTED,
        dismiss=bid_farewell,
    )
    (first, _), (second, refused) = come(door, address(PROXY, 77)), come(door, address(PROXY, 78))
    _, undecided = come(door, address(PROXY, 79))
    for peer in (first, second):
        peer.dataReceived(LINE)
    assert refused.value().startswith(b"! ")
    words = refused.value()
    clock.pump([0.375] * 4)
    assert (refused.value(), undecided.value()) == (words, b"")
    assert undecided.closing()


def test_a_transport_that_the_service_paused_is_left_alone() -> None:
    clock = Clock()
    reading: list[ITransport] = []
    keeper = make_keeper(clock, reading=reading, limits=Limits(idle=4))
    door = Door(keeper)
    (_, paused), (_, read) = come(door), come(door)
    reading.append(cast(ITransport, read))
    clock.pump([1] * 10)
    assert not paused.closing()
    assert read.closing()


def test_who_talks_all_the_time_stays_when_a_limit_on_silence_comes() -> None:
    clock = Clock()
    service = Service()
    keeper = make_keeper(clock, service)
    door = Door(keeper)
    (talker, talking), (_, silent) = come(door), come(door)
    clock.advance(1000)
    talker.dataReceived(b".")
    keeper.set_limits(Limits(idle=4))
    for _ in range(8):
        clock.advance(1)
        talker.dataReceived(b".")
    assert not talking.closing()
    assert silent.cut()
    assert service.present[0].heard == [b"."] * 9


# --- behind a proxy ------------------------------------------------------------------------


def proxied(
    *, service: Service | None = None, clock: Clock | None = None, limits: Limits | None = None
) -> tuple[Door, Service, Clock, Metrics]:
    service, clock, metrics = service or Service(), clock or Clock(), Metrics()
    keeper = make_keeper(clock, service, metrics, limits=limits)
    return Door(keeper, trusted_proxies=TRUSTED), service, clock, metrics


@pytest.mark.parametrize(
    ("header", "name", "to"),
    [
        (LINE, b"192.0.2.7:4242", IPv4Address("TCP", "198.51.100.1", 443)),
        (v2(IPV4), b"192.0.2.7:4242", IPv4Address("TCP", "198.51.100.1", 443)),
        (v2(IPV4 + TLVS), b"192.0.2.7:4242", IPv4Address("TCP", "198.51.100.1", 443)),
        (v2(IPV6, 0x21), b"[2001:db8::7]:4242", IPv6Address("TCP", "2001:db8::1", 443)),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::1 4242 443\r\n",
            b"[2001:db8::7]:4242",
            IPv6Address("TCP", "2001:db8::1", 443),
        ),
        (b"PROXY UNKNOWN\r\n", b"10.0.0.9:77", IPv4Address("TCP", "10.0.0.1", 12345)),
        (v2(b"", 0x00, 0x20), b"10.0.0.9:77", IPv4Address("TCP", "10.0.0.1", 12345)),
        (v2(b"", 0x00), b"10.0.0.9:77", IPv4Address("TCP", "10.0.0.1", 12345)),
    ],
)
@pytest.mark.parametrize("idle", [0, 60])
def test_the_real_peer_is_known_from_the_first_moment(
    header: bytes, name: bytes, to: IAddress, idle: int
) -> None:
    door, service, clock, _ = proxied(limits=Limits(idle=idle))
    peer, wire = come(door, address(PROXY, 77))
    assert (wire.value(), service.met) == (b"", [])
    peer.dataReceived(header + b"first words")
    assert wire.value() == b"hello " + name + b"\n"
    (talk,) = service.present
    assert talk.heard == [b"first words"]
    assert talk.transport is not None
    assert talk.transport.getPeer() == service.met[0]
    assert talk.transport.getHost() == to
    peer.dataReceived(b"second")
    assert talk.heard == [b"first words", b"second"]
    clock.advance(2 * HEADER_DEADLINE)
    assert not wire.closing()
    go(peer)
    assert len(talk.lost) == 1


@given(st.sampled_from([LINE, v2(IPV4 + TLVS), b"PROXY UNKNOWN\r\n"]), st.data())
def test_a_header_split_anywhere_is_the_same(header: bytes, data: st.DataObject) -> None:
    stream = header + b"payload"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1))))
    door, service, _, _ = proxied()
    peer, wire = come(door, address(PROXY, 77))
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        peer.dataReceived(stream[start:end])
    assert b"".join(service.present[0].heard) == b"payload"
    assert wire.value().startswith(b"hello ")


def test_a_header_may_come_in_single_bytes() -> None:
    for header in (LINE, v2(IPV4 + TLVS)):
        door, service, _, _ = proxied()
        peer, wire = come(door, address(PROXY))
        for number in range(len(header)):
            assert wire.value() == b""
            peer.dataReceived(header[number : number + 1])
        assert wire.value() == b"hello 192.0.2.7:4242\n"
        assert service.present[0].heard == []


def test_a_proxy_that_sends_no_header_is_cut_off_without_a_word() -> None:
    door, service, clock, metrics = proxied()
    peer, wire = come(door, address(PROXY))
    peer.dataReceived(LINE[:20])
    clock.advance(HEADER_DEADLINE - 0.1)
    assert not wire.cut()
    with capturedLogs() as events:
        clock.advance(0.1)
    assert wire.cut()
    assert (wire.value(), service.met) == (b"", [])
    assert refusals(metrics, "proxy") == "1.0"
    assert [event["text"] for event in events if "text" in event] == ["no PROXY header came"]
    go(peer)
    assert clock.getDelayedCalls() == []
    assert door.keeper.admissions.open == 0


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"PROXY TCP4 x\r\n", v2(IPV4, 0x41)])
def test_what_is_no_header_is_cut_off_once(data: bytes) -> None:
    door, service, clock, metrics = proxied()
    peer, wire = come(door, address(PROXY))
    with capturedLogs() as events:
        peer.dataReceived(data)
        assert wire.cut()
        peer.dataReceived(LINE + b"late")
        clock.advance(2 * HEADER_DEADLINE)
    assert (wire.value(), service.met) == (b"", [])
    assert refusals(metrics, "proxy") == "1.0"
    (text,) = [event["text"] for event in events if "text" in event]
    assert text.startswith("no valid PROXY header: ")
    assert text.isprintable()
    assert clock.getDelayedCalls() == []


@given(st.binary(max_size=200))
def test_random_bytes_from_a_proxy_harm_nobody(data: bytes) -> None:
    door, service, clock, _ = proxied()
    peer, wire = come(door, address(PROXY))
    for number in range(len(data)):
        peer.dataReceived(data[number : number + 1])
    clock.advance(HEADER_DEADLINE)
    assert wire.cut()
    assert service.met == []
    go(peer)
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        (IPv4Address("TCP", "10.1.2.3", 1), True),
        (IPv6Address("TCP", "::ffff:10.1.2.3", 1), True),
        (IPv6Address("TCP", "2001:db8::9", 1), True),
        (UNIXAddress(""), True),
        (IPv4Address("TCP", "192.0.2.1", 1), False),
        (IPv6Address("TCP", "2001:db9::9", 1), False),
    ],
)
def test_a_header_is_taken_from_the_proxy_only(peer: IAddress, trusted: bool) -> None:
    door, service, _, metrics = proxied()
    protocol, wire = come(door, peer)
    protocol.dataReceived(LINE)
    assert wire.cut() is not trusted
    assert len(service.met) == trusted
    assert refusals(metrics, "proxy") == ("" if trusted else "1.0")


def test_a_header_is_not_understood_where_none_is_expected() -> None:
    service = Service()
    peer, wire = come(Door(make_keeper(Clock(), service)), address(PROXY))
    peer.dataReceived(LINE)
    assert wire.value() == b"hello 10.0.0.9:4242\n"
    assert service.present[0].heard == [LINE]


def test_the_real_address_has_the_share_and_not_the_proxy() -> None:
    door, _, _, _ = proxied(limits=Limits(per_address=1))
    told: list[bytes] = []
    for last in (b"7", b"8", b"7"):
        peer, wire = come(door, address(PROXY))
        peer.dataReceived(LINE.replace(b"192.0.2.7", b"192.0.2." + last))
        told.append(wire.value())
    assert told == [
        b"hello 192.0.2.7:4242\n",
        b"hello 192.0.2.8:4242\n",
        b"! 1 connections from your address are open already; close one first\r\n",
    ]


def test_a_peer_that_is_refused_behind_the_proxy_is_only_listened_past() -> None:
    door, service, clock, _ = proxied(limits=Limits(per_address=1))
    come(door, address(PROXY))[0].dataReceived(LINE)
    peer, wire = come(door, address(PROXY))
    peer.dataReceived(LINE + b"words")
    peer.dataReceived(b"more words")
    assert len(service.met) == 1
    assert wire.closed_writing
    clock.advance(LINGER)
    assert wire.cut()
    go(peer)


def test_a_peer_that_leaves_before_its_header_leaves_nothing_behind() -> None:
    door, service, clock, _ = proxied()
    peer, _ = come(door, address(PROXY))
    peer.dataReceived(LINE[:5])
    go(peer)
    assert clock.getDelayedCalls() == []
    assert door.keeper.admissions.open == len(door.keeper.connections) == 0
    assert service.met == []


def test_the_transport_behind_a_proxy_is_the_transport_in_all_else() -> None:
    door, service, _, _ = proxied()
    protocol = cast(Protocol, door.buildProtocol(address(PROXY)))
    wire = Wire(address(PROXY))
    directlyProvides(wire, ITCPTransport)
    protocol.makeConnection(cast(ITransport, wire))
    protocol.dataReceived(LINE)
    assert ITCPTransport.providedBy(service.present[0].transport)
    transport: Any = service.present[0].transport
    wire.clear()
    transport.write(b"a")
    transport.writeSequence([b"b", b"c"])
    assert wire.value() == b"abc"
    transport.pauseProducing()
    assert wire.producerState == "paused"
    transport.loseConnection()
    assert wire.closing()
    assert transport.disconnecting
    with pytest.raises(AttributeError):
        assert transport.nonsense


# --- over real sockets ---------------------------------------------------------------------


class Visitor(Protocol):
    """A client: says its words, keeps what it hears, and knows when it is over."""

    def __init__(self, words: bytes = b"", *, half_close: bool = False) -> None:
        self.words = words
        self.half_close = half_close
        self.heard = b""
        self.over: Deferred[bytes] = Deferred()
        self.why: Failure | None = None
        self._waiting: list[tuple[bytes, Deferred[bytes]]] = []

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self.words)
        if self.half_close:
            transport.loseWriteConnection()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        for wanted, deferred in list(self._waiting):
            if wanted in self.heard:
                self._waiting.remove((wanted, deferred))
                deferred.callback(self.heard)

    def until(self, wanted: bytes) -> Deferred[bytes]:
        """Everything heard, once `wanted` is in it."""
        deferred: Deferred[bytes] = Deferred()
        self._waiting.append((wanted, deferred))
        self.dataReceived(b"")
        return within(deferred)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.why = reason
        self.over.callback(self.heard)


def within(deferred: Deferred[Any], seconds: float = 5.0) -> Deferred[Any]:
    from twisted.internet import reactor

    return deferred.addTimeout(seconds, cast(Any, reactor))


class Street:
    """A door on a real port, and the way to it."""

    def __init__(
        self,
        limits: Limits,
        tls: Path | None = None,
        service: Service | None = None,
        dismiss: Callable[[Any], bool] = lambda protocol: False,
    ) -> None:
        from twisted.internet import reactor

        self.reactor = cast(Any, reactor)
        self.service = service or Service()
        self.keeper = Doorkeeper(
            "talk", self.service, self.reactor, limits, Metrics(), self.reactor.getReaders
        )
        certificates = Certificates(str(tls), self.reactor.seconds, ()) if tls else None
        self.port: IListeningPort = self.reactor.listenTCP(
            0, Door(self.keeper, tls=certificates, dismiss=dismiss), interface="127.0.0.1"
        )
        self.tls = tls is not None

    async def visit(self, visitor: Visitor) -> Visitor:
        way: Any = TCP4ClientEndpoint(
            self.reactor, "127.0.0.1", cast(Any, self.port.getHost()).port
        )
        if self.tls:
            way = wrapClientTLS(cast(Any, CertificateOptions()), way)
        await within(connectProtocol(way, visitor))
        return visitor

    async def turn(self) -> None:
        """Let the reactor do what is due."""
        await deferLater(self.reactor, 0.01)

    async def close(self, *visitors: Visitor) -> None:
        for visitor in visitors:
            assert visitor.transport is not None
            visitor.transport.loseConnection()
            await within(visitor.over)
        await within(cast("Deferred[None]", self.port.stopListening()))
        await within(self.keeper.when_empty())
        assert self.keeper.admissions.open == 0
        self.keeper.abort()
        await self.turn()
        assert self.keeper.lingering == set()
        self.keeper.close()


@pytest_twisted.ensureDeferred
async def test_a_conversation_through_tls(tmp_path: Path) -> None:
    write_pair(tmp_path)
    street = Street(Limits(idle=100), tmp_path)
    visitor = await street.visit(Visitor(b"words"))
    assert (await visitor.until(b"\n")).startswith(b"hello 127.0.0.1:")
    (talk,) = street.service.present
    await street.close(visitor)
    assert b"".join(talk.heard) == b"words"
    assert len(talk.lost) == 1


@pytest_twisted.ensureDeferred
async def test_a_full_service_says_so_through_tls(tmp_path: Path) -> None:
    write_pair(tmp_path)
    street = Street(Limits(connections=1), tmp_path)
    first = await street.visit(Visitor())
    await first.until(b"hello")
    late = await street.visit(Visitor(b"x" * 10_000))
    assert await within(late.over) == FULL
    await street.close(first)


@pytest_twisted.ensureDeferred
async def test_an_address_above_its_share_is_told_through_tls(tmp_path: Path) -> None:
    write_pair(tmp_path)
    street = Street(Limits(per_address=1), tmp_path)
    first = await street.visit(Visitor())
    await first.until(b"hello")
    late = await street.visit(Visitor(b"x" * 10_000))
    assert (await within(late.over)).startswith(b"! 1 connections from your address are open")
    await street.close(first)


@pytest_twisted.ensureDeferred
async def test_the_words_survive_what_the_peer_had_sent_already() -> None:
    street = Street(Limits(connections=1))
    first = await street.visit(Visitor())
    await first.until(b"hello")
    late = await street.visit(Visitor(b"x" * 1_000_000))
    assert await late.until(b"\n") == FULL
    await street.close(first, late)


@pytest_twisted.ensureDeferred
async def test_a_peer_that_closes_one_side_hears_the_answer() -> None:
    street = Street(Limits(), service=Service(HalfCloseable))
    visitor = await street.visit(Visitor(b"words", half_close=True))
    heard = await within(visitor.over)
    assert heard.startswith(b"hello 127.0.0.1:")
    assert heard.endswith(b"\ngoodbye\n")
    await street.close()


@pytest_twisted.ensureDeferred
async def test_a_peer_that_never_reads_and_falls_silent_is_cut_off() -> None:
    class Flood(HalfCloseable):
        def connectionMade(self) -> None:
            super().connectionMade()
            assert self.transport is not None
            self.transport.write(bytes(20_000_000))

    street = Street(Limits(idle=0.2), service=Service(Flood))
    visitor = Visitor()
    await street.visit(visitor)
    cast(Any, visitor.transport).pauseProducing()
    while not street.keeper.connections:
        await street.turn()
    await within(street.keeper.when_empty())
    assert street.service.present == []
    cast(Any, visitor.transport).abortConnection()
    await within(visitor.over)
    await street.close()


@pytest_twisted.ensureDeferred
async def test_a_silent_peer_is_hung_up_on_through_tls_in_order(tmp_path: Path) -> None:
    write_pair(tmp_path)
    street = Street(Limits(idle=0.2), tmp_path)
    visitor = Visitor()
    await street.visit(visitor)
    assert (await within(visitor.over)).startswith(b"hello 127.0.0.1:")
    assert visitor.why is not None
    assert visitor.why.check(ConnectionDone)  # and not that the connection was cut in between
    await street.close()


@pytest_twisted.ensureDeferred
async def test_through_tls_the_service_is_asked_too(tmp_path: Path) -> None:
    def say_goodbye(talk: Talk) -> bool:
        assert isinstance(talk, Talk)
        assert talk.transport is not None
        talk.transport.write(b"goodbye\n")
        talk.transport.loseConnection()
        return True

    write_pair(tmp_path)
    street = Street(Limits(idle=0.2), tmp_path, dismiss=say_goodbye)
    visitor = await street.visit(Visitor())
    assert (await within(visitor.over)).endswith(b"\ngoodbye\n")
    assert visitor.why is not None
    assert visitor.why.check(ConnectionDone)
    await street.close()
