"""Logs opened on what a real system has: devices, FIFOs, links, folders without permission."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proto.errors import StartError
from proto.logfile.keeping import Rules
from proto.logfile.log import Log

RULES = Rules(rotate_bytes=1)


def put(log: Log, records: bytes) -> None:
    log.tend()
    log.write(records)
    log.sync()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a file system that takes no more; SIGXFSZ is ignored by Python."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_is_not_for_everybody_to_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Log.open(tmp_path / "log.txt", RULES).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log.txt").stat().st_mode) == 0o640


def test_segments_are_as_readable_as_the_file_was(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"one\n")
    path.chmod(0o604)
    log = Log.open(path, RULES)
    put(log, b"two\n")
    log.close()
    old, new = tmp_path / names(tmp_path)[1], path
    assert (old.read_bytes(), new.read_bytes()) == (b"one\n", b"two\n")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (old, new)] == [0o604, 0o604]


def test_another_program_that_appends_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    log = Log.open(path, Rules())
    with path.open("ab") as other:
        other.write(b"theirs\n")
    put(log, b"ours\n")
    log.close()
    assert path.read_bytes() == b"theirs\nours\n"


def test_a_file_moved_for_real_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    log = Log.open(path, Rules())
    put(log, b"one\n")
    path.rename(tmp_path / "log.txt.1")
    put(log, b"two\n")
    log.close()
    assert (tmp_path / "log.txt.1").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


def test_a_folder_removed_for_real_stops_the_log_until_it_is_there_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = Log.open(folder / "log.txt", Rules())
    put(log, b"one\n")
    (folder / "log.txt").unlink()
    folder.rmdir()
    log.tend()
    with pytest.raises(FileNotFoundError):
        log.write(b"two\n")
    folder.mkdir()
    log.sync()
    assert (folder / "log.txt").read_bytes() == b"two\n"
    with pytest.raises(StartError, match="another log receiver"):
        Log.open(folder / "log.txt", Rules())
    log.close()


def test_a_second_writer_into_the_folder_is_refused_until_the_first_one_ends(
    tmp_path: Path,
) -> None:
    log = Log.open(tmp_path / "log.txt", Rules())
    for name in ("log.txt", "other.txt"):
        with pytest.raises(StartError) as refusal:
            Log.open(tmp_path / name, Rules())
        assert str(refusal.value) == (
            f"{tmp_path / name}: another log receiver writes into {tmp_path}; stop it, or name a"
            " file in another folder"
        )
    assert names(tmp_path) == ["log.txt"]
    log.close()
    Log.open(tmp_path / "log.txt", Rules()).close()


def test_a_file_system_that_takes_no_more_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    log = Log.open(path, Rules())
    with largest_file(6):
        with pytest.raises(OSError) as failure:
            log.write(b"one\ntwo\n")
        assert failure.value.errno == errno.EFBIG
        assert (path.read_bytes(), log.unwritten) == (b"one\ntw", b"two\n")
    log.write(b"")
    log.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_torn_line_that_has_no_room_is_a_clear_refusal_to_start(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"torn")
    with largest_file(4), pytest.raises(StartError, match=r"raise the limit \(ulimit -f\)"):
        Log.open(path, Rules())
    assert path.read_bytes() == b"torn"


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full", "/dev/zero"])
def test_a_device_is_only_written_to(device: str, tmp_path: Path) -> None:
    log = Log.open(Path(device), RULES)
    again = Log.open(Path(device), RULES)  # no lock
    log.tend()
    log.rotate()
    if device == "/dev/full":
        with pytest.raises(OSError) as failure:
            log.write(b"one\n")
        assert failure.value.errno == errno.ENOSPC
        assert log.unwritten == b"one\n"
    else:
        put(log, b"one\n")
        put(log, b"two\n")
        assert log.unwritten == b""
    log.close()
    again.close()


def test_a_fifo_is_written_to_and_a_slow_reader_means_to_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    log = Log.open(tmp_path / "fifo", RULES)
    put(log, b"through\n")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(reader, 100) == b"through\n"
    with pytest.raises(BlockingIOError):
        log.write(b"x" * 1_000_000 + b"\n")
    with pytest.raises(BlockingIOError):
        log.sync()
    log.tend()
    assert os.read(reader, 10) == b"x" * 10
    os.close(reader)
    log.close()
    assert names(tmp_path) == ["fifo"]


def test_standard_output_can_be_a_log(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    log = Log.open(Path(f"/dev/fd/{writer}"), RULES)
    put(log, b"one\n")
    assert os.read(reader, 100) == b"one\n"
    log.close()
    os.close(reader)
    os.close(writer)


def test_a_file_that_has_no_name_any_more_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "gone").open("wb") as file:
        (tmp_path / "gone").unlink()
        with pytest.raises(StartError, match="no name any more; choose another file"):
            Log.open(Path(f"/dev/fd/{file.fileno()}"), Rules())
    assert names(tmp_path) == []


def test_segments_lie_beside_the_file_that_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "log.txt").symlink_to(tmp_path / "real" / "data.log")
    log = Log.open(tmp_path / "log.txt", RULES)
    put(log, b"one\n")
    put(log, b"two\n")
    log.close()
    assert names(tmp_path) == ["log.txt", "real"]
    assert len(names(tmp_path / "real")) == 2
    assert (tmp_path / "log.txt").read_bytes() == b"two\n"


def test_a_missing_folder_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "not here" / "log.txt"
    with pytest.raises(StartError) as refusal:
        Log.open(path, Rules())
    remedied = f"no such folder; create it: mkdir -p '{tmp_path}/not here'"
    assert str(refusal.value) == f"{path}: {remedied}"


def test_a_link_into_a_missing_folder_names_that_folder(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.symlink_to(tmp_path / "gone" / "log.txt")
    with pytest.raises(StartError, match=rf"mkdir -p {tmp_path}/gone$"):
        Log.open(path, Rules())


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(StartError) as refusal:
        Log.open(tmp_path, Rules())
    remedied = f"it is a folder; name a file in it, such as {tmp_path}/log.txt"
    assert str(refusal.value) == f"{tmp_path}: {remedied}"


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StartError, match="not a folder; choose another file"):
        Log.open(tmp_path / "file" / "log.txt", Rules())


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
            Log.open(path, Rules())
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
        Log.open(Path("log\0.txt"), Rules())


def test_a_socket_is_refused(tmp_path: Path) -> None:
    os.mknod(tmp_path / "sock", 0o600 | stat.S_IFSOCK)
    with pytest.raises(StartError, match="it is a socket"):
        Log.open(tmp_path / "sock", Rules())


def test_a_start_that_fails_lets_go_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"torn")
    (tmp_path / "log.txt.torn").mkdir()
    with pytest.raises(StartError):
        Log.open(tmp_path / "log.txt", Rules())
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)
