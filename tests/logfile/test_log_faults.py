"""One log that is killed, fails or loses power, at each step there is."""

from __future__ import annotations

import errno
import itertools
import random
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.errors import StartError
from proto.logfile.keeping import Rules
from proto.logfile.log import Log
from tests.logfile.disk import FakeDisk, Killed
from tests.logfile.logs import HERE, Clock, begin, put


class Sender:
    """Numbered records, and which of them were synced."""

    def __init__(self, disk: FakeDisk, rules: Rules, clock: Clock) -> None:
        self.disk, self.rules, self.clock = disk, rules, clock
        self.given = 0
        self.waiting: set[int] = set()
        self.synced: set[int] = set()
        self.moved: list[str] = []

    def open(self) -> None:
        self.waiting.clear()
        self.log = Log.open(Path(HERE), self.rules, self.disk, now=self.clock)

    def batch(self, *, tries: int = 4) -> None:
        """Three records; what fails is tried again, as the writer does."""
        self.log.tend()
        numbers = range(self.given + 1, self.given + 4)
        self.given += 3
        self.waiting.update(numbers)
        records = b"".join(b"%06d\n" % number for number in numbers)
        for _ in range(tries):
            try:
                self.log.write(records)
                records = b""
                self.log.sync()
            except OSError:
                records = b""
                self.clock.seconds += 1
            else:
                self.synced |= self.waiting
                self.waiting.clear()
                return

    def move_away(self) -> None:
        """Somebody names the log as if it were a segment, so that it is found in its order."""
        names = self.disk.names()
        if "here.log" in names:
            numbers = [int(name.split(".")[3]) for name in names if re.search(r"Z\.\d", name)]
            self.moved.append(f"here.log.20261121T000000Z.{max(numbers, default=0) + 1:06d}")
            self.disk.move(HERE, f"/logs/{self.moved[-1]}")

    def check(self, *, once: bool = True) -> None:
        """All that was synced is there, in order, and once but for what .unsynced repeats."""
        for name in self.moved:  # nobody else ends the line that was begun in it
            inode = self.disk.directory(Path("/logs")).names.get(name)
            if inode is not None:  # without power it may bear its old name again
                del inode.data[inode.data.rfind(b"\n") + 1 :]
        sure = self.disk.stored(HERE, unsynced=False).split(b"\n")
        assert sure.pop() == b""
        # Zeros are where a failed sync left what nobody was told was stored.
        form = rb"\d{6}|\0+" if once else rb"\0*\d*\0*\d*"
        assert all(re.fullmatch(form, line) for line in sure)
        numbers = [int(line[-6:]) for line in sure if line[-6:].isdigit()]
        pairs = itertools.pairwise(numbers)
        names = self.disk.directory(Path("/logs")).names
        if once:
            assert all(one < other for one, other in pairs)
            assert len(set(names.values())) == len(names)
        unsure = re.findall(rb"\d{6}(?=\n)", self.disk.stored(HERE))
        assert self.synced <= {*numbers, *map(int, unsure)}


def story(sender: Sender) -> None:
    """All that can happen to one log, in one life."""
    disk = sender.disk
    sender.open()
    sender.batch()
    sender.batch()
    sender.log.rotate()
    sender.batch()
    disk.at_once = 5
    sender.batch()
    disk.fail_step("sync")
    sender.batch()
    disk.at_once = None
    disk.fail(errno.ENOSPC, room=9)
    sender.batch(tries=1)
    sender.move_away()
    disk.heal()
    sender.batch()
    disk.fail_step("sync")
    disk.fail_step("write", nth=2)
    sender.batch()
    disk.fail(errno.ENOSPC, room=9)
    sender.batch(tries=1)
    disk.heal()
    disk.fail_step("sync")
    sender.log.rotate()
    sender.batch()
    sender.log.close()


def another_life(sender: Sender) -> None:
    """The next process: it starts, and all goes well."""
    sender.open()
    sender.batch()
    assert not sender.waiting
    sender.log.close()
    assert sender.disk.open_files == set()
    assert not [name for name in sender.disk.names() if name.endswith((".fresh", ".part"))]


RULES = Rules(rotate_bytes=40)
ENDS = [
    pytest.param(True, None, id="killed"),
    pytest.param(False, None, id="no power, nothing was lucky"),
    *(pytest.param(False, seed, id=f"no power {seed}") for seed in range(6)),
]


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize(("power", "seed"), ENDS)
def test_what_was_synced_is_there_once_wherever_the_process_is_killed(
    has_links: bool, power: bool, seed: int | None
) -> None:
    for step in range(1, 10_000):
        disk, clock = FakeDisk(has_links=has_links), Clock()
        disk.now = clock
        sender = Sender(disk, RULES, clock)
        disk.kill_at = step
        try:
            story(sender)
        except Killed:
            disk.restart(power=power, chance=seed if seed is None else random.Random(seed + step))
            another_life(sender)
            sender.check()
        else:
            break
    assert step > 80
    sender.check()
    assert len(sender.synced) == sender.given


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("trouble", [errno.EIO, errno.ENOSPC])
def test_what_was_synced_is_there_once_whatever_step_fails(has_links: bool, trouble: int) -> None:
    for step in range(1, 10_000):
        disk, clock = FakeDisk(has_links=has_links), Clock()
        sender = Sender(disk, RULES, clock)
        disk.fail_step("", trouble, nth=step)
        with suppress(StartError, OSError):
            story(sender)
        disk.restart(power=bool(step % 2))
        another_life(sender)
        sender.check()
        if len(disk.trail) < step:
            break
    assert step > 80


@given(st.integers(0, 2**32))
def test_what_was_synced_is_there_once_after_many_faults_and_deaths(seed: int) -> None:
    chance = random.Random(seed)
    disk, clock = FakeDisk(has_links=chance.random() < 0.5), Clock()
    sender = Sender(disk, RULES, clock)
    for _ in range(3):
        disk.kill_at = len(disk.trail) + chance.randint(1, 150)
        for _ in range(chance.randint(0, 6)):
            kind = chance.choice(["", "rename", "link", "unlink", "sync", "sync folder", "write"])
            disk.fail_step(kind, chance.choice([errno.EIO, errno.ENOSPC]), nth=chance.randint(1, 9))
        with suppress(StartError, OSError, Killed):
            sender.open()
            while True:
                sender.batch()
                if chance.random() < 0.2:
                    sender.move_away()
                if chance.random() < 0.3:
                    sender.log.rotate()
        disk.restart(power=chance.random() < 0.5, chance=chance)
        another_life(sender)
        # Twice if the way back from a failed step failed too, or in a file that somebody took away,
        # and with half a line if no power made that way be forgotten.
        sender.check(once=False)


def test_a_record_is_a_line_of_its_own_behind_what_a_killed_process_could_not_sync() -> None:
    disk = FakeDisk()
    log = begin(disk)
    put(log, b"one\n")
    log.write(b"two\n")
    disk.fail_step("sync")
    disk.fail_step("create")
    with pytest.raises(OSError):
        log.sync()
    disk.restart()
    put(begin(disk), b"three\n")
    disk.restart(power=False)
    assert disk.text(HERE) == b"one\n\0\0\0\nthree\n"
