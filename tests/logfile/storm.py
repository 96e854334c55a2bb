"""Peers, a disk that misbehaves and files that are moved, in any order: a state machine."""

from __future__ import annotations

import errno
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from proto.logfile.framing import Line
from proto.logfile.protocol import LogfileFactory, LogfileProtocol
from proto.logfile.record import restore
from proto.metrics import Metrics
from tests.logfile.disk import FakeDisk, figures, in_balance
from tests.support import connect

LIMIT = 8
TEXT = st.lists(st.sampled_from([b"a", b"\r", b"\r\n", b"\n", b"\x1b", b"\\x41", b"bcdefg"]))


class Peer:
    """One connection, and what was sent over it."""

    def __init__(self, factory: LogfileFactory, number: int) -> None:
        protocol, self.wire = connect(factory, port=number)
        assert isinstance(protocol, LogfileProtocol)
        self.protocol = protocol
        self.name = b"%d:" % number
        self.sent = b""
        self.reads_while_paused = 0
        self.ended = False

    def send(self, data: bytes) -> None:
        """One read; a paused transport brings at most the one that was under way."""
        if is_paused(self.wire):
            if self.reads_while_paused:
                return
            self.reads_while_paused += 1
        else:
            self.reads_while_paused = 0
        self.sent += data
        self.protocol.dataReceived(data)

    def end(self) -> None:
        self.ended = True
        self.protocol.connectionLost()

    def expected(self) -> list[Line]:
        """What the file is to hold of this peer, in order, once it has left."""
        *whole, last = self.sent.split(b"\n")
        lines = []
        for text in whole:
            line = text.removesuffix(b"\r")
            lines.append(Line(line[:LIMIT], max(0, len(line) - LIMIT)))
        if last:
            lines.append(Line(last[:LIMIT], max(0, len(last) - LIMIT), ended=False))
        return lines


def is_paused(wire: StringTransport) -> bool:
    return wire.producerState == "paused"


class Storm(RuleBasedStateMachine):
    """Peers come, send and go while the disk misbehaves and files are moved."""

    @initialize()
    def start(self) -> None:
        self.disk = FakeDisk()
        self.clock = Clock()
        self.metrics = Metrics()
        self.factory = LogfileFactory(
            Path("here.log"),
            self.clock,
            max_line=LIMIT,
            metrics=self.metrics,
            open_segment=self.disk.open,
        )
        self.factory.doStart()
        self.peers: list[Peer] = []

    def present(self) -> list[Peer]:
        return [peer for peer in self.peers if not peer.ended]

    def some_peer(self, data: st.DataObject) -> Peer:
        return data.draw(st.sampled_from(self.present()))

    @precondition(lambda self: len(self.present()) < 3)
    @rule()
    def a_peer_connects(self) -> None:
        self.peers.append(Peer(self.factory, len(self.peers)))

    @precondition(lambda self: self.present())
    @rule(data=st.data(), texts=TEXT)
    def a_peer_sends(self, data: st.DataObject, texts: list[bytes]) -> None:
        peer = self.some_peer(data)
        # Each line begins with its sender's name, so that it can be told in the file whose it is.
        text = b"".join(texts).replace(b"\n", b"\n" + peer.name)
        peer.send(text if peer.sent else peer.name + text)

    @precondition(lambda self: self.present())
    @rule(data=st.data())
    def a_peer_ends_its_side(self, data: st.DataObject) -> None:
        peer = self.some_peer(data)
        if not is_paused(peer.wire):
            peer.protocol.readConnectionLost()
            peer.end()

    @precondition(lambda self: self.present())
    @rule(data=st.data())
    def a_connection_breaks(self, data: st.DataObject) -> None:
        self.some_peer(data).end()

    @rule(room=st.integers(0, 12), trouble=st.sampled_from([errno.ENOSPC, errno.EIO, errno.EAGAIN]))
    def the_disk_fills(self, room: int, trouble: int) -> None:
        self.disk.fail(trouble, room)

    @rule()
    def the_disk_has_room(self) -> None:
        self.disk.heal()

    @rule(at_once=st.none() | st.integers(1, 5))
    def writes_become_short_or_not(self, at_once: int | None) -> None:
        self.disk.at_once = at_once

    @rule(seconds=st.sampled_from([0, 0.05, 1]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(fails=st.booleans())
    def the_file_is_moved(self, fails: bool) -> None:
        self.disk.fails_to_open = fails
        self.factory.reopen()

    @invariant()
    def received_is_written_held_or_refused(self) -> None:
        assert in_balance(self.metrics)
        assert figures(self.metrics)["logfile_lines_refused"] == 0

    @invariant()
    def everybody_or_nobody_is_paused(self) -> None:
        full = figures(self.metrics)["logfile_disk_full"]
        assert all(is_paused(peer.wire) == bool(full) for peer in self.present())

    def teardown(self) -> None:
        self.factory.doStop()
        for peer in self.present():
            assert peer.wire.disconnected
            peer.end()
        shown = figures(self.metrics)
        assert in_balance(self.metrics)
        assert not shown["logfile_lines_held"]
        assert not self.clock.getDelayedCalls()
        assert all(file.closed for file in self.disk.files)

        # A file that was left while the disk was full may end in a part of a line; the whole line
        # is then in the next one.
        stored = [line for file in self.disk.files for line in file.data.split(b"\n")[:-1]]
        assert len(stored) == shown["logfile_lines_written"]
        lines = [restore(record) for record in stored]
        whole = 0
        for peer in self.peers:
            mine = [line for line in lines if line.head.startswith(peer.name)]
            assert mine == peer.expected()[: len(mine)]
            whole += len(mine)
            if not shown["logfile_lines_refused"]:
                assert mine == peer.expected()
        assert whole == len(lines)
