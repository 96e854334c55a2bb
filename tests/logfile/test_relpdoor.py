from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHalfCloseableDescriptor, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from zope.interface import alsoProvides

from proto.errors import PeerError
from proto.logfile.budget import SHARE
from proto.logfile.relp import OFFERS, SERVERCLOSE, answer
from proto.logfile.relpdoor import (
    LINGER,
    MOST_WAITING,
    QUIET_SECONDS,
    RelpFactory,
    RelpProtocol,
)
from tests.logfile.memory import MemoryLog
from tests.logfile.test_relp import OPEN, frame, messages
from tests.support import connect

OPENED = answer(1, OFFERS)
WRONG = b"500 protocol error: "


class Wire(StringTransport):
    """A transport that remembers its half-close, and can be full."""

    wrote_eof = False

    def loseWriteConnection(self) -> None:
        assert self.producer is None  # the real one would never get to it
        self.wrote_eof = True

    def loseConnection(self) -> None:
        assert self.producer is None
        super().loseConnection()

    def abortConnection(self) -> None:
        self.producer = None
        super().abortConnection()

    def reads(self) -> bool:
        return bool(self.producerState == "producing")

    def said(self) -> bytes:
        """What the peer was sent since this was asked last."""
        said = self.value()
        self.clear()
        return bytes(said)

    def ended(self) -> bool:
        return bool(self.disconnecting)

    def cut(self) -> bool:
        return bool(self.disconnected)


class Site:
    """A started factory before a log in memory."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.clock = Clock()
        self.factory = RelpFactory(
            self.log, self.clock, self.log.metrics, max_line=64, stuck_after=60
        )
        self.factory.doStart()

    def connect(self, port: int = 4242) -> tuple[RelpProtocol, Wire]:
        address = IPv4Address("TCP", "192.0.2.1", port)
        protocol = self.factory.buildProtocol(address)
        assert isinstance(protocol, RelpProtocol)
        wire = Wire(peerAddress=address)
        alsoProvides(wire, IHalfCloseableDescriptor)
        protocol.makeConnection(wire)
        return protocol, wire

    def opened(self, port: int = 4242) -> tuple[RelpProtocol, Wire]:
        peer, wire = self.connect(port)
        peer.dataReceived(frame(1, b"open", OPEN))
        assert wire.said() == OPENED
        return peer, wire


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_message_is_acknowledged_when_it_is_stored_and_not_before(site: Site) -> None:
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"one", b"two"))
    assert wire.said() == b""
    assert site.log.shown("lines_held") == 2
    site.log.store()
    assert wire.said() == b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n"
    assert site.log.records == b"one\ntwo\n"
    assert site.log.shown("lines_durable") == 2


def test_the_messages_of_a_chunk_go_to_the_log_together_and_answers_come_in_order(
    site: Site,
) -> None:
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"a", b"b\nc", b"d" * 70))
    peer.dataReceived(messages(5, b"e") + frame(6, b"unknown"))
    peer.dataReceived(frame(7, b"unknown"))
    assert [portion.lines for portion in site.log.waiting] == [3, 1]
    assert wire.said() == b""
    site.log.store(1)
    assert wire.said() == b"".join(b"%d rsp 6 200 OK\n" % number for number in (2, 3, 4))
    site.log.store()
    assert wire.said() == (
        b"5 rsp 6 200 OK\n6 rsp 19 500 unknown command\n7 rsp 19 500 unknown command\n"
    )
    peer.dataReceived(frame(8, b"unknown"))
    assert wire.said() == b"8 rsp 19 500 unknown command\n"
    assert site.log.records == (b"a\nb\\x0ac\n" + b"d" * 64 + b"\\x20[cut: 6 bytes left out]\ne\n")
    assert site.log.shown("lines_cut") == 1


def test_close_is_answered_after_all_that_was_sent_before_it(site: Site) -> None:
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"a"))
    peer.dataReceived(frame(3, b"close"))
    assert (wire.said(), wire.wrote_eof) == (b"", False)
    site.log.store()
    assert wire.said() == b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n" + SERVERCLOSE
    assert (wire.wrote_eof, wire.ended()) == (True, False)
    peer.readConnectionLost()
    assert wire.ended()
    peer.connectionLost()
    assert site.clock.getDelayedCalls() == []


def test_messages_that_cannot_be_stored_are_not_answered_so_that_they_come_again(
    site: Site,
) -> None:
    """omrelp throws a message away that is answered with 500; see tests/system/test_relp.py."""
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"a"))
    peer.dataReceived(messages(3, b"b"))
    peer.dataReceived(messages(4, b"c"))
    site.log.store(1)
    site.log.refuse(1)
    site.log.store()
    assert wire.said() == b"2 rsp 6 200 OK\n" + SERVERCLOSE
    assert wire.wrote_eof
    assert site.log.shown("lines_refused") == 1


def test_a_log_that_is_closed_already_refuses_at_once(site: Site) -> None:
    peer, wire = site.opened()
    site.log.closed = True
    peer.dataReceived(messages(2, b"a") + frame(3, b"close"))
    assert wire.said() == SERVERCLOSE
    assert wire.wrote_eof


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"\x16\x03\x01\x02\x00\x01", SERVERCLOSE),
        (b"1 open 0\n", answer(1, WRONG + b"required command not supported by client")),
        (frame(1, b"syslog", b"x"), answer(1, WRONG + b"a command before open")),
        (b"12345678901234567890 open 0\n", SERVERCLOSE),
    ],
)
def test_whoever_speaks_no_relp_is_told_so_shown_our_end_and_counted(
    site: Site, sent: bytes, told: bytes
) -> None:
    peer, wire = site.connect()
    with capturedLogs() as logs:
        peer.dataReceived(sent)
    assert wire.said() == told.removesuffix(SERVERCLOSE) + SERVERCLOSE
    assert wire.wrote_eof
    peer.dataReceived(b"more of it")
    site.clock.advance(QUIET_SECONDS)
    assert wire.ended()
    assert site.log.shown("relp_broken") == 1
    assert site.log.shown("lines_received") == 0
    assert str(formatEvent(logs[0])).startswith("192.0.2.1:4242: ")


def test_a_peer_that_goes_on_sending_after_the_end_is_not_waited_for_forever(site: Site) -> None:
    peer, wire = site.opened()
    peer.dataReceived(b"nonsense")
    for _ in range(int(LINGER / 0.1) - 1):
        site.clock.advance(0.1)
        peer.dataReceived(b"x" * 1000)
        assert not wire.ended()
    site.clock.advance(0.1)
    assert wire.ended()


def test_a_peer_that_says_no_more_is_still_answered(site: Site) -> None:
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"a") + b"3 syslog 10 half")
    peer.readConnectionLost()
    assert (wire.said(), wire.ended()) == (b"", False)
    site.log.store()
    assert wire.said() == b"2 rsp 6 200 OK\n" + SERVERCLOSE
    assert wire.ended()
    assert site.log.records == b"a\n"


def test_what_a_peer_sent_before_it_vanished_is_stored_and_its_half_message_is_not(
    site: Site,
) -> None:
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"a") + b"3 syslog 10 half")
    peer.connectionLost()
    site.log.store()
    assert site.log.records == b"a\n"
    assert wire.said() == b""
    assert site.log.shown("senders_paused") == 0


def test_farewell_answers_what_was_received_and_takes_no_more(site: Site) -> None:
    peer, wire = site.opened()
    _, idle = site.connect(4243)
    peer.dataReceived(messages(2, b"a"))
    site.factory.farewell()
    assert (idle.said(), idle.wrote_eof) == (SERVERCLOSE, True)
    peer.dataReceived(messages(3, b"too late"))
    assert wire.said() == b""
    site.log.store()
    assert wire.said() == b"2 rsp 6 200 OK\n" + SERVERCLOSE
    assert (wire.wrote_eof, wire.ended()) == (True, False)
    site.factory.farewell()
    site.clock.advance(QUIET_SECONDS)
    assert wire.ended()
    assert site.log.records == b"a\n"


def test_a_transport_without_half_close_is_closed_after_the_last_word(site: Site) -> None:
    protocol, wire = connect(site.factory)
    assert isinstance(protocol, RelpProtocol)
    assert protocol.dismiss()
    assert (wire.value(), bool(wire.disconnecting)) == (SERVERCLOSE, True)
    protocol.dataReceived(b"under TLS more may come until the peer has ended its side")
    site.clock.advance(LINGER)
    protocol.dataReceived(b"and more")
    assert wire.value() == SERVERCLOSE
    protocol.connectionLost()
    assert site.clock.getDelayedCalls() == []


def test_a_peer_is_read_again_when_no_reason_to_wait_is_left(site: Site) -> None:
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"a"))
    site.log.intake.trouble(True)
    assert not wire.reads()
    assert wire.producer is peer
    peer.pauseProducing()
    site.log.intake.trouble(False)
    assert not wire.reads()
    peer.resumeProducing()
    assert wire.reads()


def test_a_peer_above_its_share_waits_for_the_disk(site: Site) -> None:
    peer, wire = site.opened()
    number = 2
    while wire.reads():
        peer.dataReceived(messages(number, *[b"x" * 60] * 500))
        number += 500
        assert number * 61 < SHARE * 2
    site.log.store()
    assert wire.reads()
    assert wire.said().count(b"200 OK\n") == number - 2


def test_too_many_messages_without_an_answer_make_a_peer_wait_however_small_they_are(
    site: Site,
) -> None:
    peer, wire = site.opened()
    number = 2
    while wire.reads():
        peer.dataReceived(messages(number, *[b""] * 1000))
        number += 1000
    assert MOST_WAITING < number - 2 <= MOST_WAITING + 1000
    site.log.store(1)
    assert not wire.reads()
    site.log.store()
    assert wire.reads()
    assert wire.said().count(b"200 OK\n") == number - 2


def test_who_has_stored_nothing_yet_waits_for_the_disk_like_everybody(site: Site) -> None:
    _, idle = site.opened()
    site.log.intake.trouble(True)
    _, late = site.connect()
    assert (idle.reads(), late.reads()) == (False, False)
    site.log.intake.trouble(False)
    assert (idle.reads(), late.reads()) == (True, True)


def test_commands_behind_a_message_that_is_not_on_the_disk_yet_are_bounded_too(site: Site) -> None:
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b""))
    number = 3
    while wire.reads() and number < 2 * MOST_WAITING:
        peer.dataReceived(b"".join(frame(number + at, b"unknown") for at in range(1000)))
        number += 1000
    assert not wire.reads()
    site.log.store()
    assert (wire.reads(), wire.said().count(b" rsp ")) == (True, number - 2)


def test_a_peer_that_never_reads_its_answers_is_cut_off_and_counted(site: Site) -> None:
    peer, wire = site.opened()
    peer.pauseProducing()
    site.clock.advance(59)
    assert not wire.cut()
    peer.resumeProducing()
    site.clock.advance(59)
    peer.pauseProducing()
    peer.pauseProducing()
    with capturedLogs() as logs:
        site.clock.advance(60)
    assert wire.cut()
    assert [formatEvent(event) for event in logs] == [
        "192.0.2.1:4242 cut off: it does not read its answers"
    ]
    assert site.log.shown("relp_stuck") == 1
    peer.stopProducing()
    peer.connectionLost()
    assert site.clock.getDelayedCalls() == []


def test_a_peer_that_does_not_read_its_last_words_is_cut_off_too(site: Site) -> None:
    _, wire = site.opened()
    site.factory.farewell()
    site.clock.advance(LINGER)
    assert wire.ended()
    site.clock.advance(60)
    assert wire.cut()


def test_a_waiting_peer_is_read_once_more_when_it_is_sent_away(site: Site) -> None:
    """Unread bytes would make the end a reset, and a reset takes answers away."""
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"a"))
    site.log.intake.trouble(True)
    site.factory.farewell()
    assert not wire.reads()
    site.log.store()
    assert wire.reads()
    assert wire.wrote_eof
    site.log.intake.trouble(True)
    site.log.intake.trouble(False)
    assert wire.reads()


def test_who_is_still_there_when_the_service_stops_is_cut_off(site: Site) -> None:
    peer, wire = site.opened()
    peer.dataReceived(messages(2, b"a"))
    assert site.log.doors == 1
    site.factory.doStop()
    assert wire.cut()
    peer.connectionLost()
    assert (site.log.doors, site.clock.getDelayedCalls()) == (0, [])


def test_answers_are_not_held_back_for_bigger_packets(site: Site) -> None:
    class Real(StringTransport):
        no_delay = False

        def setTcpNoDelay(self, enabled: bool) -> None:
            self.no_delay = enabled

    wire = Real()
    alsoProvides(wire, ITCPTransport)
    protocol = site.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert protocol is not None
    protocol.makeConnection(wire)
    assert wire.no_delay


def test_a_peer_that_may_not_come_in_is_told_that_the_server_closes(site: Site) -> None:
    assert site.factory.refusal(PeerError("too many connections")) == SERVERCLOSE


def test_what_several_peers_send_is_counted_and_answered_to_each(site: Site) -> None:
    alice, to_alice = site.opened()
    bob, to_bob = site.opened(4243)
    alice.dataReceived(messages(2, b"from alice"))
    bob.dataReceived(messages(2, b"from bob"))
    site.log.store(1)
    assert (to_alice.said(), to_bob.said()) == (b"2 rsp 6 200 OK\n", b"")
    site.log.store()
    assert to_bob.said() == b"2 rsp 6 200 OK\n"
    assert site.log.shown("bytes_received") == 2 * len(frame(1, b"open", OPEN)) + len(
        messages(2, b"from alice", b"from bob")
    )
