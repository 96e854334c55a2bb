"""The writer's thread, with real files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from proto.logfile.keeping import Rules
from proto.logfile.shelf import LogPerClient, OneLog, Shelf
from proto.logfile.writer import in_daemon_thread
from tests.logfile.desk import DEADLINE, Desk

RULES = Rules()


class WallClock(Clock):
    """Goes on by itself; only its calls wait for the test."""

    def seconds(self) -> float:
        return self.rightNow + time.monotonic()


@contextmanager
def running(shelf: Shelf, sync: float | None = 0.0) -> Iterator[Desk]:
    """A desk whose thread runs, and is closed in the end."""
    desk = Desk(shelf, sync, in_thread=in_daemon_thread, clock=WallClock())
    desk.writer.start()
    yield desk
    done = desk.writer.close(DEADLINE)
    desk.wait(lambda: done.called)
    assert desk.lines()[2] == 0


@pytest.mark.parametrize("sync", [0.0, 0.01, None])
def test_thousands_of_lines_of_several_senders_are_stored_in_order(
    sync: float | None, tmp_path: Path
) -> None:
    names = ("ann", "bob", "cid")
    with running(LogPerClient(tmp_path / "logs", RULES, 2), sync) as desk:
        for number in range(2000):
            for name in names:
                desk.say(b"%d\n" % number, name)
            if number % 100 == 0:
                desk.wait(lambda wanted=3 * number: len(desk.settled) >= wanted)  # type: ignore[misc]
    assert desk.lines() == (6000, 6000, 0, 0)
    sent = b"".join(b"%d\n" % number for number in range(2000))
    for name in names:
        assert (tmp_path / "logs" / f"{name}.log").read_bytes() == sent


def test_files_that_are_rotated_and_moved_meanwhile_hold_every_line_once(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "here.log"
    path.parent.mkdir()
    count = 500
    with running(OneLog(path, Rules(rotate_bytes=512))) as desk:
        for number in range(count):
            desk.say(b"line %d\n" % number)
            if number % 50 == 7:
                desk.writer.rotate()
            if number % 50 == 33:
                desk.wait(lambda wanted=number: len(desk.settled) > wanted)  # type: ignore[misc]
                path.rename(path.with_name(f"moved.{number}"))
            desk.react()
    stored = [line for file in path.parent.iterdir() for line in file.read_bytes().splitlines()]
    assert sorted(stored) == sorted(b"line %d" % number for number in range(count))
    assert len(list(path.parent.iterdir())) > 10
    assert desk.lines() == (count, count, 0, 0)


def test_lines_of_a_file_that_is_removed_before_their_sync_are_in_the_next_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "here.log"
    desk = Desk(OneLog(path, RULES), sync=5.0)
    desk.say(b"one\n")
    desk.step()
    path.unlink()
    desk.step(5)
    assert desk.settled == [(b"one\n", True)]
    assert path.read_bytes() == b"one\n"
    desk.writer.close(DEADLINE)
    desk.step()


def test_a_symbolic_link_in_the_place_of_one_clients_file_is_not_followed_and_stops_nobody(
    tmp_path: Path,
) -> None:
    shelf = LogPerClient(tmp_path / "logs", RULES)
    (tmp_path / "logs" / "ann.log").symlink_to(tmp_path / "elsewhere")
    with capturedLogs() as events, running(shelf) as desk:
        desk.say(b"a\n", "ann")
        desk.say(b"b\n", "bob")
        desk.wait(lambda: len(desk.settled) == 2)
    assert desk.settled == [(b"b\n", True), (b"a\n", False)]
    assert desk.stuck == []
    assert not (tmp_path / "elsewhere").exists()
    assert [formatEvent(event) for event in events] == [
        "cannot open the log of ann: it is a symbolic link; remove it; "
        "its lines are refused, 1 so far"
    ]


def test_a_really_full_device_acknowledges_nothing_and_stops_everybody() -> None:
    with capturedLogs() as events, running(OneLog(Path("/dev/full"), RULES)) as desk:
        desk.say(b"one\n")
        desk.wait(lambda: desk.stuck)
        assert desk.senders[""].waits()
        assert desk.lines() == (1, 0, 1, 0)
        done = desk.writer.close(10)
        desk.clock.advance(10)
        assert done.called
    assert desk.lines() == (1, 0, 0, 1)
    assert [formatEvent(event) for event in events] == [
        "cannot write /dev/full: the disk is full; free some space; "
        "1 lines are held, all senders are paused",
        "the log could not be closed within 10 s; 1 lines are lost",
    ]


def test_a_fifo_whose_reader_stalls_and_reads_on_gets_every_line(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    shelf = OneLog(path, RULES)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sent = b"".join(b"line %d\n" % number for number in range(20_000))
    with running(shelf) as desk:
        desk.say(sent)
        desk.wait(lambda: desk.stuck)
        read = b""
        end = time.monotonic() + DEADLINE
        while len(read) < len(sent):
            assert time.monotonic() < end
            with suppress(BlockingIOError):
                read += os.read(reader, 1 << 20)
            desk.react()
        assert read == sent
        desk.wait(lambda: desk.settled)
    assert desk.stuck == [True, False]
    assert desk.lines() == (20_000, 20_000, 0, 0)
    os.close(reader)
