from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from twisted.internet.interfaces import IHalfCloseableDescriptor, INegotiated
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from zope.interface import alsoProvides

from proto.errors import PeerError, StartError
from proto.logfile.protocol import LogfileFactory, LogfileProtocol
from proto.metrics import Metrics
from tests.logfile.disk import FakeDisk, figures, in_balance
from tests.logfile.storm import Storm
from tests.support import connect

HERE = Path("here.log")


class Site:
    """A started factory over a disk in memory."""

    def __init__(self, max_line: int = 16) -> None:
        self.disk = FakeDisk()
        self.clock = Clock()
        self.metrics = Metrics()
        self.factory = LogfileFactory(
            HERE,
            self.clock,
            max_line=max_line,
            metrics=self.metrics,
            open_segment=self.disk.open,
        )
        self.factory.doStart()

    def connect(self, port: int = 4242) -> tuple[LogfileProtocol, StringTransport]:
        protocol, wire = connect(self.factory, port=port)
        assert isinstance(protocol, LogfileProtocol)
        return protocol, wire

    def shown(self, name: str) -> int:
        assert in_balance(self.metrics)
        return int(figures(self.metrics)[f"logfile_{name}"])


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


def test_lines_of_several_peers_are_stored_whole_in_the_order_they_ended(site: Site) -> None:
    alice, _ = site.connect()
    bob, _ = site.connect(4243)
    alice.dataReceived(b"from al")
    bob.dataReceived(b"from bob\r\n")
    alice.dataReceived(b"ice\nmore\n")
    site.clock.advance(0)
    assert site.disk.stored == b"from bob\nfrom alice\nmore\n"
    assert site.disk.writes == 1
    assert site.shown("bytes_received") == 26
    assert site.shown("lines_written") == 3


def test_the_real_thing_as_in_the_tutorial(tmp_path: Path) -> None:
    factory = LogfileFactory(tmp_path / "log.txt", Clock())
    factory.doStart()
    alice, wire = connect(factory)
    alice.dataReceived(b"hello\n")
    alice.connectionLost()
    factory.doStop()
    assert (tmp_path / "log.txt").read_bytes() == b"hello\n"
    assert wire.value() == b""


def test_a_file_that_cannot_be_opened_is_told_at_the_start(tmp_path: Path) -> None:
    factory = LogfileFactory(tmp_path / "no" / "log.txt", Clock())
    with pytest.raises(StartError, match="mkdir -p"):
        factory.doStart()
    factory.reopen()


def test_control_bytes_are_escaped_and_long_lines_cut(site: Site) -> None:
    alice, wire = site.connect()
    alice.dataReceived(b"\x1b[2J\rforged\n0123456789abcdefXYZ\nnext\n")
    site.clock.advance(0)
    assert site.disk.stored == (
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
    site.clock.advance(0)
    assert site.disk.stored == b"one\nlast\\x20[unfinished]\n"
    assert (site.shown("lines_cut"), site.shown("lines_unfinished")) == (0, 1)


def test_a_lost_connection_stores_the_unfinished_line(site: Site) -> None:
    alice, _ = site.connect()
    alice.dataReceived(b"0123456789abcdefghijk")
    alice.connectionLost()
    site.clock.advance(0)
    record = b"0123456789abcdef\\x20[cut: 5 bytes left out]\\x20[unfinished]\n"
    assert site.disk.stored == record
    assert (site.shown("lines_cut"), site.shown("lines_unfinished")) == (1, 1)


def test_a_full_disk_pauses_everybody_and_newcomers_until_there_is_room(site: Site) -> None:
    alice, wire = site.connect()
    bob, bobs_wire = site.connect(4243)
    site.disk.fail(errno.ENOSPC, room=3)
    alice.dataReceived(b"one\n")
    site.clock.advance(0)
    _, carols_wire = site.connect(4244)
    wires = (wire, bobs_wire, carols_wire)
    assert [each.producerState for each in wires] == ["paused"] * 3
    bob.dataReceived(b"on its way\n")
    assert (site.shown("lines_held"), site.shown("disk_full")) == (2, 1)
    site.disk.heal()
    site.clock.advance(1)
    assert [each.producerState for each in wires] == ["producing"] * 3
    assert site.disk.stored == b"one\non its way\n"
    assert (site.shown("lines_held"), site.shown("disk_full")) == (0, 0)


def test_a_peer_that_left_while_paused_is_not_resumed(site: Site) -> None:
    alice, wire = site.connect()
    site.disk.fail(errno.EIO)
    alice.dataReceived(b"one\n")
    site.clock.advance(0)
    alice.connectionLost()
    site.disk.heal()
    site.clock.advance(1)
    assert wire.producerState == "paused"
    assert site.disk.stored == b"one\n"


def test_reopen_goes_on_in_a_new_file(site: Site) -> None:
    alice, _ = site.connect()
    alice.dataReceived(b"one\n")
    site.factory.reopen()
    alice.dataReceived(b"two\n")
    site.clock.advance(0)
    assert [file.data for file in site.disk.files] == [b"one\n", b"two\n"]


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
    assert not is_open(wire)
    assert site.disk.stored == b"on its way\n"
    site.factory.farewell()
    assert not site.clock.getDelayedCalls()


def test_farewell_ends_at_once_when_the_peer_ends(site: Site) -> None:
    alice, wire = site.connect()
    site.factory.farewell()
    alice.dataReceived(b"one\n")
    alice.readConnectionLost()
    assert not is_open(wire)
    alice.connectionLost()
    site.clock.advance(0)
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
    site.clock.advance(0.2)
    assert not is_open(wire)


def test_a_busy_reactor_is_not_taken_for_a_quiet_peer(site: Site) -> None:
    """The timer is late and the bytes were there in time: they are read before the hang-up."""
    alice, wire = site.connect()
    site.factory.farewell()
    site.clock.callLater(0.2, alice.dataReceived, b"in the kernel\n")
    site.clock.advance(0.2)
    assert is_open(wire)
    site.clock.advance(0.2)
    assert not is_open(wire)
    assert site.disk.stored == b"in the kernel\n"


def test_farewell_on_a_full_disk_waits_for_room_before_it_counts_the_quiet(site: Site) -> None:
    alice, wire = site.connect()
    site.disk.fail(errno.ENOSPC)
    alice.dataReceived(b"one\n")
    site.factory.farewell()
    site.clock.advance(0)
    site.clock.advance(0.9)
    assert is_open(wire)
    site.disk.heal()
    site.clock.advance(0.1)
    assert wire.producerState == "producing"
    alice.dataReceived(b"two\n")
    site.clock.pump([0, 0.2])
    assert not is_open(wire)
    assert site.disk.stored == b"one\ntwo\n"


def test_stopping_with_live_connections_cuts_them_off_with_a_word_and_a_count(site: Site) -> None:
    alice, wire = site.connect()
    alice.dataReceived(b"one\nhalf")
    with capturedLogs() as logs:
        site.factory.doStop()
    assert wire.disconnected
    assert site.disk.stored == b"one\nhalf\\x20[unfinished]\n"
    assert [formatEvent(event) for event in logs if event["log_namespace"].startswith("proto")] == [
        "192.0.2.1:4242 cut off: the file is closed"
    ]
    alice.dataReceived(b"late\ntoo")
    alice.connectionLost()
    assert (site.shown("lines_written"), site.shown("lines_refused")) == (2, 2)
    assert not site.clock.getDelayedCalls()


def test_stopping_on_a_full_disk_counts_what_is_lost(site: Site) -> None:
    alice, _ = site.connect()
    site.disk.fail(errno.ENOSPC, room=4)
    alice.dataReceived(b"one\ntwo\n")
    site.factory.doStop()
    assert (site.shown("lines_written"), site.shown("lines_refused")) == (1, 1)


def test_a_factory_can_be_started_again(site: Site) -> None:
    for number in range(2):
        alice, _ = site.connect()
        alice.dataReceived(b"%d\n" % number)
        alice.connectionLost()
        site.factory.doStop()
        site.factory.doStart()
    assert [file.data for file in site.disk.files] == [b"0\n", b"1\n", b""]
    assert site.shown("lines_written") == 2


@given(wire=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200)), at_once=st.integers(1, 9))
def test_any_split_of_the_same_bytes_gives_the_same_file(
    wire: bytes, cuts: list[int], at_once: int
) -> None:
    in_one, in_many = Site(), Site()
    in_many.disk.at_once = at_once
    alice, _ = in_one.connect()
    bob, _ = in_many.connect()
    alice.dataReceived(wire)
    begin = 0
    for cut in sorted(cuts):
        bob.dataReceived(wire[begin:cut])
        in_many.clock.advance(0)
        begin = max(begin, cut)
    bob.dataReceived(wire[begin:])
    for site, protocol in ((in_one, alice), (in_many, bob)):
        protocol.connectionLost()
        site.clock.advance(0)
    assert in_one.disk.stored == in_many.disk.stored
    assert in_one.shown("lines_written") == in_many.disk.stored.count(b"\n")


def test_no_storm_loses_doubles_tears_or_reorders_a_line() -> None:
    run_state_machine_as_test(Storm)
