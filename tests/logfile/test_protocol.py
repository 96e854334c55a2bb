from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor, INegotiated
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from zope.interface import alsoProvides

from proto.errors import PeerError
from proto.logfile.budget import UNFINISHED
from proto.logfile.framings import FRAMINGS
from proto.logfile.protocol import STUCK_SECONDS
from tests.logfile.site import Site


class HalfClosing(StringTransport):
    """A transport that remembers its half-close."""

    wrote_eof = False

    def loseWriteConnection(self) -> None:
        self.wrote_eof = True


def is_open(wire: StringTransport) -> bool:
    """Whether the protocol has not hung up."""
    return not wire.disconnecting


@pytest.fixture
def site() -> Site:
    return Site()


# --- storing -------------------------------------------------------------------------------


def test_lines_of_several_peers_are_stored_whole_in_the_order_they_ended(site: Site) -> None:
    alice, _ = site.connect()
    bob, _ = site.connect(4243)
    alice.dataReceived(b"from al")
    bob.dataReceived(b"from bob\r\n")
    alice.dataReceived(b"ice\nmore\n")
    site.settle()
    assert site.stored == b"from bob\nfrom alice\nmore\n"
    assert site.disk.writes == 1
    assert site.shown("bytes_received") == 26
    assert site.shown("lines_durable") == 3


def test_control_bytes_are_escaped_and_long_lines_cut(site: Site) -> None:
    alice, wire = site.connect()
    alice.dataReceived(b"\x1b[2J\rforged\n0123456789abcdefXYZ\nnext\n")
    site.settle()
    assert site.stored == (
        b"\\x1b[2J\\x0dforged\n0123456789abcdef\\x20[cut: 3 bytes left out]\nnext\n"
    )
    assert wire.connected
    assert is_open(wire)
    assert (site.shown("lines_cut"), site.shown("lines_unfinished")) == (1, 0)


def test_a_half_close_stores_everything_and_then_closes(site: Site) -> None:
    alice, wire = site.connect()
    alice.dataReceived(b"one\nlast")
    alice.readConnectionLost()
    assert not is_open(wire)
    alice.connectionLost()
    site.settle()
    assert site.stored == b"one\nlast\\x20[unfinished]\n"
    assert (site.shown("lines_cut"), site.shown("lines_unfinished")) == (0, 1)


def test_a_lost_connection_stores_the_unfinished_line(site: Site) -> None:
    alice, _ = site.connect()
    alice.dataReceived(b"0123456789abcdefghijk")
    alice.connectionLost()
    site.settle()
    record = b"0123456789abcdef\\x20[cut: 5 bytes left out]\\x20[unfinished]\n"
    assert site.stored == record
    assert (site.shown("lines_cut"), site.shown("lines_unfinished")) == (1, 1)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_each_framing_can_be_chosen(framing: str) -> None:
    site = Site(framing=framing)
    alice, _ = site.connect()
    wire = {"line": b"a\nb\n", "nul": b"a\0b\0", "octet": b"1 a1 b", "syslog": b"1 a<1>\n"}
    alice.dataReceived(wire[framing])
    site.settle()
    assert site.stored == (b"a\n<1>\n" if framing == "syslog" else b"a\nb\n")


@given(
    framing=st.sampled_from(sorted(FRAMINGS)),
    wire=st.binary(max_size=200),
    cuts=st.lists(st.integers(0, 200)),
    at_once=st.integers(1, 9),
)
def test_any_split_of_the_same_bytes_gives_the_same_file(
    framing: str, wire: bytes, cuts: list[int], at_once: int
) -> None:
    in_one, in_many = Site(framing=framing), Site(framing=framing)
    in_many.disk.at_once = at_once
    alice, _ = in_one.connect()
    bob, _ = in_many.connect()
    alice.dataReceived(wire)
    begin = 0
    for cut in sorted(cuts):
        bob.dataReceived(wire[begin:cut])
        in_many.settle()
        begin = max(begin, cut)
    bob.dataReceived(wire[begin:])
    for site, protocol in ((in_one, alice), (in_many, bob)):
        protocol.connectionLost()
        site.settle()
    assert in_one.stored == in_many.stored
    assert in_one.shown("lines_durable") == in_many.stored.count(b"\n")


@pytest.mark.parametrize(
    ("why", "stored"),
    [(ConnectionDone(), b"<13>half\n"), (ConnectionLost(), b"<13>half\\x20[unfinished]\n")],
)
def test_only_an_orderly_end_ends_a_message_of_syslog(why: Exception, stored: bytes) -> None:
    site = Site(framing="syslog")
    alice, _ = site.connect()
    alice.dataReceived(b"<13>half")
    alice.connectionLost(Failure(why))
    site.settle()
    assert site.stored == stored


def test_a_message_of_syslog_that_we_end_is_half_a_message() -> None:
    site = Site(framing="syslog")
    alice, _ = site.connect()
    alice.dataReceived(b"<13>half")
    site.factory.doStop()
    site.settle()
    assert site.stored == b"<13>half\\x20[unfinished]\n"


def test_lines_where_a_count_was_due_are_stored_and_counted() -> None:
    site = Site(framing="octet")
    alice, _ = site.connect()
    for data in (b"3 one", b"<13>hello\n", b"3 two<1", b"3>you\n"):
        alice.dataReceived(data)
    site.settle()
    assert site.stored == b"one\n<13>hello\ntwo\n<13>you\n"
    assert site.shown("lines_astray") == 2


def test_what_all_peers_have_begun_is_bounded_and_no_line_is_lost() -> None:
    site = Site(max_line=UNFINISHED)
    peers = [site.connect(port)[0] for port in range(4000, 4004)]
    half = UNFINISHED // 2
    for peer in peers:
        peer.dataReceived(b"x" * half)
    assert site.receiver.intake.unfinished.held <= UNFINISHED + half
    assert site.shown("bytes_unfinished") == site.receiver.intake.unfinished.held
    for peer in peers:
        peer.dataReceived(b"end\n")
        peer.connectionLost()
        site.settle()
    assert site.receiver.intake.unfinished.held == 0
    assert site.stored.count(b"\n") == len(peers)
    assert site.shown("lines_cut") == 2


# --- waiting -------------------------------------------------------------------------------


def test_a_full_disk_pauses_everybody_and_newcomers_until_there_is_room(site: Site) -> None:
    held: list[bool] = []
    site.receiver.hold(held.append)
    alice, wire = site.connect()
    bob, bobs_wire = site.connect(4243)
    site.disk.fail(errno.ENOSPC, room=3)
    alice.dataReceived(b"one\n")
    site.settle()
    _, carols_wire = site.connect(4244)
    wires = (wire, bobs_wire, carols_wire)
    assert [each.producerState for each in wires] == ["paused"] * 3
    bob.dataReceived(b"on its way\n")
    assert (site.shown("lines_held"), site.shown("disk_full")) == (2, 1)
    assert site.shown("senders_paused") == 3
    site.disk.heal()
    site.settle(1)
    site.settle()
    assert [each.producerState for each in wires] == ["producing"] * 3
    assert site.stored == b"one\non its way\n"
    assert (site.shown("lines_held"), site.shown("disk_full")) == (0, 0)
    assert held == [True, False]


def test_a_peer_that_left_while_paused_is_not_resumed(site: Site) -> None:
    alice, wire = site.connect()
    site.disk.fail(errno.EIO)
    alice.dataReceived(b"one\n")
    site.settle()
    alice.connectionLost()
    site.disk.heal()
    site.settle(1)
    assert wire.producerState == "paused"
    assert site.stored == b"one\n"


# --- acknowledging -------------------------------------------------------------------------


def test_lines_are_acknowledged_when_they_are_on_the_disk() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    bob, bobs_wire = site.connect(4243)
    alice.dataReceived(b"one\ntwo\nthr")
    bob.dataReceived(b"x\n")
    assert wire.value() == b""
    site.settle()
    assert (wire.value(), bobs_wire.value()) == (b"OK 2\n", b"OK 1\n")
    alice.dataReceived(b"ee\n")
    site.settle()
    assert wire.value() == b"OK 2\nOK 3\n"


def test_a_peer_that_ends_is_told_before_the_connection_is_closed() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    alice.dataReceived(b"one\nlast")
    alice.readConnectionLost()
    assert is_open(wire)
    site.settle()
    assert wire.value() == b"OK 1\nOK 2\n"
    assert not is_open(wire)


def test_nothing_is_acknowledged_that_a_full_disk_did_not_take() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    site.disk.fail(errno.ENOSPC)
    alice.dataReceived(b"one\n")
    site.settle()
    assert wire.value() == b""
    site.disk.heal()
    site.settle(1)
    assert wire.value() == b"OK 1\n"


def test_lines_that_will_never_be_stored_are_told_as_refused() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    site.disk.fail(errno.ENOSPC)
    alice.dataReceived(b"one\ntwo\n")
    site.settle()
    site.receiver.writer.close(5)
    site.clock.advance(5)
    alice.dataReceived(b"late\n")
    assert wire.value() == (b"refused: 2 lines were not stored\nrefused: 1 lines were not stored\n")
    assert site.shown("lines_refused") == 3
    alice.readConnectionLost()
    assert not is_open(wire)


def test_a_peer_that_left_is_told_nothing() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    alice.dataReceived(b"one\n")
    alice.connectionLost()
    site.settle()
    assert wire.value() == b""
    assert site.stored == b"one\n"


def test_who_does_not_read_acknowledgements_is_not_read_and_at_last_cut_off() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    assert wire.producer is alice
    alice.pauseProducing()
    assert wire.producerState == "paused"
    site.clock.advance(STUCK_SECONDS - 1)
    alice.resumeProducing()
    assert wire.producerState == "producing"
    alice.pauseProducing()
    site.clock.advance(STUCK_SECONDS - 1)
    assert site.shown("unread") == 0
    with capturedLogs() as logs:
        site.clock.advance(1)
    assert wire.disconnected
    assert site.shown("unread") == 1
    assert [formatEvent(event) for event in logs] == [
        "192.0.2.1:4242 cut off: it does not read its acknowledgements"
    ]
    alice.connectionLost()
    assert not site.clock.getDelayedCalls()


def test_one_who_waits_for_the_disk_and_for_itself_goes_on_when_both_are_well() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    site.disk.fail(errno.ENOSPC)
    alice.dataReceived(b"one\n")
    site.settle()
    alice.pauseProducing()
    site.disk.heal()
    site.settle(1)
    assert wire.producerState == "paused"
    alice.resumeProducing()
    assert wire.producerState == "producing"


# --- ending --------------------------------------------------------------------------------


def test_a_refusal_is_one_line(site: Site) -> None:
    refusal = site.factory.refusal(PeerError("too many connections"))
    assert refusal == b"refused: too many connections\n"


def test_farewell_shows_our_end_reads_on_and_hangs_up_when_it_is_quiet(site: Site) -> None:
    alice, _ = site.connect()
    wire = HalfClosing()
    alsoProvides(wire, IHalfCloseableDescriptor)
    alice.makeConnection(wire)
    site.factory.farewell()
    assert wire.wrote_eof
    alice.writeConnectionLost()
    site.clock.advance(0.15)
    alice.dataReceived(b"on its way\n")
    site.factory.farewell()
    site.clock.advance(0.15)
    assert is_open(wire)
    site.clock.advance(0.05)
    site.clock.advance(0)
    assert not is_open(wire)
    site.settle()
    assert site.stored == b"on its way\n"
    site.factory.farewell()
    assert not site.clock.getDelayedCalls()


def test_farewell_waits_for_what_has_to_be_acknowledged() -> None:
    site = Site(ack=True)
    alice, wire = site.connect()
    site.factory.farewell()
    alice.dataReceived(b"on its way\n")
    site.clock.pump([0.2, 0])
    assert is_open(wire)
    site.settle()
    assert wire.value() == b"OK 1\n"
    assert not is_open(wire)


def test_farewell_ends_at_once_when_the_peer_ends(site: Site) -> None:
    alice, wire = site.connect()
    site.factory.farewell()
    alice.dataReceived(b"one\n")
    alice.readConnectionLost()
    assert not is_open(wire)
    alice.connectionLost()
    assert not site.clock.getDelayedCalls()


def test_a_peer_that_leaves_during_farewell_leaves_no_timer(site: Site) -> None:
    alice, _ = site.connect()
    site.factory.farewell()
    alice.connectionLost()
    assert not site.clock.getDelayedCalls()


def test_farewell_beneath_tls_does_not_shut_the_socket_under_it(site: Site) -> None:
    alice, _ = site.connect()
    wire = HalfClosing()
    alsoProvides(wire, IHalfCloseableDescriptor, INegotiated)
    alice.makeConnection(wire)
    site.factory.farewell()
    assert not wire.wrote_eof
    site.clock.pump([0.2, 0])
    assert not is_open(wire)


def test_a_busy_reactor_is_not_taken_for_a_quiet_peer(site: Site) -> None:
    """The timer is late and the bytes were there in time: they are read before the hang-up."""
    alice, wire = site.connect()
    site.factory.farewell()
    site.clock.callLater(0.2, alice.dataReceived, b"in the kernel\n")
    site.clock.advance(0.2)
    assert is_open(wire)
    site.clock.pump([0.2, 0])
    assert not is_open(wire)
    site.settle()
    assert site.stored == b"in the kernel\n"


def test_farewell_on_a_full_disk_waits_for_room_before_it_counts_the_quiet(site: Site) -> None:
    alice, wire = site.connect()
    site.disk.fail(errno.ENOSPC)
    alice.dataReceived(b"one\n")
    site.factory.farewell()
    site.settle()
    site.clock.advance(0.9)
    assert is_open(wire)
    site.disk.heal()
    site.settle(0.1)
    assert wire.producerState == "producing"
    alice.dataReceived(b"two\n")
    site.clock.pump([0, 0.2, 0])
    assert not is_open(wire)
    site.settle()
    assert site.stored == b"one\ntwo\n"


def test_stopping_with_live_connections_cuts_them_off_with_a_word_and_a_count(site: Site) -> None:
    alice, wire = site.connect()
    alice.dataReceived(b"one\nhalf")
    with capturedLogs() as logs:
        site.factory.doStop()
        site.settle()
    assert wire.disconnected
    assert site.stored == b"one\nhalf\\x20[unfinished]\n"
    assert [formatEvent(event) for event in logs if event["log_namespace"].startswith("proto")] == [
        "192.0.2.1:4242 cut off: the log is closed"
    ]
    alice.dataReceived(b"late\ntoo")
    alice.connectionLost()
    assert (site.shown("lines_durable"), site.shown("lines_refused")) == (2, 2)
    assert not site.clock.getDelayedCalls()
