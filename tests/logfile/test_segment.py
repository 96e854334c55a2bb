from __future__ import annotations

import errno
import os
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from proto.errors import StartError
from proto.logfile.segment import Segment, remedy, why_not
from tests.logfile.disk import FakeDisk

HERE = Path("here.log")


class Stuck:
    """A file that takes nothing and says nothing."""

    def write(self, data: memoryview, /) -> int:
        return 0

    def close(self) -> None: ...


def put(path: Path, records: bytes) -> None:
    segment = Segment.open(path)
    segment.append(records)
    segment.close()


def test_records_are_appended_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    put(path, b"one\n")
    put(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_new_file_is_not_for_everybody_to_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        put(tmp_path / "log.txt", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log.txt").stat().st_mode) == 0o640


def test_a_torn_last_line_is_ended_so_that_the_next_record_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"whole\nto")
    with capturedLogs() as logs:
        put(path, b"next\n")
    assert path.read_bytes() == b"whole\nto\nnext\n"
    assert [event["path"] for event in logs] == [str(path)]


def test_a_torn_line_on_a_full_disk_is_a_clear_refusal_to_start(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"torn")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        with pytest.raises(StartError, match=r"raise the limit \(ulimit -f\)"):
            Segment.open(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_another_writer_does_not_overwrite_us(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    segment = Segment.open(path)
    put(path, b"theirs\n")
    segment.append(b"ours\n")
    segment.close()
    assert path.read_bytes() == b"theirs\nours\n"


def test_short_writes_are_continued() -> None:
    disk = FakeDisk()
    disk.at_once = 2
    segment = disk.open(HERE)
    segment.append(b"one\ntwo\n")
    assert disk.stored == b"one\ntwo\n"
    assert (disk.writes, segment.taken, segment.unwritten) == (4, 8, b"")


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG])
def test_what_a_full_disk_did_not_take_is_written_first_when_there_is_room(trouble: int) -> None:
    disk = FakeDisk()
    segment = disk.open(HERE)
    disk.fail(trouble, room=6)
    with pytest.raises(OSError) as failure:
        segment.append(b"one\ntwo\nthree\n")
    assert failure.value.errno == trouble
    assert (disk.stored, segment.unwritten, segment.taken) == (b"one\ntw", b"two\nthree\n", 6)
    disk.fail(trouble, room=1)
    with pytest.raises(OSError):
        segment.append(b"four\n")
    assert (disk.stored, segment.unwritten) == (b"one\ntwo", b"two\nthree\nfour\n")
    disk.heal()
    segment.append(b"")
    assert (disk.stored, segment.unwritten) == (b"one\ntwo\nthree\nfour\n", b"")


def test_a_write_that_takes_nothing_is_an_error_and_no_endless_loop() -> None:
    segment = Segment(Stuck())
    with pytest.raises(OSError) as failure:
        segment.append(b"one\n")
    assert failure.value.errno == errno.EIO
    assert segment.unwritten == b"one\n"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.binary(max_size=6))))
def test_nothing_is_lost_doubled_or_reordered(steps: list[tuple[int, int, bytes]]) -> None:
    disk = FakeDisk()
    segment = disk.open(HERE)
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
        whole = disk.stored[: disk.stored.rfind(b"\n") + 1]
        assert whole + segment.unwritten == given_
    disk.heal()
    segment.append(b"")
    assert disk.stored == given_


def test_a_device_and_a_fifo_can_be_written_to(tmp_path: Path) -> None:
    put(Path("/dev/null"), b"gone\n")
    os.mkfifo(tmp_path / "fifo")
    segment = Segment.open(tmp_path / "fifo")
    segment.append(b"through\n")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(reader, 100) == b"through\n"
    with pytest.raises(BlockingIOError):
        segment.append(b"x" * 1_000_000 + b"\n")
    os.close(reader)
    segment.close()


def test_a_really_full_device_says_so_and_keeps_the_record() -> None:
    segment = Segment.open(Path("/dev/full"))
    with pytest.raises(OSError) as failure:
        segment.append(b"one\n")
    assert failure.value.errno == errno.ENOSPC
    assert segment.unwritten == b"one\n"
    segment.close()


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "not here" / "log.txt"
    with pytest.raises(StartError) as refusal:
        Segment.open(path)
    remedied = f"no such folder; create it: mkdir -p '{tmp_path}/not here'"
    assert str(refusal.value) == f"{path}: {remedied}"


def test_a_link_into_a_missing_folder_names_that_folder(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.symlink_to(tmp_path / "gone" / "log.txt")
    with pytest.raises(StartError, match=rf"mkdir -p {tmp_path}/gone$"):
        Segment.open(path)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(StartError) as refusal:
        Segment.open(tmp_path)
    remedied = f"it is a folder; name a file in it, such as {tmp_path}/log.txt"
    assert str(refusal.value) == f"{tmp_path}: {remedied}"


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StartError, match="not a folder; choose another file"):
        Segment.open(tmp_path / "file" / "log.txt")


def test_no_permission_is_told_with_who_we_are_and_where(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    me = os.geteuid()
    path = tmp_path / "log.txt"
    if me == 0:
        os.seteuid(65534)
    else:
        tmp_path.chmod(0)
    try:
        with pytest.raises(StartError) as refusal:
            Segment.open(path)
        user = os.geteuid()
    finally:
        os.seteuid(me)
        tmp_path.chmod(0o700)
    assert str(refusal.value) == (
        f"{path}: no permission; let user {user} read and write it and its folder {tmp_path},"
        " or choose another file"
    )


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(StartError, match=r"null byte; choose another file$"):
        Segment.open(Path("log\0.txt"))


def test_a_socket_is_refused(tmp_path: Path) -> None:
    os.mknod(tmp_path / "sock", 0o600 | stat.S_IFSOCK)
    with pytest.raises(StartError, match="it is a socket"):
        Segment.open(tmp_path / "sock")


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
