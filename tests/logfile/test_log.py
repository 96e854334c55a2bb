from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from twisted.logger import capturedLogs

from proto.errors import StartError
from proto.logfile.keeping import Rules
from proto.logfile.log import RETRY_SECONDS, Log
from tests.logfile.disk import FakeDisk
from tests.logfile.logs import FIRST, HERE, Clock, begin, put, said, wait


@pytest.fixture
def disk() -> FakeDisk:
    disk = FakeDisk()
    disk.now = Clock()
    return disk


def test_a_new_log_is_on_the_disk_before_anything_is_written_to_it(disk: FakeDisk) -> None:
    begin(disk)
    assert disk.trail == ["open", "create", "sync folder"]


def test_records_follow_what_is_there(disk: FakeDisk) -> None:
    disk.put(HERE, b"one\n")
    put(begin(disk), b"two\n")
    assert disk.text(HERE) == b"one\ntwo\n"


def test_a_torn_tail_is_set_aside_counted_and_told(disk: FakeDisk) -> None:
    disk.put(HERE, b"whole\nto")
    with capturedLogs() as logs:
        log = begin(disk)
    put(log, b"next\n")
    assert disk.text(HERE) == b"whole\nnext\n"
    assert disk.text(f"{HERE}.torn") == b"to\n"
    assert (log.torn_lines, log.torn_bytes) == (1, 2)
    assert said(logs) == [f"{HERE} ended in half a line; its 2 bytes are in {HERE}.torn now"]


def test_a_torn_tail_without_room_for_it_is_a_clear_refusal_to_start(disk: FakeDisk) -> None:
    disk.put(HERE, b"torn")
    disk.fail(errno.ENOSPC)
    with pytest.raises(StartError, match=r"^/logs/here.log: the disk is full; free some space$"):
        begin(disk)
    assert disk.open_files == set()
    disk.heal()
    begin(disk)


def test_sync_asks_the_disk_only_when_there_is_something_new(disk: FakeDisk) -> None:
    log = begin(disk)
    put(log, b"one\n")
    synced = disk.syncs
    log.sync()
    assert disk.syncs == synced
    put(log, b"two\n")
    assert disk.syncs == synced + 1


def test_what_a_killed_process_left_unsynced_is_synced_too(disk: FakeDisk) -> None:
    begin(disk).write(b"one\n")
    disk.restart()
    begin(disk).sync()
    disk.restart(power=False)
    assert disk.text(HERE) == b"one\n"


def test_sync_first_writes_what_is_held(disk: FakeDisk) -> None:
    log = begin(disk)
    disk.fail(errno.ENOSPC, room=2)
    with pytest.raises(OSError):
        log.write(b"one\n")
    with pytest.raises(OSError) as failure:
        log.sync()
    assert failure.value.errno == errno.ENOSPC
    assert log.unwritten == b"one\n"
    disk.heal()
    log.sync()
    assert (disk.text(HERE), log.unwritten) == (b"one\n", b"")


def test_after_a_failed_sync_that_file_is_never_synced_again(disk: FakeDisk) -> None:
    log = begin(disk)
    put(log, b"one\n")
    log.write(b"two\n")
    log.write(b"three\n")
    disk.fail_step("sync")
    with capturedLogs() as logs:
        log.sync()
    assert disk.text(f"/logs/{FIRST}.unsynced") == b"one\ntwo\nthree\n"
    assert disk.text(HERE) == b"two\nthree\n"
    disk.restart(power=False)
    assert disk.text(HERE) == b"two\nthree\n"
    assert len(said(logs)) == 2
    assert "look at dmesg" in said(logs)[0]
    assert f"the old one is {FIRST}.unsynced" in said(logs)[1]


def test_while_there_is_no_fresh_file_nothing_is_called_synced(disk: FakeDisk) -> None:
    log = begin(disk)
    log.write(b"one\n")
    disk.fail_step("sync")
    disk.fail(errno.ENOSPC)
    for _ in range(3):
        with pytest.raises(OSError) as failure:
            log.sync()
        assert failure.value.errno == errno.ENOSPC
    assert disk.names() == ["here.log"]
    disk.heal()
    log.sync()
    assert disk.text(HERE) == disk.text(f"/logs/{FIRST}.unsynced") == b"one\n"


def test_a_fresh_file_whose_sync_fails_is_not_asked_again_either(disk: FakeDisk) -> None:
    log = begin(disk)
    log.write(b"one\n")
    disk.fail_step("sync", nth=1)
    disk.fail_step("sync", nth=2)
    with pytest.raises(OSError):
        log.sync()
    log.sync()
    disk.restart(power=False)
    assert disk.text(HERE) == b"one\n"


def test_without_a_memory_of_it_a_possible_loss_is_told(disk: FakeDisk) -> None:
    log = begin(disk, Rules(retains=False))
    log.write(b"one\n")
    disk.fail_step("sync")
    with capturedLogs() as logs:
        log.sync()
    assert disk.text(f"/logs/{FIRST}.unsynced") == b"one\n"
    assert disk.text(HERE) == b""
    assert any("may be lost" in line for line in said(logs))


def test_a_file_that_is_large_enough_is_ended_before_the_next_batch(disk: FakeDisk) -> None:
    log = begin(disk, Rules(rotate_bytes=8))
    for records in (b"one\n", b"two\n", b"three\nfour\n", b"five\n"):
        put(log, records)
    assert disk.text(f"/logs/{FIRST}") == b"one\ntwo\n"
    assert disk.text("/logs/here.log.20261121T173000Z.000002") == b"three\nfour\n"
    assert disk.text(HERE) == b"five\n"


def test_a_file_ends_at_whole_multiples_of_its_age_also_over_a_restart(disk: FakeDisk) -> None:
    rules = Rules(rotate_seconds=3600)
    put(begin(disk, rules), b"17:30\n")
    wait(disk, 1799)
    disk.restart()
    log = begin(disk, rules)
    put(log, b"17:59\n")
    wait(disk, 2)
    put(log, b"18:00\n")
    assert disk.text("/logs/here.log.20261121T180001Z.000001") == b"17:30\n17:59\n"
    assert disk.text(HERE) == b"18:00\n"
    wait(disk, 3600)
    disk.restart()
    put(begin(disk, rules), b"19:00\n")
    assert disk.text(HERE) == b"19:00\n"


def test_an_empty_file_is_not_ended_and_becomes_no_older(disk: FakeDisk) -> None:
    log = begin(disk, Rules(rotate_seconds=60))
    wait(disk, 600)
    log.rotate()
    put(log, b"one\n")
    log.tend()
    assert disk.names() == ["here.log"]


def test_a_clock_that_is_set_back_ends_nothing_and_confuses_no_order(disk: FakeDisk) -> None:
    log = begin(disk, Rules(rotate_seconds=60))
    put(log, b"one\n")
    log.rotate()
    wait(disk, -86400)
    put(log, b"two\n")
    put(log, b"three\n")
    log.rotate()
    put(log, b"four\n")
    assert disk.names() == ["here.log", "here.log.20261120T173000Z.000002", FIRST]
    assert disk.stored(HERE) == b"one\ntwo\nthree\nfour\n"


def test_nothing_is_ended_in_the_middle_of_a_record(disk: FakeDisk) -> None:
    log = begin(disk)
    disk.fail(errno.ENOSPC, room=6)
    with pytest.raises(OSError):
        log.write(b"one\ntwo\n")
    log.rotate()
    assert disk.names() == ["here.log"]
    disk.heal()
    put(log, b"three\n")
    assert disk.text(HERE) == b"one\ntwo\nthree\n"
    put(log, b"four\n")
    assert disk.text(f"/logs/{FIRST}") == b"one\ntwo\nthree\n"
    assert disk.text(HERE) == b"four\n"


@pytest.mark.parametrize("kind", ["create", "take_after", "link", "rename", "sync folder"])
def test_a_rotation_that_fails_leaves_all_as_it_was_and_is_told_once(
    disk: FakeDisk, kind: str
) -> None:
    log = begin(disk, Rules(rotate_bytes=1))
    put(log, b"one\n")
    with capturedLogs() as logs:
        disk.fail_step(kind, errno.ENOSPC)
        put(log, b"two\n")
        assert disk.names() == ["here.log"]
        wait(disk, RETRY_SECONDS - 1)
        disk.fail_step(kind, errno.ENOSPC)
        put(log, b"three\n")
        wait(disk, 1)
        put(log, b"four\n")
        disk.heal()
        wait(disk, RETRY_SECONDS)
        put(log, b"five\n")
    assert said(logs) == [
        f"{HERE}: cannot begin a new file: the disk is full; free some space",
        f"{HERE}: can begin a new file again",
    ]
    ended = "/logs/here.log.20261121T173010Z.000001"
    assert disk.text(ended) == b"one\ntwo\nthree\nfour\n"
    assert disk.text(HERE) == b"five\n"


def test_a_sync_that_fails_before_a_rotation_is_a_rotation(disk: FakeDisk) -> None:
    log = begin(disk)
    log.write(b"one\n")
    disk.fail_step("sync")
    log.rotate()
    assert disk.names() == ["here.log", f"{FIRST}.unsynced"]
    assert disk.text(HERE) == b"one\n"


def test_old_segments_are_removed_at_a_rotation_and_at_the_start(disk: FakeDisk) -> None:
    log = begin(disk, Rules(rotate_bytes=1, keep_count=2))
    for number in range(5):
        put(log, b"%d\n" % number)
    assert disk.stored(HERE) == b"2\n3\n4\n"
    disk.restart()
    with capturedLogs() as logs:
        disk.fail_step("unlink")
        log = begin(disk, Rules(keep_count=1))
        log.tend()
    assert disk.stored(HERE) == b"2\n3\n4\n"
    assert "cannot remove old segments" in said(logs)[0]
    log.rotate()
    assert disk.stored(HERE) == b"4\n"


def test_no_thread_is_begun_before_the_first_batch(disk: FakeDisk) -> None:
    disk.put(f"/logs/{FIRST}", b"old\n" * 99)
    before = threading.active_count()
    log = begin(disk, Rules(compress="gzip"))
    assert threading.active_count() == before
    log.tend()
    log.close()
    assert disk.stored(HERE) == b"old\n" * 99
    assert disk.names() in (["here.log", FIRST], ["here.log", f"{FIRST}.gz"])


def test_what_is_closed_takes_nothing_and_leaves_nothing_open(tmp_path: Path) -> None:
    log = Log.open(tmp_path / "here.log", Rules())
    log.close()
    with pytest.raises(OSError) as failure:
        log.write(b"late\n")
    assert failure.value.errno == errno.EBADF
    assert log.unwritten == b"late\n"
    Log.open(tmp_path / "here.log", Rules()).close()
