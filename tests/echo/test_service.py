from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.testing import StringTransport

from proto.echo.service import BoundedPeer, Peer, ServiceFactory
from proto.errors import PeerError
from proto.metrics import Metrics
from tests.support import connect


class Quiet(ServiceFactory):
    service = "quiet"
    protocol = Peer


class Talks(ServiceFactory):
    service = "talks"
    protocol = BoundedPeer


def bounded() -> tuple[BoundedPeer, StringTransport]:
    protocol, wire = connect(Talks())
    peer = cast(BoundedPeer, protocol)
    peer.bound()
    return peer, wire


def test_a_factory_knows_who_is_connected() -> None:
    factory = Quiet()
    first, _ = connect(factory)
    second, _ = connect(factory)
    assert factory.peers == {first, second}
    first.connectionLost()
    assert factory.peers == {second}


def test_what_a_peer_sends_is_counted_and_dropped() -> None:
    factory = Quiet()
    peer, wire = connect(factory)
    peer.dataReceived(b"abc")
    peer.dataReceived(b"de")
    assert factory.received.value == 5
    assert wire.value() == b""


def test_what_a_peer_is_sent_is_counted() -> None:
    factory = Quiet()
    peer, wire = connect(factory)
    cast(Peer, peer).send(b"four")
    assert wire.value() == b"four"
    assert factory.sent.value == 4


def test_bytes_are_told_to_prometheus_under_the_name_of_the_service() -> None:
    metrics = Metrics()
    connect(Quiet(metrics))[0].dataReceived(b"abc")
    text = metrics.render().decode()
    assert 'proto_echo_bytes_received_total{service="quiet"} 3.0' in text
    assert 'proto_echo_bytes_sent_total{service="quiet"} 0.0' in text


def test_a_refusal_is_one_line() -> None:
    assert Quiet().refusal(PeerError("too many connections")) == b"too many connections\r\n"


def test_a_refusal_that_cannot_be_encoded_is_told_all_the_same() -> None:
    assert Quiet().refusal(PeerError("no \udcff here")) == b"no ? here\r\n"


def test_farewell_hangs_up_on_everybody() -> None:
    factory = Quiet()
    wires = [connect(factory)[1] for _ in range(3)]
    factory.farewell()
    assert all(wire.disconnecting for wire in wires)


def test_a_bounded_peer_reads_only_while_its_write_buffer_has_room() -> None:
    _, wire = bounded()
    assert wire.producer is wire
    assert wire.streaming is True
    wire.producer.pauseProducing()
    assert wire.producerState == "paused"
    wire.producer.resumeProducing()
    assert wire.producerState == "producing"


def test_bounding_twice_is_bounding_once() -> None:
    peer, wire = bounded()
    peer.bound()
    assert wire.producer is wire


def test_a_paused_peer_is_hung_up_on_as_well() -> None:
    peer, wire = bounded()
    wire.pauseProducing()
    peer.hang_up()
    # A registered producer would keep loseConnection() waiting, and TLS must read a goodbye.
    assert (wire.producer, wire.producerState, wire.disconnecting) == (None, "producing", True)


def test_hanging_up_twice_is_hanging_up_once() -> None:
    peer, wire = bounded()
    peer.hang_up()
    peer.hang_up()
    assert wire.disconnecting


def test_no_producer_is_registered_once_hung_up() -> None:
    protocol, wire = connect(Talks())
    peer = cast(BoundedPeer, protocol)
    peer.hang_up()
    peer.bound()
    assert wire.producer is None


def test_a_peer_that_finished_sending_is_hung_up_on_after_what_is_unsent() -> None:
    peer, wire = bounded()
    assert IHalfCloseableProtocol.providedBy(peer)
    peer.readConnectionLost()
    peer.writeConnectionLost()
    assert wire.disconnecting
    assert not wire.disconnected
