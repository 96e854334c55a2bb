"""The log receiver is killed under load: each acknowledged line is on the disk, once and in order.

`PROTO_KILLS=200 pytest -s tests/system/test_logfile_kills.py` tells the figures of a long run.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Final

from tests.system.logsenders import Crowd
from tests.system.numbered import Proof, line
from tests.system.programs import DEADLINE, Twistd, program
from tests.system.tracing import injecting, traced

KILLS: Final = int(os.environ.get("PROTO_KILLS", "20"))
"""How often the receiver is killed; at 200 the figures are worth to be read."""
ERA: Final = 5
"""Kills of one log, before all of it is read and a new one is begun with other rules."""
RECEIVER: Final = (
    *("logfile", "--port", "0", "--relp", "0", "--http", "0", "--ack", "--file", "log/log.txt"),
    *("--max-per-minute", "0"),
)
ROUNDS: Final = max(1, KILLS // 20)
"""How often the receiver is killed in each window."""
BATCH: Final = ("write", "fdatasync", "sendto")
"""Written, synced, acknowledged: it is killed just before it does one of these."""
ROTATION: Final = ("openat", "linkat", "renameat", "fsync", "write", "fdatasync", "unlinkat")
"""A fresh file takes the place of the old one, which is compressed then, in much the same steps."""
RULES: Final = (
    (),
    ("--rotate-size", "16 KiB", "--compress", "gzip"),
    ("--sync", "0.02"),
    ("--sync", "never", "--rotate-size", "256 KiB"),
)


def receiver(folder: Path, *more: str, prefix: tuple[str, ...] = ()) -> Twistd:
    return Twistd(*RECEIVER, *more, cwd=folder, prefix=prefix)


def tear(folder: Path, crowd: Crowd, chance: random.Random) -> None:
    """End the log in the half of a line that was on its way, as a power cut may."""
    notes = chance.choice(crowd.senders).notes
    turn = notes.turns[-1]
    if turn.sent > notes.acknowledged:
        text = line(notes.name, len(notes.turns), notes.acknowledged + 1)
        with (folder / "log" / "log.txt").open("ab") as log:
            log.write(text[: chance.randrange(1, len(text))])


def test_what_was_acknowledged_is_there_after_every_kill_once_and_in_order(tmp_path: Path) -> None:
    chance, proof, left = random.Random(KILLS), Proof(), KILLS
    while left:
        kills = min(left, ERA)
        left -= kills
        folder = tmp_path / str(left)
        (folder / "log").mkdir(parents=True)
        rules = RULES[left // ERA % len(RULES)]
        with Crowd() as crowd:
            for _ in range(kills):
                with receiver(folder, *rules) as server:
                    crowd.begin(server)
                    crowd.wait(chance.randrange(1, 2000))
                    server.end(signal.SIGKILL)
                    crowd.gone()
                assert "Traceback" not in server.output
                if chance.random() < 0.3:
                    tear(folder, crowd, chance)
            with receiver(folder, *rules) as server:
                crowd.begin(server)
                crowd.wait(100)
                crowd.end()
                assert server.end(signal.SIGTERM) == 0
        proof.add(crowd.prove(folder / "log"))
    print(f"\n{KILLS} kills: {proof}")  # noqa: T201  # these are the figures that were asked for


def has_come_up(server: Twistd) -> bool:
    """Wait until it is ready, or is dead already."""
    end = time.monotonic() + DEADLINE
    while "ready: " not in server.output and time.monotonic() < end:
        with suppress(TimeoutExpired):
            server.process.wait(0.02)
            return False
    return True


def kill_at_calls(
    folder: Path, calls: list[tuple[str, int]], *rules: str, faults: Sequence[str] = ()
) -> Proof:
    """Kill it at the entry of each of these calls, the so manieth of a thread; then go on.

    `faults` are of a disk that is broken as well, as strace is told of them.
    """
    log = folder / "log"
    log.mkdir(parents=True)
    killed = 0
    with Crowd(window=60) as crowd:
        for call, number in calls:
            paths = [Path("log.txt.fresh")] if call == "openat" else []
            fault = injecting(call, "signal=KILL", paths=paths, when=str(number))
            prefix = traced(folder, *faults, *fault, "-e", "trace=fdatasync," + call)
            with receiver(folder, *rules, prefix=prefix) as server:
                if has_come_up(server):
                    crowd.begin(server)
                    crowd.gone()
                assert server.end() == -signal.SIGKILL, call
                killed += f"{call}(" in (folder / "calls.txt").read_text()
            assert "Traceback" not in server.output
        with receiver(folder, *rules) as server:
            crowd.begin(server)
            crowd.wait(100)
            crowd.end()
            assert server.end(signal.SIGTERM) == 0
    assert killed == len(calls)
    return crowd.prove(log)


def test_a_kill_before_the_write_before_the_sync_or_before_the_answer_loses_nothing(
    tmp_path: Path,
) -> None:
    chance = random.Random(KILLS)
    calls = [(call, chance.randrange(20, 60)) for call in BATCH * ROUNDS]
    proof = kill_at_calls(tmp_path, calls)
    print(f"\n{len(calls)} kills in a batch: {proof}")  # noqa: T201


def test_a_kill_at_any_step_of_a_rotation_loses_and_repeats_nothing(tmp_path: Path) -> None:
    chance = random.Random(KILLS)
    # strace counts for each thread, and each segment is compressed in a thread of its own.
    few = {"write": (20, 60), "fsync": (2, 8), "fdatasync": (2, 20), "unlinkat": (1, 3)}
    calls = [(call, chance.randrange(*few.get(call, (1, 8)))) for call in ROTATION * ROUNDS]
    proof = kill_at_calls(tmp_path, calls, "--rotate-size", "2 KiB", "--compress", "gzip")
    print(f"\n{len(calls)} kills in a rotation: {proof}")  # noqa: T201


def test_a_kill_while_a_file_that_cannot_be_synced_is_replaced_loses_nothing(
    tmp_path: Path,
) -> None:
    calls = [("linkat", 2), ("renameat", 1), ("fsync", 2)] * ROUNDS
    faults = injecting("fdatasync", "error=EIO", when="5+10")
    proof = kill_at_calls(tmp_path, calls, faults=faults)
    print(f"\n{len(calls)} kills of a broken disk: {proof}")  # noqa: T201
    assert proof.unsynced > 0


def test_half_a_record_that_a_kill_left_is_set_aside_and_comes_again(tmp_path: Path) -> None:
    """The file may not grow further, so that a write ends within a line, and then it is killed."""
    (tmp_path / "log").mkdir()
    with Crowd() as crowd:
        with receiver(
            tmp_path, prefix=(program("prlimit", "util-linux"), "--fsize=30011:")
        ) as server:
            crowd.begin(server)
            server.wait_for("the file may not grow further.*all senders are paused")
            server.end(signal.SIGKILL)
            crowd.gone()
        assert (tmp_path / "log" / "log.txt").read_bytes()[-1:] != b"\n"
        with receiver(tmp_path) as server:
            crowd.begin(server)
            crowd.wait(100)
            crowd.end()
            assert server.end(signal.SIGTERM) == 0
    assert crowd.prove(tmp_path / "log").torn == 1
