"""A log whose file, or whose folder, somebody else moves or removes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from tests.logfile.disk import FakeDisk
from tests.logfile.logs import HERE, Clock, begin, put, said


class Meddled(FakeDisk):
    """Somebody else does something while a sync takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.deed: Callable[[], None] | None = None

    def step(self, kind: str, killed: Callable[[], None] = lambda: None) -> None:
        deed, self.deed = self.deed, None if kind == "sync" else self.deed
        if kind == "sync" and deed is not None:
            deed()
        super().step(kind, killed)


@pytest.fixture
def disk() -> Meddled:
    disk = Meddled()
    disk.now = Clock()
    return disk


def test_a_file_that_was_moved_is_noticed_with_the_next_batch(disk: Meddled) -> None:
    log = begin(disk)
    log.write(b"one\n")
    disk.move(HERE, "/logs/elsewhere")
    put(log, b"two\n")
    disk.restart(power=False)
    assert disk.text("/logs/elsewhere") == b"one\n"
    assert disk.text(HERE) == b"two\n"


def test_a_file_that_came_in_the_place_of_a_moved_one_is_continued(disk: Meddled) -> None:
    log = begin(disk)
    put(log, b"one\n")
    disk.move(HERE, "/logs/elsewhere")
    disk.put(HERE, b"theirs\nto")
    put(log, b"two\n")
    assert disk.text(HERE) == b"theirs\ntwo\n"
    assert (log.torn_lines, log.torn_bytes) == (1, 2)
    assert len(disk.open_files) == 1


def test_half_a_record_is_cut_off_a_moved_file_and_written_whole_to_the_next(
    disk: Meddled,
) -> None:
    log = begin(disk)
    disk.fail(errno.ENOSPC, room=6)
    with pytest.raises(OSError):
        log.write(b"one\ntwo\n")
    disk.move(HERE, "/logs/elsewhere")
    disk.heal()
    log.tend()
    assert disk.text("/logs/elsewhere") == b"one\n"
    assert (disk.text(HERE), log.unwritten) == (b"two\n", b"")


def test_what_a_moved_file_may_have_lost_is_in_the_next_one(disk: Meddled) -> None:
    log = begin(disk)
    log.write(b"one\n")
    disk.move(HERE, "/logs/elsewhere")
    disk.fail_step("sync")
    put(log, b"two\n")
    assert disk.text(HERE) == b"one\ntwo\n"


def test_what_was_not_synced_of_a_removed_file_is_written_again(disk: Meddled) -> None:
    log = begin(disk)
    put(log, b"one\n")
    log.write(b"two\n")
    disk.remove(HERE)
    put(log, b"three\n")
    assert disk.text(HERE) == b"two\nthree\n"


def test_a_moved_file_goes_on_while_there_can_be_no_other(disk: Meddled) -> None:
    log = begin(disk)
    put(log, b"one\n")
    disk.move(HERE, "/logs/elsewhere")
    with capturedLogs() as logs:
        for records in (b"two\n", b"three\n"):
            disk.fail_step("create", errno.EACCES)
            put(log, records)
    assert len(said(logs)) == 1
    assert disk.text("/logs/elsewhere") == b"one\ntwo\nthree\n"
    put(log, b"four\n")
    assert disk.text(HERE) == b"four\n"


def test_nothing_is_called_written_while_its_folder_is_gone(disk: Meddled) -> None:
    log = begin(disk)
    put(log, b"one\n")
    disk.remove_folder("/logs")
    log.tend()
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            log.write(b"two\n")
        with pytest.raises(FileNotFoundError):
            log.sync()
    disk.make_folder(Path("/logs"))
    log.write(b"three\n")
    log.sync()
    assert disk.text(HERE) == b"two\ntwo\nthree\n"


def test_what_is_carried_over_is_synced_though_nothing_is_added(disk: Meddled) -> None:
    log = begin(disk)
    log.write(b"one\n")
    disk.remove(HERE)
    log.tend()
    log.sync()
    disk.restart(power=False)
    assert disk.text(HERE) == b"one\n"


def test_a_file_moved_just_before_its_sync_fails_is_left_alone(disk: Meddled) -> None:
    log = begin(disk)
    log.write(b"one\n")
    disk.move(HERE, "/logs/elsewhere")
    disk.fail_step("sync")
    log.sync()
    disk.restart(power=False)
    assert disk.names() == ["elsewhere", "here.log"]
    assert disk.text(HERE) == b"one\n"


def test_the_next_file_is_not_asked_again_either_if_its_sync_fails(disk: Meddled) -> None:
    log = begin(disk)
    log.write(b"one\n")
    disk.move(HERE, "/logs/elsewhere")
    disk.fail_step("sync", nth=1)
    disk.fail_step("sync", nth=2)
    with pytest.raises(OSError):
        log.sync()
    log.sync()
    disk.restart(power=False)
    assert disk.text(HERE) == b"one\n"


def test_what_came_in_its_place_during_a_rotation_is_not_ended(disk: Meddled) -> None:
    log = begin(disk)
    log.write(b"one\n")

    def meddle() -> None:
        disk.move(HERE, "/logs/elsewhere")
        disk.put(HERE, b"theirs\n")

    disk.deed = meddle
    log.rotate()
    assert disk.names() == ["elsewhere", "here.log"]
    put(log, b"two\n")
    assert disk.text("/logs/elsewhere") == b"one\n"
    assert disk.text(HERE) == b"theirs\ntwo\n"
