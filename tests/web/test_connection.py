from __future__ import annotations

from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from proto.web.handlers import Handlers
from proto.web.site import PATIENT, ProtoSite
from tests.support import connect
from tests.web.wire import hang_up, request_bytes, site_of

GET = request_bytes("/", "GET", {}, b"")


def site_with(waiting: Deferred[str]) -> ProtoSite:
    handlers = Handlers()
    handlers.register("/", lambda request: waiting)
    return site_of(handlers=handlers)


def test_the_site_knows_its_connections() -> None:
    site = site_of()
    protocol, _ = connect(site)
    assert site.connections == {protocol}
    hang_up(protocol)
    assert not site.connections


def test_an_idle_connection_is_hung_up_when_dismissed() -> None:
    site = site_of()
    _, wire = connect(site)
    (connection,) = site.connections
    assert connection.dismiss()
    assert connection.dismiss()
    assert wire.disconnecting
    assert wire.value() == b""


def test_a_connection_ends_after_the_answer_that_is_on_its_way() -> None:
    waiting: Deferred[str] = Deferred()
    site = site_with(waiting)
    protocol, wire = connect(site)
    protocol.dataReceived(GET + GET)
    (connection,) = site.connections
    assert connection.dismiss()
    assert not wire.disconnecting
    waiting.callback("done")
    assert wire.value().count(b"HTTP/1.1 200 OK") == 1
    assert wire.value().endswith(b"done")
    cast(Clock, site.clock).advance(PATIENT.linger)
    assert wire.disconnecting


def test_a_half_of_a_request_is_no_idle_connection() -> None:
    site = site_of()
    protocol, wire = connect(site)
    protocol.dataReceived(GET[:20])
    (connection,) = site.connections
    assert connection.dismiss()
    assert not wire.disconnecting
    protocol.dataReceived(GET[20:])
    assert b"\r\nConnection: close\r\n" in wire.value()
    assert wire.disconnecting


class Abrupt(StringTransport):
    """A transport with nothing left to send: to lose it is to have lost it."""

    lost: Protocol

    def loseConnection(self) -> None:
        hang_up(self.lost)


def test_connections_that_are_gone_at_once_do_not_disturb_the_farewell() -> None:
    site = site_of()
    for number in range(5):
        address = IPv4Address("TCP", "192.0.2.1", number)
        protocol = cast(Protocol, site.buildProtocol(address))
        wire = Abrupt(peerAddress=address)
        wire.lost = protocol
        protocol.makeConnection(wire)
    assert len(site.connections) == 5
    site.farewell()
    assert not site.connections
