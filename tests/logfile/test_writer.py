from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from proto.logfile.segment import Segment
from proto.logfile.writer import TurnWriter
from proto.metrics import Metrics
from tests.logfile.disk import FakeDisk, figures, in_balance

HERE = Path("here.log")
Said = Callable[[], list[str]]


class Desk:
    """A writer with everything around it."""

    def __init__(self, path: Path = HERE, disk: FakeDisk | None = None) -> None:
        self.disk = disk
        self.clock = Clock()
        self.metrics = Metrics()
        self.told: list[str] = []
        self.writer = TurnWriter(
            path,
            self.clock,
            self.metrics,
            pause=lambda: self.told.append("pause"),
            resume=lambda: self.told.append("resume"),
            open_segment=disk.open if disk else Segment.open,
        )

    def lines(self) -> tuple[int, ...]:
        assert in_balance(self.metrics)
        shown = figures(self.metrics)
        names = ("received", "written", "held", "refused")
        return tuple(int(shown[f"logfile_lines_{name}"]) for name in names)


@pytest.fixture
def disk() -> FakeDisk:
    return FakeDisk()


@pytest.fixture
def desk(disk: FakeDisk) -> Desk:
    return Desk(disk=disk)


@pytest.fixture
def said() -> Iterator[Said]:
    """What was logged so far, as text."""
    with capturedLogs() as events:
        yield lambda: [formatEvent(event) for event in events]


def test_all_that_one_turn_brought_is_written_at_once(desk: Desk, disk: FakeDisk) -> None:
    desk.writer.append(b"one\ntwo\n", 2)
    desk.writer.append(b"three\n", 1)
    assert desk.lines() == (3, 0, 3, 0)
    desk.clock.advance(0)
    assert (disk.stored, disk.writes) == (b"one\ntwo\nthree\n", 1)
    assert desk.lines() == (3, 3, 0, 0)
    assert not desk.clock.getDelayedCalls()
    shown = figures(desk.metrics)
    assert shown["logfile_bytes_written"] == 14
    assert shown["logfile_write_seconds_count"] == 1


def test_a_full_disk_pauses_once_is_said_once_and_is_tried_each_second(
    desk: Desk, disk: FakeDisk, said: Said
) -> None:
    disk.fail(errno.ENOSPC, room=6)
    desk.writer.append(b"one\ntwo\n", 2)
    desk.clock.advance(0)
    assert desk.writer.full
    assert desk.lines() == (2, 1, 1, 0)
    assert figures(desk.metrics)["logfile_disk_full"] == 1
    desk.writer.append(b"late\n", 1)
    for _ in range(3):
        desk.clock.advance(1)
    assert disk.writes == 2 + 3
    assert desk.lines() == (3, 1, 2, 0)
    assert desk.told == ["pause"]
    assert said() == [
        "cannot write here.log: the disk is full; free some space; "
        "1 lines are held, all senders are paused"
    ]
    disk.heal()
    desk.clock.advance(1)
    assert disk.stored == b"one\ntwo\nlate\n"
    assert desk.told == ["pause", "resume"]
    assert desk.lines() == (3, 3, 0, 0)
    assert figures(desk.metrics)["logfile_disk_full"] == 0
    assert figures(desk.metrics)["logfile_bytes_written"] == 13
    assert not desk.clock.getDelayedCalls()


def test_a_trouble_that_becomes_another_is_said_again(
    desk: Desk, disk: FakeDisk, said: Said
) -> None:
    disk.fail(errno.ENOSPC)
    desk.writer.append(b"one\n", 1)
    desk.clock.advance(0)
    disk.fail(errno.EIO)
    desk.clock.pump([1, 1])
    disk.heal()
    desk.clock.advance(1)
    held = "1 lines are held, all senders are paused"
    assert said() == [
        f"cannot write here.log: the disk is full; free some space; {held}",
        "cannot write here.log: the disk reports an error; "
        f"look at dmesg and replace the disk; {held}",
        "here.log takes lines again",
    ]
    assert desk.told == ["pause", "resume"]


def test_a_slow_reader_of_a_fifo_is_waited_for_without_a_word(
    desk: Desk, disk: FakeDisk, said: Said
) -> None:
    disk.fail(errno.EAGAIN, room=1)
    desk.writer.append(b"one\n", 1)
    desk.clock.advance(0)
    assert desk.told == ["pause"]
    disk.heal()
    desk.clock.advance(0.05)
    assert desk.told == ["pause", "resume"]
    assert disk.stored == b"one\n"
    assert said() == []


def test_close_writes_what_is_held_and_what_comes_later_is_refused(
    desk: Desk, disk: FakeDisk
) -> None:
    desk.writer.append(b"one\n", 1)
    desk.writer.close()
    assert disk.stored == b"one\n"
    assert disk.files[0].closed
    desk.writer.append(b"late\n", 1)
    desk.writer.reopen()
    desk.writer.close()
    assert desk.lines() == (2, 1, 0, 1)
    assert len(disk.files) == 1
    assert not desk.clock.getDelayedCalls()


def test_close_tries_a_full_disk_once_more(desk: Desk, disk: FakeDisk) -> None:
    disk.fail(errno.ENOSPC, room=2)
    desk.writer.append(b"one\n", 1)
    desk.clock.advance(0)
    disk.heal()
    desk.writer.close()
    assert disk.stored == b"one\n"
    assert desk.lines() == (1, 1, 0, 0)
    assert not desk.clock.getDelayedCalls()


def test_close_on_a_disk_that_stays_full_says_what_is_lost(
    desk: Desk, disk: FakeDisk, said: Said
) -> None:
    disk.fail(errno.ENOSPC, room=6)
    desk.writer.append(b"one\ntwo\nthree\n", 3)
    desk.writer.close()
    assert desk.lines() == (3, 1, 0, 2)
    assert said() == ["2 lines (10 bytes) could not be written to here.log and are lost"]
    assert desk.told == []
    assert not desk.clock.getDelayedCalls()


def test_an_error_while_closing_is_said(desk: Desk, disk: FakeDisk, said: Said) -> None:
    disk.fails_to_close = errno.EIO
    desk.writer.close()
    assert said() == [
        "closing here.log: the disk reports an error; look at dmesg and replace the disk"
    ]


def test_reopen_goes_on_in_a_new_file(desk: Desk, disk: FakeDisk, said: Said) -> None:
    desk.writer.append(b"one\n", 1)
    desk.writer.reopen()
    desk.writer.append(b"two\n", 1)
    desk.clock.advance(0)
    assert [file.data for file in disk.files] == [b"one\n", b"two\n"]
    assert [file.closed for file in disk.files] == [True, False]
    assert said() == ["reopened here.log"]
    assert desk.lines() == (2, 2, 0, 0)


def test_reopen_of_a_real_file_after_logrotate_moved_it(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    desk = Desk(path)
    desk.writer.append(b"one\n", 1)
    desk.clock.advance(0)
    path.rename(tmp_path / "log.txt.1")
    desk.writer.append(b"two\n", 1)
    desk.writer.reopen()
    desk.writer.append(b"three\n", 1)
    desk.writer.close()
    assert (tmp_path / "log.txt.1").read_bytes() == b"one\ntwo\n"
    assert path.read_bytes() == b"three\n"


def test_a_reopen_that_fails_goes_on_in_the_old_file(
    desk: Desk, disk: FakeDisk, said: Said
) -> None:
    disk.fails_to_open = True
    desk.writer.reopen()
    desk.writer.append(b"one\n", 1)
    desk.clock.advance(0)
    assert disk.files[0].data == b"one\n"
    assert not disk.files[0].closed
    assert said() == ["not reopened, going on in the old file: here.log: no"]


def test_reopen_takes_a_record_that_is_half_written_whole_to_the_new_file(
    desk: Desk, disk: FakeDisk
) -> None:
    disk.fail(errno.ENOSPC, room=6)
    desk.writer.append(b"one\ntwo\n", 2)
    desk.clock.advance(0)
    desk.writer.append(b"three\n", 1)
    disk.fail(errno.ENOSPC, room=0)
    desk.writer.reopen()
    assert desk.lines() == (3, 1, 2, 0)
    disk.heal()
    desk.clock.advance(1)
    assert [file.data for file in disk.files] == [b"one\ntw", b"two\nthree\n"]
    assert desk.told == ["pause", "resume"]
    assert desk.lines() == (3, 3, 0, 0)


def test_a_reopen_onto_a_disk_with_room_lets_everybody_go_on_at_once(
    desk: Desk, disk: FakeDisk
) -> None:
    disk.fail(errno.ENOSPC)
    desk.writer.append(b"one\n", 1)
    desk.clock.advance(0)
    disk.heal()
    desk.writer.reopen()
    assert desk.told == ["pause", "resume"]
    assert disk.stored == b"one\n"
    assert not desk.clock.getDelayedCalls()


def test_a_really_full_device_loses_nothing_silently() -> None:
    desk = Desk(Path("/dev/full"))
    desk.writer.append(b"one\n", 1)
    desk.clock.advance(0)
    assert desk.told == ["pause"]
    assert desk.lines() == (1, 0, 1, 0)
    desk.writer.close()
    assert desk.lines() == (1, 0, 0, 1)


def test_a_fifo_whose_reader_stalls_and_reads_on_gets_every_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    desk = Desk(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    sent = b"".join(b"line %d\n" % number for number in range(20_000))
    desk.writer.append(sent, 20_000)
    desk.clock.advance(0)
    assert desk.writer.full
    read = b""
    while len(read) < len(sent):
        read += os.read(reader, 1 << 20)
        desk.clock.advance(0.05)
    assert read == sent
    assert desk.lines() == (20_000, 20_000, 0, 0)
    desk.writer.close()
    os.close(reader)
