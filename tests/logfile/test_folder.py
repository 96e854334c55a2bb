from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from twisted.logger import capturedLogs, formatEvent

from proto.errors import StartError
from proto.logfile.filesystem import REAL, FileSystem, Folder
from proto.logfile.folder import Place, locked
from tests.logfile.disk import FakeDisk, FakeFolder

NOW = 1_795_282_200.0
FOLDER = Path("/logs")
HERE = FOLDER / "here.log"
FIRST = "here.log.20261121T173000Z.000001"


def begin(disk: FakeDisk, **files: bytes) -> Place:
    """A place with these files: `log` is the log, `fresh` is NAME.fresh."""
    for name, data in files.items():
        disk.put(f"/logs/here.log{'' if name == 'log' else '.' + name}", data)
    return Place(disk.folder(FOLDER), "here.log")


def swap(place: Place, records: bytes = b"", ending: str = "") -> str:
    ours = place.status()
    assert ours is not None
    file, name = place.swap(ours, NOW, records, ending)
    file.close()
    return name


class Unlocked:
    """A disk whose folders cannot be locked, as on NFS."""

    def __init__(self, disk: FakeDisk, number: int) -> None:
        self._disk, self._number = disk, number

    def folder(self, path: Path) -> Folder:
        number = self._number

        class Odd(FakeFolder):
            def lock(self) -> None:
                raise OSError(number, os.strerror(number))

        return Odd(self._disk, path, self._disk.directory(path))

    append_to = make_folder = real = None


def without_locks(number: int) -> FileSystem:
    return Unlocked(FakeDisk(), number)  # type: ignore[return-value]


def test_a_folder_that_is_locked_is_refused_by_its_name() -> None:
    disk = FakeDisk()
    folder = locked(disk, HERE, FOLDER)
    with pytest.raises(StartError) as refusal:
        locked(disk, Path("here.log"), FOLDER)
    assert str(refusal.value) == (
        "here.log: another log receiver writes into /logs; stop it, or name a file in another"
        " folder"
    )
    folder.close()
    locked(disk, HERE, FOLDER)


def test_where_nothing_can_be_locked_a_warning_must_do() -> None:
    with capturedLogs() as logs:
        locked(without_locks(errno.EBADF), HERE, FOLDER)
    assert [formatEvent(event) for event in logs] == [
        "/logs cannot be locked (Bad file descriptor); see to it that nobody else writes logs there"
    ]


def test_another_failure_to_lock_is_a_failure() -> None:
    with pytest.raises(PermissionError):
        locked(without_locks(errno.EACCES), HERE, FOLDER)


def test_the_log_becomes_a_segment_and_a_fresh_file_the_log() -> None:
    disk = FakeDisk()
    place = begin(disk, log=b"old\n")
    assert swap(place) == FIRST
    assert (disk.text(f"/logs/{FIRST}"), disk.text("/logs/here.log")) == (b"old\n", b"")
    assert place.number == 1
    disk.restart(power=False)
    assert disk.names() == ["here.log", FIRST]


def test_records_are_on_the_disk_in_the_fresh_file_before_it_is_the_log() -> None:
    disk = FakeDisk()
    place = begin(disk, log=b"old\nnew\n")
    disk.trail.clear()
    assert swap(place, b"new\n", ".unsynced") == f"{FIRST}.unsynced"
    done = ["create", "take_after", "write", "sync", "link", "rename", "sync folder", "close"]
    assert disk.trail == done
    assert disk.text("/logs/here.log") == b"new\n"


def test_without_links_the_log_is_renamed() -> None:
    disk = FakeDisk(has_links=False)
    assert swap(begin(disk, log=b"old\n")) == FIRST
    assert (disk.text(f"/logs/{FIRST}"), disk.text("/logs/here.log")) == (b"old\n", b"")


@pytest.mark.parametrize("has_links", [True, False])
def test_no_file_that_is_there_is_overwritten(has_links: bool) -> None:
    """Even if it came after the folder was read; the fake shows it only to who asks by name."""
    disk = FakeDisk(has_links=has_links)

    class Late(FakeFolder):
        def names(self) -> list[str]:
            return [name for name in super().names() if name != FIRST]

    place = Place(Late(disk, FOLDER, disk.directory(FOLDER)), "here.log")
    disk.put("/logs/here.log", b"old\n")
    disk.put(f"/logs/{FIRST}", b"theirs")
    assert swap(place) == "here.log.20261121T173000Z.000002"
    assert disk.text(f"/logs/{FIRST}") == b"theirs"


def test_numbers_go_on_though_all_segments_were_taken_away() -> None:
    disk = FakeDisk()
    place = begin(disk, log=b"old\n")
    swap(place)
    disk.remove(f"/logs/{FIRST}")
    assert swap(place) == "here.log.20261121T173000Z.000002"


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("records", [b"", b"new\n"])
def test_each_step_that_fails_is_undone(has_links: bool, records: bytes) -> None:
    for step in range(1, 100):
        disk = FakeDisk(has_links=has_links)
        place = begin(disk, log=b"old\n")
        before = place.status()
        disk.fail_step("", nth=step)
        assert before is not None
        try:
            place.swap(before, NOW, records)
        except OSError:
            assert place.status() == before
            assert (disk.names(), disk.text("/logs/here.log")) == (["here.log"], b"old\n")
            assert not disk.open_files
            disk.heal()
            swap(place, records)
            assert len(disk.names()) == 2
        else:
            break
    assert step > 5


def test_after_a_failed_step_the_power_may_go_as_well() -> None:
    for seed in range(20):
        disk = FakeDisk()
        place = begin(disk, log=b"old\n")
        disk.fail_step("sync folder")
        with pytest.raises(OSError):
            swap(place)
        disk.restart(power=False, chance=random.Random(seed))
        assert (disk.names(), disk.text("/logs/here.log")) == (["here.log"], b"old\n")


def test_a_second_name_that_stayed_goes_before_there_is_a_third() -> None:
    disk = FakeDisk()
    place = begin(disk, log=b"old\n")
    disk.fail_step("rename")
    for nth in (1, 2):
        disk.fail_step("unlink", nth=nth)
    with capturedLogs() as logs, pytest.raises(OSError):
        swap(place)
    assert len(logs) == 2
    assert disk.names() == ["here.log", FIRST, "here.log.fresh"]
    disk.fail_step("unlink")
    with capturedLogs() as logs, pytest.raises(OSError):
        swap(place)
    assert len(logs) == 1
    swap(place)
    assert disk.names() == ["here.log", FIRST]
    assert (disk.text("/logs/here.log"), disk.text(f"/logs/{FIRST}")) == (b"", b"old\n")


def test_what_was_moved_away_meanwhile_is_not_taken_for_the_log() -> None:
    disk = FakeDisk()
    place = begin(disk, log=b"old\n")
    ours = place.status()
    assert ours is not None
    disk.remove("/logs/here.log")
    disk.put("/logs/here.log", b"theirs")
    with pytest.raises(OSError) as failure:
        place.swap(ours, NOW)
    assert failure.value.errno == errno.ESTALE
    assert (disk.names(), disk.text("/logs/here.log")) == (["here.log"], b"theirs")


def test_a_fresh_file_becomes_the_log_if_the_log_was_moved_already() -> None:
    disk = FakeDisk()
    place = begin(disk, fresh=b"new\n")
    place.tidy()
    assert (disk.names(), disk.text("/logs/here.log")) == (["here.log"], b"new\n")


def test_a_fresh_file_beside_the_log_is_removed() -> None:
    disk = FakeDisk()
    place = begin(disk, log=b"old\n", fresh=b"copies\n")
    place.tidy()
    assert (disk.names(), disk.text("/logs/here.log")) == (["here.log"], b"old\n")


def test_what_was_left_half_done_is_removed_and_nothing_else() -> None:
    disk = FakeDisk()
    place = begin(disk, log=b"old\n", torn=b"", txt=b"")
    place.folder.link("here.log", f"{FIRST}.unsynced")
    kept = [
        "here.log.20261121T173000Z.000002",
        "here.log.20261121T173000Z.000003.gz",
        "here.log.20261121T173000Z.000004.unsynced",
    ]
    for name in kept:
        disk.put(f"/logs/{name}", b"x")
    disk.put("/logs/here.log.20261121T173000Z.000005", b"")
    disk.put("/logs/here.log.20261121T173000Z.000006.gz.part", b"x")
    place.tidy()
    assert disk.names() == ["here.log", *kept, "here.log.torn", "here.log.txt"]
    assert place.number == 6


def test_the_log_is_no_fifo_and_no_link(tmp_path: Path) -> None:
    folder = REAL.folder(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("elsewhere")
    for name, number in (("fifo", errno.EINVAL), ("link", errno.ELOOP)):
        with pytest.raises(OSError) as failure:
            Place(folder, name).open()
        assert failure.value.errno == number
    assert not (tmp_path / "elsewhere").exists()
    folder.close()


def test_a_log_whose_folder_was_not_synced_is_not_open() -> None:
    disk = FakeDisk()
    place = begin(disk)
    disk.fail_step("sync folder")
    with pytest.raises(OSError):
        place.open()
    assert not disk.open_files
    place.open()
    disk.restart(power=False)
    assert disk.names() == ["here.log"]
