"""The log receiver amid rotations without end, and stopped under load: nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.system.disks import SmallDisk
from tests.system.logsenders import Crowd, Http, Plain, Relp
from tests.system.numbered import UNFINISHED
from tests.system.programs import dial, read_all, read_until
from tests.system.test_logfile_kills import receiver

EIGHT = (Plain, Relp, Http, Plain) * 2


def hang_up(process: subprocess.Popen[bytes], times: int) -> None:
    """Send SIGHUP so often, every 10 ms."""
    never = threading.Event()
    for _ in range(times):
        process.send_signal(signal.SIGHUP)
        never.wait(0.01)


@pytest.mark.parametrize("more", [(), ("--compress", "gzip")], ids=["plain", "gzip"])
def test_a_storm_of_rotations_loses_and_repeats_nothing(
    more: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "log").mkdir()
    with (
        Crowd(EIGHT, window=40) as crowd,
        receiver(tmp_path, "--rotate-size", "4 KiB", *more) as server,
    ):
        crowd.begin(server)
        hang_up(server.process, 150)
        crowd.wait(1000)
        crowd.end()
        assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in server.output
    proof = crowd.prove(tmp_path / "log")
    assert (proof.doubled, proof.torn, proof.unfinished) == (0, 0, 0)
    assert proof.stored == proof.acknowledged
    assert proof.segments > 20
    print(f"\n150 times SIGHUP: {proof}")  # noqa: T201


def test_a_stop_under_load_stores_what_was_acknowledged_and_ends_in_time(tmp_path: Path) -> None:
    """Nobody has to be cut off, though the senders never rest."""
    (tmp_path / "log").mkdir()
    with Crowd(window=60) as crowd:
        with receiver(tmp_path, "--grace", "600") as server:
            crowd.begin(server)
            crowd.wait(3000)
            assert server.end(signal.SIGTERM) == 0
            crowd.gone()
        assert "Traceback" not in server.output
        assert "cut off" not in server.output
        with receiver(tmp_path) as server:
            crowd.begin(server)
            crowd.wait(100)
            crowd.end()
            assert server.end(signal.SIGTERM) == 0
    proof = crowd.prove(tmp_path / "log")
    assert proof.torn == 0
    print(f"\nA stop: {proof}")  # noqa: T201


def test_half_a_line_is_not_acknowledged_when_it_stops(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with receiver(tmp_path) as server, dial(server.port("logfile")) as sender:
        sender.sendall(b"one\nhalf a")
        assert read_until(sender, b"\n") == b"OK 1\n"
        assert server.end(signal.SIGTERM) == 0
        assert read_all(sender) == b""
    stored = (tmp_path / "log" / "log.txt").read_bytes()
    assert stored == b"one\nhalf a" + UNFINISHED + b"\n"


def test_a_stop_while_the_disk_is_full_ends_in_time_and_says_how_much_is_lost(
    tmp_path: Path,
) -> None:
    """Whoever was not told that its lines are stored has them still, and brings them again."""
    disk = SmallDisk(tmp_path / "log", "16m")
    with disk, Crowd((Plain, Relp, Http)) as crowd:
        with receiver(tmp_path, "--grace", "1", prefix=disk.prefix) as server:
            crowd.begin(server)
            disk.find(server.process.pid)
            crowd.wait(500)
            disk.fill()
            server.wait_for("the disk is full; free some space")
            assert server.end(signal.SIGTERM) == 0
            crowd.gone()
            assert int(server.wait_for("within 1.0 s; ([0-9]+) lines are lost")[1]) > 0
        disk.clear()
        (tmp_path / "log").rmdir()
        disk.copy(tmp_path / "log")
        with receiver(tmp_path) as server:
            crowd.begin(server)
            crowd.wait(100)
            crowd.end()
            assert server.end(signal.SIGTERM) == 0
    crowd.prove(tmp_path / "log")
