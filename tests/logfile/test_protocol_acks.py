"""What is acknowledged, and what is not, when it is the receiver that hangs up."""

from __future__ import annotations

from proto.logfile.protocol import DRAIN_SECONDS
from tests.logfile.site import Site


def test_half_a_line_is_stored_and_marked_but_not_acknowledged() -> None:
    """Who is told of it would take it for a whole one, and not send the line again."""
    site = Site(ack=True)
    alice, wire = site.connect()
    alice.dataReceived(b"one\nhal")
    site.settle()
    site.factory.farewell()
    site.clock.pump([0.2, 0])
    site.settle()
    assert wire.disconnecting
    assert wire.value() == b"OK 1\n"
    assert site.stored == b"one\nhal\\x20[unfinished]\n"


def test_a_peer_that_sends_without_a_rest_is_heard_for_a_while_and_no_longer() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    site.factory.farewell()
    for _ in range(round(DRAIN_SECONDS / 0.1) + 1):
        assert not wire.disconnecting
        alice.dataReceived(b"more\n")
        site.clock.advance(0.1)
    alice.dataReceived(b"too late\n")
    site.settle()
    assert wire.disconnecting
    count = site.stored.count(b"\n")
    assert site.stored == b"more\n" * count
    assert wire.value().endswith(b"OK %d\n" % count)
    alice.connectionLost()
    assert not site.clock.getDelayedCalls()
