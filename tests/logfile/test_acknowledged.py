"""A writer on a disk in memory, many lives long: what is settled as stored is certain to stay.

Unlike in the storm the end is not left to luck: at each settlement all that a power loss may leave
is looked at.  A line that somebody else removed does not count.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from proto.errors import StartError
from proto.logfile.budget import Account
from proto.logfile.keeping import Rules
from proto.logfile.origin import Origin
from proto.logfile.portion import Portion
from proto.logfile.shelf import LogPerClient, OneLog, Shelf
from proto.logfile.writer import LogWriter
from proto.metrics import Metrics
from tests.logfile.certain import certain, certain_in, lines_of
from tests.logfile.disk import FakeDisk, Killed
from tests.logfile.senders import Sender

FOLDER = "/logs"
KINDS = ["sync", "sync", "sync", "rename", "create", "open", "link", "sync folder", "unlink"]
KINDS += ["write", "truncate", "close", "take_after", "overwrite", ""]
TROUBLES = [errno.EIO, errno.ENOSPC, errno.EAGAIN]
SEEDS = 60


class Fate:
    """One folder of logs through many lives; all that happens in them follows from the seed."""

    def __init__(self, seed: int, *, split: bool, links: bool) -> None:
        self.chance = random.Random(seed)
        self.names = ["ann", "bob", "cid"] if split else [""]
        self.sync = self.chance.choice([0.0, 0.0, 3.0])
        self.rules = Rules(self.chance.choice([30, 60, 200, None]), self.chance.choice([None, 20]))
        self.clock = Clock()
        self.disk = FakeDisk(FOLDER, has_links=links)
        self.disk.now = self.clock.seconds
        self.account = Account(Sender(), Origin("somebody"))
        self.calls: list[Callable[[], Any]] = []
        self.sent = 0
        self.moved = 0
        self.told: set[bytes] = set()
        """What was settled as stored just now."""
        self.acked: set[bytes] = set()
        self.removed: set[bytes] = set()

    def shelf(self) -> Shelf:
        if len(self.names) > 1:
            return LogPerClient(Path(FOLDER), self.rules, 2, self.disk, now=self.clock.seconds)
        return OneLog(Path(FOLDER, "here.log"), self.rules, self.disk, now=self.clock.seconds)

    def live(self) -> None:
        """From a start to an end, which is seldom a good one."""
        self.start()
        with suppress(Killed):
            for _ in range(self.chance.randint(1, 25)):
                self.something()
            if self.chance.random() < 0.25:
                self.close()
                return
            self.disk.kill_at = len(self.disk.trail) + self.chance.randint(1, 25)
            while self.disk.kill_at > len(self.disk.trail):
                self.send()
        self.end()

    def start(self) -> None:
        """Some starts fail, or are the end already."""
        while True:
            if self.chance.random() < 0.3:
                self.disk.fail_step(self.chance.choice(KINDS), nth=self.chance.randint(1, 4))
            elif self.chance.random() < 0.3:
                self.disk.kill_at = len(self.disk.trail) + self.chance.randint(1, 8)
            try:
                self.begin()
                self.step()
            except (StartError, OSError, Killed):
                self.end()
            else:
                self.disk.kill_at = None
                return

    def begin(self) -> None:
        shelf = self.shelf()
        for name in self.names:
            shelf.log(name)
        self.calls.clear()
        self.writer = LogWriter(
            shelf,
            self.clock,
            lambda call, *about, **fields: self.calls.append(lambda: call(*about, **fields)),
            Metrics(),
            sync=self.sync,
            settled=self.settled,
            trouble=lambda stuck: None,
            tend=self.chance.choice([None, 5.0]),
            in_thread=lambda run: None,
        )

    def end(self) -> None:
        """All is looked at, as it is and as the next start leaves it."""
        power = self.chance.random() < 0.5
        lucky = random.Random(self.chance.random()) if self.chance.random() < 0.7 else None
        self.disk.restart(power=power, chance=lucky)
        self.look()

    def look(self) -> None:
        files = self.disk.directory(Path(FOLDER)).names.items()
        stored = set().union(
            *(lines_of(bytes(inode.data)) for name, inode in files if not name.endswith(".torn"))
        )
        assert self.acked <= stored | self.removed

    def step(self, seconds: float = 0) -> None:
        self.clock.advance(seconds)
        self.writer.step()
        self.react()

    def react(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()
        # Not in `settled`: a settlement that fails is only logged.
        if self.told:
            assert self.told <= certain(self.disk) | self.removed
        self.acked |= self.told
        self.told.clear()

    def settled(self, portions: list[Portion], stored: bool) -> None:
        if stored:
            self.told |= lines_of(b"".join(portion.records for portion in portions))

    def send(self) -> None:
        some = [self.chance.choice(self.names)]
        for name in self.names if self.chance.random() < 0.5 else some:
            count = self.chance.randint(1, 3)
            lines = [
                b"%d%s\n" % (number, b"x" * self.chance.choice([0, 1, 20]))
                for number in range(self.sent, self.sent + count)
            ]
            self.sent += count
            self.writer.append(Portion(b"".join(lines), count, self.account, name))
        self.step(self.chance.choice([0, 0, 1, 3]))

    def something(self) -> None:
        chance = self.chance
        match chance.randint(0, 19):
            case 0 | 1 | 2:
                self.step(chance.choice([0.05, 1, 6]))
            case 3:
                self.writer.rotate()
            case 4:
                self.disk.fail(chance.choice(TROUBLES), room=chance.randint(0, 40))
            case 5 | 6 | 7 | 8:
                nth = chance.randint(1, 4)
                self.disk.fail_step(chance.choice(KINDS), chance.choice(TROUBLES), nth=nth)
            case 9 | 10:
                self.disk.heal()
                self.disk.at_once = chance.choice([None, None, 1, 5, 9])
            case 11:
                self.meddle()
            case _:
                self.send()

    def meddle(self) -> None:
        """Somebody else moves or removes a file that grows."""
        names = self.disk.directory(Path(FOLDER)).names
        growing = sorted(name for name in names if name.endswith(".log"))
        if not growing:
            return
        name = self.chance.choice(growing)
        if self.chance.random() < 0.5:
            self.moved += 1
            self.disk.move(f"{FOLDER}/{name}", f"{FOLDER}/moved.{self.moved}")
        else:
            # What was not on the disk for certain is remembered, and written again elsewhere.
            self.removed |= certain_in(names[name], behind_zeros=True)
            self.disk.remove(f"{FOLDER}/{name}")

    def close(self) -> None:
        self.disk.heal()
        done = self.writer.close(5.0)
        while not done.called:
            self.step(0.5)
        assert not self.disk.open_files
        self.disk.restart()
        self.look()


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("split", [False, True], ids=["one log", "a log for each"])
def test_what_is_settled_as_stored_survives_whatever_comes(split: bool, links: bool) -> None:
    acked = 0
    for seed in range(SEEDS):
        fate = Fate(seed, split=split, links=links)
        for _ in range(4):
            fate.live()
        acked += len(fate.acked)
    assert acked > 20 * SEEDS
