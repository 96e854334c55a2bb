from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.filesystem import File, Folder
from proto.logfile.segment import Segment, remedy, set_tail_aside, why_not
from tests.logfile.disk import FakeDisk, FakeFile, Killed

HERE = Path("here.log")


class Full(FakeFile):
    """A file that takes nothing and says nothing."""

    def write(self, data: memoryview, /) -> int:
        return 0


def begin(disk: FakeDisk, data: bytes = b"") -> tuple[Folder, File]:
    disk.put("/logs/here.log", data)
    folder = disk.folder(Path("/logs"))
    return folder, folder.append_to("here.log")


def stored(disk: FakeDisk) -> bytes:
    return disk.text("/logs/here.log")


def test_records_are_appended_to_what_is_there() -> None:
    disk = FakeDisk()
    segment = Segment(begin(disk, b"one\n")[1])
    segment.append(b"two\n")
    assert stored(disk) == b"one\ntwo\n"
    assert segment.is_whole


def test_short_writes_are_continued() -> None:
    disk = FakeDisk()
    disk.at_once = 2
    segment = Segment(begin(disk)[1])
    segment.append(b"one\ntwo\n")
    assert stored(disk) == b"one\ntwo\n"
    assert (disk.writes, segment.unwritten) == (4, b"")


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
def test_what_a_full_disk_did_not_take_is_written_first_when_there_is_room(trouble: int) -> None:
    disk = FakeDisk()
    segment = Segment(begin(disk)[1])
    disk.fail(trouble, room=6)
    with pytest.raises(OSError) as failure:
        segment.append(b"one\ntwo\nthree\n")
    assert failure.value.errno == trouble
    assert (stored(disk), segment.unwritten) == (b"one\ntw", b"two\nthree\n")
    disk.fail(trouble, room=1)
    with pytest.raises(OSError):
        segment.append(b"four\n")
    assert (stored(disk), segment.unwritten) == (b"one\ntwo", b"two\nthree\nfour\n")
    assert not segment.is_whole
    disk.heal()
    segment.append(b"")
    assert (stored(disk), segment.unwritten) == (b"one\ntwo\nthree\nfour\n", b"")


def test_a_write_that_takes_nothing_is_an_error_and_no_endless_loop() -> None:
    disk = FakeDisk()
    segment = Segment(Full(disk, disk.new_inode()))
    with pytest.raises(OSError) as failure:
        segment.append(b"one\n")
    assert failure.value.errno == errno.EIO
    assert segment.unwritten == b"one\n"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.binary(max_size=6))))
def test_nothing_is_lost_doubled_or_reordered(steps: list[tuple[int, int, bytes]]) -> None:
    disk = FakeDisk()
    segment = Segment(begin(disk)[1])
    given_ = b""
    for room, at_once, line in steps:
        disk.at_once = at_once
        disk.fail(errno.ENOSPC, room)
        record = line.replace(b"\n", b"") + b"\n"
        given_ += record
        try:
            segment.append(record)
        except OSError:
            assert segment.unwritten
        whole = stored(disk)[: stored(disk).rfind(b"\n") + 1]
        assert whole + segment.unwritten == given_
    disk.heal()
    segment.append(b"")
    assert stored(disk) == given_


def test_a_record_that_was_begun_is_cut_off_so_that_it_can_be_written_elsewhere() -> None:
    disk = FakeDisk()
    segment = Segment(begin(disk, b"one\n")[1])
    disk.fail(errno.ENOSPC, room=6)
    with pytest.raises(OSError):
        segment.append(b"two\nthree\n")
    segment.cut_begun()
    assert (stored(disk), segment.unwritten) == (b"one\ntwo\n", b"three\n")
    disk.heal()
    segment.append(b"")
    assert stored(disk) == b"one\ntwo\nthree\n"


def test_a_record_that_was_begun_stays_if_somebody_wrote_behind_it() -> None:
    disk = FakeDisk()
    folder, file = begin(disk)
    segment = Segment(file)
    disk.fail(errno.ENOSPC, room=2)
    with pytest.raises(OSError):
        segment.append(b"two\n")
    disk.heal()
    Segment(folder.append_to("here.log")).append(b"theirs\n")
    segment.cut_begun()
    assert (stored(disk), segment.unwritten) == (b"twtheirs\n", b"two\n")


@pytest.mark.parametrize(
    ("data", "kept", "tail"),
    [
        (b"", b"", b""),
        (b"whole\n", b"whole\n", b""),
        (b"whole\nto", b"whole\n", b"to"),
        (b"only half", b"", b"only half"),
        (b"a\n" + b"x" * 70_000, b"a\n", b"x" * 70_000),
        (b"y" * 70_000 + b"\nz", b"y" * 70_000 + b"\n", b"z"),
        (b"a\n" + b"x" * 2_500_000, b"a\n", b"x" * 2_500_000),
    ],
    ids=["empty", "whole", "torn", "no line at all", "long tail", "long line", "in pieces"],
)
def test_a_torn_tail_is_set_aside(data: bytes, kept: bytes, tail: bytes) -> None:
    disk = FakeDisk()
    folder, file = begin(disk, data)
    assert set_tail_aside(folder, "here.log", file) == len(tail)
    disk.restart(power=False)
    assert stored(disk) == kept
    if tail:
        assert disk.text("/logs/here.log.torn") == tail + b"\n"
    else:
        assert disk.names() == ["here.log"]


def test_each_torn_tail_is_a_line_of_its_own() -> None:
    disk = FakeDisk()
    disk.put("/logs/here.log.torn", b"first\nsecond, not finis")
    folder, file = begin(disk, b"third")
    set_tail_aside(folder, "here.log", file)
    assert disk.text("/logs/here.log.torn") == b"first\nsecond, not finis\nthird\n"


@pytest.mark.parametrize("seed", [None, *range(5)])
@pytest.mark.parametrize("power", [True, False])
def test_a_torn_tail_is_never_lost_wherever_its_move_is_cut_off(
    seed: int | None, power: bool
) -> None:
    for step in range(1, 100):
        disk = FakeDisk()
        folder, file = begin(disk, b"whole\ntorn")
        disk.kill_at = step
        try:
            set_tail_aside(folder, "here.log", file)
        except Killed:
            disk.restart(power=power, chance=None if seed is None else random.Random(seed))
        else:
            break
        folder = disk.folder(Path("/logs"))
        set_tail_aside(folder, "here.log", folder.append_to("here.log"))
        assert stored(disk) == b"whole\n"
        assert disk.text("/logs/here.log.torn").endswith(b"torn\n")
    assert step > 5


def test_a_torn_tail_stays_where_it_is_if_there_is_no_room_for_it_elsewhere() -> None:
    disk = FakeDisk()
    folder, file = begin(disk, b"whole\ntorn")
    disk.fail(errno.ENOSPC, room=2)
    with pytest.raises(OSError) as failure:
        set_tail_aside(folder, "here.log", file)
    assert failure.value.errno == errno.ENOSPC
    assert stored(disk) == b"whole\ntorn"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "the file system is read-only; remount it or choose another file"),
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk quota is used up; raise it or free some space"),
        (errno.ENAMETOOLONG, "File name too long; choose another file"),
    ],
)
def test_other_reasons_not_to_open_have_their_remedy_too(number: int, words: str) -> None:
    assert why_not(HERE, OSError(number, os.strerror(number))) == f"here.log: {words}"


def test_an_error_without_a_number_is_still_told() -> None:
    assert remedy(OSError("odd")) == "odd; choose another file"
