"""Disks that are full, slow or broken under the log receiver: what was acknowledged is stored."""

from __future__ import annotations

import os
import resource
import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from tests.system.disks import SmallDisk
from tests.system.logsenders import Crowd, Http, Plain, Relp
from tests.system.logserver import LogServer
from tests.system.programs import program, run
from tests.system.tracing import injecting, traced

ALL = (Plain, Relp, Http)


def made(folder: Path) -> Path:
    (folder / "log").mkdir()
    return folder / "log"


def stays_in_order(server: LogServer, crowd: Crowd) -> None:
    """While the disk takes no more, nothing is acknowledged and everybody else is served."""
    server.until(lambda shown: shown["disk_full"] == 1)
    # What was stored before is told by now, and read by who was told.
    server.until(lambda shown: shown["lines_durable"] == crowd.acknowledged)
    before = server.figures()
    server.echoes(20)
    after = server.figures()
    assert after["lines_durable"] == before["lines_durable"] == crowd.acknowledged
    assert after["senders_paused"] >= 2
    assert after["bytes_held"] < 8 * 1024 * 1024 + len(crowd.senders) * 65536


def finish(server: LogServer, crowd: Crowd, lines: int = 500) -> None:
    """It goes on by itself; then everybody ends, and it stops in order."""
    crowd.wait(lines)
    crowd.end()
    shown = server.until(lambda shown: shown["lines_held"] == 0)
    assert (shown["disk_full"], shown["lines_refused"]) == (0, 0)
    assert server.end(signal.SIGTERM) == 0
    assert "Traceback" not in server.output


def test_a_full_disk_pauses_all_senders_and_when_there_is_room_it_goes_on(tmp_path: Path) -> None:
    with (
        SmallDisk(tmp_path / "log", "16m") as disk,
        Crowd(ALL) as crowd,
        LogServer(tmp_path, prefix=disk.prefix) as server,
    ):
        crowd.begin(server)
        disk.find(server.process.pid)
        for turn in range(2):
            crowd.wait(500)
            disk.fill()
            stays_in_order(server, crowd)
            copy = tmp_path / f"copy{turn}"
            disk.copy(copy)
            (copy / "filler").unlink()
            end_at_a_line(copy / "log.txt")
            crowd.prove(copy)
            disk.clear()
        finish(server, crowd)
        assert server.output.count("the disk is full; free some space") == 2
        assert server.output.count("the disk takes lines again") == 2
        disk.copy(tmp_path / "kept")
    proof = crowd.prove(tmp_path / "kept")
    assert (proof.torn, proof.unfinished) == (0, 0)


def end_at_a_line(path: Path) -> None:
    """Leave out the record that is written in part."""
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b"\n") + 1])


def test_a_file_that_may_not_grow_pauses_all_senders_until_it_may(tmp_path: Path) -> None:
    folder = made(tmp_path)
    with Crowd(ALL) as crowd, LogServer(tmp_path) as server:
        crowd.begin(server)
        crowd.wait(500)
        most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
        limit = (folder / "log.txt").stat().st_size + 10_007
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, most))
        stays_in_order(server, crowd)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
        finish(server, crowd)
        assert "the file may not grow further; raise the limit" in server.output
    proof = crowd.prove(folder)
    assert proof.stored == proof.acknowledged + proof.doubled


def test_while_the_disk_is_slow_the_other_services_answer(tmp_path: Path) -> None:
    folder = made(tmp_path)
    slow = injecting("write,fdatasync", "delay_enter=100000", paths=[folder / "log.txt"])
    with Crowd(ALL) as crowd, LogServer(tmp_path, prefix=traced(tmp_path, *slow)) as server:
        crowd.begin(server)
        crowd.wait(100)
        took = sorted(server.echoes(500))
        held = server.figures()["lines_held"]
        crowd.wait(500)
        finish(server, crowd, 1)
    crowd.prove(folder)
    percentile = took[len(took) * 99 // 100] * 1000
    print(  # noqa: T201  # it depends on the machine, and is read by whoever wants to know
        f"\nwrites and syncs of 100 ms each: the echo takes {percentile:.1f} ms at p99, "
        f"{took[-1] * 1000:.1f} ms at most; {held} lines were held"
    )


def fails_to_sync(folder: Path, when: str) -> tuple[str, list[str]]:
    log = made(folder)
    failing = injecting("fdatasync", "error=EIO", when=when)
    with Crowd(ALL) as crowd, LogServer(folder, prefix=traced(folder, *failing)) as server:
        crowd.begin(server)
        server.wait_for("was not synced: the disk reports an error")
        finish(server, crowd)
    proof = crowd.prove(log)
    assert proof.acknowledged + proof.doubled == proof.stored
    assert proof.segments == 2
    return server.output, sorted(path.name for path in log.iterdir())


def test_what_a_failed_sync_dropped_is_written_to_a_fresh_file(tmp_path: Path) -> None:
    output, names = fails_to_sync(tmp_path, "30")
    assert names[0] == "log.txt"
    assert names[1].endswith(".000001.unsynced")
    assert f"the old one is {names[1]}" in output


def test_while_each_sync_fails_nothing_is_acknowledged(tmp_path: Path) -> None:
    """The fresh file cannot be synced either, for some seconds; there is only one in the end."""
    output, names = fails_to_sync(tmp_path, "30..32")
    assert len(names) == 2
    assert "all senders are paused" in output
    assert "the disk takes lines again" in output


def test_a_disk_that_fails_again_and_again_amid_rotations_loses_nothing(tmp_path: Path) -> None:
    log = made(tmp_path)
    failing = injecting("linkat", "error=ENOSPC", when="2")
    failing += injecting("renameat", "error=EIO", when="5")
    failing += injecting("fsync", "error=EIO", when="8")
    failing += injecting("fdatasync", "error=EIO", when="15+20")
    failing += ["-e", "trace=linkat,renameat,fsync,fdatasync"]
    rotating = {"rotate-size": "2 KiB", "compress": "gzip"}
    with (
        Crowd(ALL, window=60) as crowd,
        LogServer(tmp_path, rotating, prefix=traced(tmp_path, *failing)) as server,
    ):
        crowd.begin(server)
        server.wait_for("what was not on the disk yet is in a fresh file")
        server.wait_for("cannot begin a new file.*: the disk is full")
        finish(server, crowd, 1000)
    proof = crowd.prove(log)
    assert proof.acknowledged + proof.doubled == proof.stored
    print(f"\n{proof}")  # noqa: T201


def test_a_log_that_is_removed_is_followed_by_a_new_one(tmp_path: Path) -> None:
    folder = made(tmp_path)
    removed = tmp_path / "removed.unsynced"
    with Crowd(ALL) as crowd, LogServer(tmp_path) as server:
        crowd.begin(server)
        crowd.wait(500)
        with (folder / "log.txt").open("rb") as kept:
            (folder / "log.txt").unlink()
            crowd.wait(500)
            finish(server, crowd)
            removed.write_bytes(kept.read())
    assert "log.txt was moved or removed; going on in a new file" in server.output
    # What was not synced when it went is in the new file too, as after a failed sync.
    crowd.prove(folder, before=[removed])


def test_a_log_that_logrotate_moves_is_followed_by_a_new_one(tmp_path: Path) -> None:
    folder = made(tmp_path)
    logrotate = program("logrotate", "logrotate")
    with Crowd(ALL) as crowd, LogServer(tmp_path) as server:
        crowd.begin(server)
        crowd.wait(500)
        rules = tmp_path / "logrotate.conf"
        rules.write_text(
            f"{folder}/log.txt {{\n size 1\n rotate 9\n nocreate\n su {os.getuid()} {os.getgid()}\n"
            f" postrotate\n  kill -HUP {server.process.pid}\n endscript\n}}\n"
        )
        done = run(logrotate, "-s", str(tmp_path / "state"), str(rules), cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        crowd.wait(500)
        finish(server, crowd)
    moved = folder / "log.txt.1"
    assert moved.stat().st_size > 10_000
    proof = crowd.prove(folder, before=[moved])
    assert proof.stored == proof.acknowledged + proof.doubled


def test_a_folder_in_the_place_of_the_log_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    folder = made(tmp_path)
    removed = []
    with Crowd(ALL) as crowd, LogServer(tmp_path) as server:
        crowd.begin(server)
        crowd.wait(500)
        with ExitStack() as kept:
            files = swap(folder / "log.txt", kept)
            stays_in_order(server, crowd)
            (folder / "log.txt").rmdir()
            finish(server, crowd)
            for number, text in enumerate(filter(None, [file.read() for file in files])):
                removed.append(tmp_path / f"removed{number}.unsynced")
                removed[-1].write_bytes(text)
    assert server.output.count("all senders are paused") == 1
    crowd.prove(folder, before=removed)


def swap(log: Path, kept: ExitStack) -> list[BinaryIO]:
    """Put a folder in the place of the log; the result is every file that was removed for it."""
    removed: list[BinaryIO] = []
    while True:
        with suppress(FileNotFoundError):
            removed.append(kept.enter_context(log.open("rb")))
            log.unlink()
        try:
            log.mkdir()
        except FileExistsError:
            continue  # the receiver was faster, and lines may be in its new file already
        return removed
