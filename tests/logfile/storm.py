"""Peers, a disk that misbehaves, files that are moved and a process that is killed, in any order.

All is real but the disk, which is in memory and knows what a power loss leaves, and the thread,
whose steps are rules of this state machine.
"""

from __future__ import annotations

import errno
import random
import stat
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

from proto.logfile.keeping import Rules
from proto.logfile.shelf import LogPerClient, OneLog, Shelf
from tests.logfile.certain import certain, certain_in, lines_of
from tests.logfile.desk import Desk
from tests.logfile.disk import FakeDisk, Inode, Killed
from tests.logfile.peer import Peer

FOLDER = "/logs"
NAMES = ("ann", "bob", "cid")
TEXT = st.lists(
    st.sampled_from([b"a\n", b"bc\n", b"d", b"\r", b"\r\n", b"\n", b"\x1b\n", b"x" * 30]),
    min_size=1,
)
TROUBLES = st.sampled_from([errno.ENOSPC, errno.EIO, errno.EAGAIN, errno.EFBIG])
STEPS = st.sampled_from(["sync", "sync", "rename", "create", "open", "link", "sync folder", ""])
DEADLINE = 5.0


class Storm(RuleBasedStateMachine):
    """What was acknowledged is on the disk, whatever happens; and nothing else is."""

    @initialize(
        sync=st.sampled_from([0.0, 0.0, 3.0, None]), split=st.booleans(), links=st.booleans()
    )
    def start(self, sync: float | None, split: bool, links: bool) -> None:
        self.sync, self.split = sync, split
        self.clock = Clock()
        self.disk = FakeDisk(FOLDER, has_links=links)
        self.disk.now = self.clock.seconds
        self.how = Rules(rotate_bytes=200, rotate_seconds=60.0, retains=sync is not None)
        self.peers: list[Peer] = []
        self.left: list[Peer] = []
        self.past: list[Peer] = []
        """Those that an earlier process served."""
        self.taken_away: set[bytes] = set()
        """Records that somebody else removed."""
        self.certain: set[bytes] = set()
        """Records that were found certain to survive a power loss when they were acknowledged."""
        self.moves = 0
        self.boot()

    def boot(self) -> None:
        self.shelf = self.open_shelf()
        self.desk = Desk(self.shelf, self.sync, tend=20.0, clock=self.clock)
        for name in NAMES:
            self.connect(name)

    def open_shelf(self) -> Shelf:
        if self.split:
            return LogPerClient(Path(FOLDER), self.how, 2, self.disk, now=self.clock.seconds)
        return OneLog(Path(FOLDER, "here.log"), self.how, self.disk, now=self.clock.seconds)

    def directory(self) -> dict[str, Inode]:
        return self.disk.directory(Path(FOLDER)).names

    def files(self) -> list[str]:
        """The files that grow."""
        names = [f"{name}.log" for name in NAMES] if self.split else ["here.log"]
        return [name for name in names if name in self.disk.names()]

    # Peers.
    def connect(self, name: str) -> None:
        number = len(self.all_peers())
        self.peers.append(Peer(self.desk.intake, number, name if self.split else ""))

    @rule(data=st.data(), texts=TEXT)
    def a_peer_sends(self, data: st.DataObject, texts: list[bytes]) -> None:
        data.draw(st.sampled_from(self.peers)).send(texts)

    @rule(texts=TEXT, react=st.booleans())
    def all_peers_send_and_the_thread_takes_a_step(self, texts: list[bytes], react: bool) -> None:
        for peer in self.peers:
            peer.send(texts)
        self.the_thread_takes_a_step(1, react)

    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def a_peer_leaves_and_another_comes(self, data: st.DataObject, name: str) -> None:
        peer = data.draw(st.sampled_from(self.peers))
        self.peers.remove(peer)
        self.left.append(peer)
        peer.leave()
        self.connect(name)

    # The thread and the reactor.
    @rule(seconds=st.sampled_from([0, 0.05, 1, 3]))
    def time_passes(self, seconds: float) -> None:
        self.the_thread_takes_a_step(seconds, react=True)

    def the_thread_takes_a_step(self, seconds: float, react: bool) -> None:
        self.clock.advance(seconds)
        self.desk.writer.step()
        if react:
            self.desk.react()

    @rule()
    def all_is_asked_to_rotate(self) -> None:
        self.desk.writer.rotate()

    # The disk.
    @rule(room=st.integers(0, 40), trouble=TROUBLES)
    def the_disk_fills(self, room: int, trouble: int) -> None:
        self.disk.fail(trouble, room)

    @rule(kind=STEPS, nth=st.integers(1, 2), trouble=TROUBLES)
    def something_is_going_to_fail(self, kind: str, nth: int, trouble: int) -> None:
        if self.sync is None and kind in ("sync", ""):
            return  # what is not synced when it is settled, such a sync may lose
        self.disk.fail_step(kind, trouble, nth=nth)

    @rule(at_once=st.none() | st.integers(1, 9))
    def the_disk_is_mended(self, at_once: int | None) -> None:
        """But it may take little at once from now on."""
        self.disk.heal()
        self.disk.at_once = at_once

    # Somebody else.
    @precondition(lambda self: self.files())
    @rule(data=st.data(), deed=st.sampled_from(["move", "remove", "fifo"]))
    def somebody_meddles_with_a_file(self, data: st.DataObject, deed: str) -> None:
        file = data.draw(st.sampled_from(self.files()))
        if deed == "remove":
            self.remove(file)
        else:
            self.moves += 1
            self.disk.move(f"{FOLDER}/{file}", f"{FOLDER}/moved.{self.moves}")
            if deed == "fifo" and self.split:
                self.disk.put(f"{FOLDER}/{file}", b"")
                self.directory()[file].mode = stat.S_IFIFO

    def remove(self, file: str) -> None:
        self.desk.react()
        inode = self.directory()[file]
        is_open = any(each.inode is inode for each in self.disk.open_files)
        if is_open and self.sync is not None:
            # What is not synced yet is remembered, and written again elsewhere.  What is may be
            # not acknowledged yet: its file was closed for another, and could not be opened since.
            self.taken_away |= certain_in(inode, behind_zeros=True)
        else:
            self.taken_away |= lines_of(bytes(inode.data), behind_zeros=True)
        self.disk.remove(f"{FOLDER}/{file}")

    def take_fifos_away(self) -> None:
        for file in self.files():
            if stat.S_ISFIFO(self.directory()[file].mode):
                self.disk.remove(f"{FOLDER}/{file}")

    # The process.
    def is_worth_looking_at(self) -> bool:
        return any(peer.sent for peer in self.peers + self.left)

    @precondition(is_worth_looking_at)
    @rule(
        after=st.integers(1, 12),
        left=st.sampled_from(["all", "what was synced", "some"]),
        seed=st.integers(0, 99),
    )
    def the_process_is_killed(self, after: int, left: str, seed: int) -> None:
        """With or without the machine, in some later operation on the disk or before it."""
        self.disk.kill_at = len(self.disk.trail) + after
        try:
            self.desk.writer.step()
            self.clock.advance(1)
            self.desk.writer.step()
        except Killed:
            pass
        self.peers_are_gone()
        power = left == "all" or self.sync is None
        self.disk.restart(power=power, chance=random.Random(seed) if left == "some" else None)
        self.look_at_the_disk()
        self.boot()

    @precondition(is_worth_looking_at)
    @rule()
    def the_service_is_restarted(self) -> None:
        self.stop()
        self.disk.restart()
        self.look_at_the_disk()
        self.boot()

    def stop(self) -> None:
        for peer in self.peers:
            peer.leave()
        done = self.desk.writer.close(DEADLINE)
        while not done.called:
            self.desk.writer.step()
            self.desk.react()
            self.clock.advance(0.5)
        if self.disk.open_files:  # it was given up, and the thread hears of it
            self.desk.writer.step()
            self.desk.react()
        for peer in self.peers + self.left:
            assert peer.waiting == 0
        self.peers_are_gone()
        assert self.desk.lines()[2] == 0
        assert self.desk.intake.budget.held == 0
        assert not self.disk.open_files
        assert not self.clock.getDelayedCalls()

    def peers_are_gone(self) -> None:
        self.past += self.peers + self.left
        self.peers, self.left = [], []

    def all_peers(self) -> list[Peer]:
        return self.peers + self.left + self.past

    # What must hold.
    @invariant()
    def received_is_durable_held_or_refused(self) -> None:
        acked = sum(len(peer.acked) for peer in self.peers + self.left)
        waiting = sum(peer.waiting for peer in self.peers + self.left)
        assert self.desk.lines()[1:3] == (acked, waiting)

    @invariant()
    def whoever_has_to_wait_waits(self) -> None:
        for peer in self.peers:
            assert peer.paused == (self.desk.intake.full or peer.account.over)

    @invariant()
    def what_is_acknowledged_survives_a_power_loss(self) -> None:
        if self.sync is None:
            return
        fresh = set().union(*(peer.acked for peer in self.all_peers())) - self.certain
        if fresh:
            assert fresh <= certain(self.disk, FOLDER) | self.taken_away
            self.certain |= fresh

    def look_at_the_disk(self) -> None:
        """Acknowledged is a subset of stored; there are no foreign lines and no halves."""
        self.take_fifos_away()
        shelf = self.open_shelf()
        if self.split:
            for name in NAMES:
                shelf.log(name)
        texts = [
            bytes(inode.data)
            for name, inode in self.directory().items()
            if not name.endswith(".torn")
        ]
        shelf.close()
        self.disk.restart()
        stored: set[bytes] = set()
        for text in texts:
            lines = [line for line in text.split(b"\n")[:-1] if b"\0" not in line]
            stored.update(lines)
            for peer in self.all_peers():
                peer.check_order(lines)
        for peer in self.all_peers():
            assert peer.acked <= stored | self.taken_away
        assert stored <= set().union(*(peer.sent for peer in self.all_peers()))

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        self.disk.heal()
        self.take_fifos_away()
        self.stop()
        self.look_at_the_disk()
