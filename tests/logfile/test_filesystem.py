from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from proto.logfile.filesystem import REAL, File, FileSystem, Folder, RealFile
from tests.logfile.disk import FakeDisk


@pytest.fixture(params=["real", "fake"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[FileSystem, Path]]:
    """The tests that take this say that the fake is as the real one is."""
    if request.param == "real":
        yield REAL, tmp_path
    else:
        yield FakeDisk("/logs"), Path("/logs")


@pytest.fixture
def folder(place: tuple[FileSystem, Path]) -> Iterator[Folder]:
    files, path = place
    folder = files.folder(path)
    yield folder
    folder.close()


def put(folder: Folder, name: str, data: bytes) -> None:
    file = folder.create(name, exclusive=False)
    assert file.write(memoryview(data)) == len(data)
    file.close()


def text(folder: Folder, name: str) -> bytes:
    file = folder.read_from(name)
    data = file.read(1000, 0)
    file.close()
    return data


def code(error: pytest.ExceptionInfo[OSError]) -> int | None:
    return error.value.errno


def test_a_file_is_appended_to_read_cut_and_measured(folder: Folder) -> None:
    put(folder, "file", b"one\n")
    file: File = folder.append_to("file")
    assert file.write(memoryview(b"two\n")) == 4
    file.sync()
    assert (file.read(3, 4), file.read(9, 8)) == (b"two", b"")
    file.truncate(5)
    file.write(memoryview(b"!"))
    status = file.status()
    assert (status.size, status.links, status.regular) == (6, 1, True)
    assert status.is_same_file(folder.status("file"))
    file.close()
    assert text(folder, "file") == b"one\nt!"


def test_a_new_file_is_made_once(folder: Folder) -> None:
    folder.create("file").close()
    with pytest.raises(FileExistsError):
        folder.create("file")
    folder.create("file", exclusive=False).close()
    assert folder.names() == ["file"]


def test_what_is_not_there_is_told(folder: Folder) -> None:
    with pytest.raises(FileNotFoundError):
        folder.append_to("file")
    with pytest.raises(FileNotFoundError):
        folder.read_from("file")
    with pytest.raises(FileNotFoundError):
        folder.status("file")
    with pytest.raises(FileNotFoundError):
        folder.unlink("file")
    with pytest.raises(FileNotFoundError):
        folder.rename("file", "other")
    with pytest.raises(FileNotFoundError):
        folder.link("file", "other")


def test_a_file_has_as_many_names_as_it_is_given(folder: Folder) -> None:
    put(folder, "one", b"1")
    folder.link("one", "two")
    assert folder.status("one").is_same_file(folder.status("two"))
    assert folder.status("two").links == 2
    with pytest.raises(FileExistsError):
        folder.link("one", "two")
    folder.rename("one", "two")
    assert sorted(folder.names()) == ["one", "two"]
    folder.unlink("one")
    assert (folder.names(), folder.status("two").links) == (["two"], 1)


def test_a_rename_replaces_what_has_that_name(folder: Folder) -> None:
    put(folder, "one", b"1")
    put(folder, "two", b"2")
    old = folder.append_to("two")
    folder.rename("one", "two")
    folder.sync()
    assert (folder.names(), text(folder, "two")) == (["two"], b"1")
    assert old.status().links == 0
    old.close()


def test_a_folder_is_locked_once(place: tuple[FileSystem, Path]) -> None:
    files, path = place
    one, two = files.folder(path), files.folder(path)
    one.lock()
    with pytest.raises(BlockingIOError):
        two.lock()
    one.renew()
    with pytest.raises(BlockingIOError):
        two.lock()
    one.close()
    two.lock()
    two.close()


def test_a_missing_folder_is_told_and_made_once(place: tuple[FileSystem, Path]) -> None:
    files, path = place
    with pytest.raises(FileNotFoundError):
        files.folder(path / "below")
    files.make_folder(path / "below")
    files.folder(path / "below").close()
    with pytest.raises(FileExistsError):
        files.make_folder(path / "below")


def test_a_folder_cannot_be_written_to(place: tuple[FileSystem, Path]) -> None:
    files, path = place
    with pytest.raises(IsADirectoryError):
        files.append_to(path)
    with pytest.raises(FileNotFoundError):
        files.append_to(path / "file")


def test_no_link_is_followed_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"kept")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    folder = REAL.folder(tmp_path)
    for opening in (folder.append_to, folder.read_from):
        with pytest.raises(OSError) as failure:
            opening("link")
        assert code(failure) == errno.ELOOP
    with pytest.raises(OSError) as failure:
        folder.create("link", exclusive=False)
    assert code(failure) == errno.ELOOP
    assert not folder.status("link").regular
    folder.close()


def test_links_to_the_log_itself_are_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "target").write_bytes(b"one\n")
    file = REAL.append_to(tmp_path / "link")
    assert file.read(10, 0) == b"one\n"
    file.close()
    assert REAL.real(tmp_path / "link") == Path(os.path.realpath(tmp_path / "target"))


def test_a_folder_stays_the_same_when_it_is_moved(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    folder = REAL.folder(tmp_path / "one")
    folder.lock()
    (tmp_path / "one").rename(tmp_path / "two")
    put(folder, "file", b"1")
    assert (tmp_path / "two" / "file").read_bytes() == b"1"
    (tmp_path / "one").mkdir()
    folder.renew()
    put(folder, "file", b"2")
    assert (tmp_path / "one" / "file").read_bytes() == b"2"
    other = REAL.folder(tmp_path / "one")
    with pytest.raises(BlockingIOError):
        other.lock()
    other.close()
    folder.close()


def test_a_folder_that_somebody_else_locked_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    folder = REAL.folder(tmp_path / "one")
    folder.lock()
    (tmp_path / "one").rename(tmp_path / "two")
    (tmp_path / "one").mkdir()
    other = REAL.folder(tmp_path / "one")
    other.lock()
    with pytest.raises(BlockingIOError):
        folder.renew()
    put(folder, "file", b"1")
    assert (tmp_path / "two" / "file").exists()
    other.close()
    folder.close()


def test_a_file_takes_after_another_one(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"")
    (tmp_path / "model").chmod(0o604)
    if os.geteuid() == 0:
        os.chown(tmp_path / "model", 65534, 65533)
    folder = REAL.folder(tmp_path)
    file = folder.create("copy")
    file.take_after(folder.status("model"))
    mine, other = file.status(), folder.status("model")
    assert (mine.mode, mine.owner, mine.group) == (other.mode, other.owner, other.group)
    file.close()
    folder.close()


def test_a_group_that_we_may_not_give_it_to_does_not_become_ours(tmp_path: Path) -> None:
    theirs = REAL.folder(Path("/etc"))
    model = theirs.status("passwd")
    theirs.close()
    assert (model.owner, model.group, stat.S_IMODE(model.mode)) == (0, 0, 0o644)
    folder = REAL.folder(tmp_path)
    me = os.geteuid(), os.getegid()
    if me[0] == 0:
        tmp_path.chmod(0o777)
        os.setegid(65534)
        os.seteuid(65534)
    try:
        file = folder.create("copy")
        file.take_after(model)
    finally:
        os.seteuid(me[0])
        os.setegid(me[1])
    assert stat.S_IMODE(file.status().mode) == 0o604
    file.close()
    folder.close()


def test_a_folder_that_cannot_be_synced_needs_no_sync() -> None:
    folder = REAL.folder(Path("/proc"))  # fsync(2) answers EINVAL
    folder.sync()
    folder.close()
    for deed in (folder.sync, folder.names):
        with pytest.raises(OSError) as failure:
            deed()
        assert code(failure) == errno.EBADF


def test_what_is_closed_does_not_write_into_what_came_after_it(tmp_path: Path) -> None:
    folder = REAL.folder(tmp_path)
    file = folder.create("one")
    file.close()
    other = folder.create("two")  # it gets the number of the first
    with pytest.raises(OSError) as failure:
        file.write(memoryview(b"late"))
    assert code(failure) == errno.EBADF
    with pytest.raises(OSError) as failure:
        file.sync()
    assert code(failure) == errno.EBADF
    folder.close()
    other.close()
    assert (tmp_path / "two").read_bytes() == b""


def test_a_byte_is_written_over_in_place_and_the_rest_at_the_end(tmp_path: Path) -> None:
    file = REAL.folder(tmp_path).create("here.log")
    file.write(memoryview(b"one\n"))
    file.overwrite(b"x", 1)
    file.write(memoryview(b"two\n"))
    assert (tmp_path / "here.log").read_bytes() == b"oxe\ntwo\n"
    file.close()


def test_a_disk_that_takes_long_for_each_write_is_given_more_at_once(tmp_path: Path) -> None:
    times = iter([0.0, 0.001, 1.0, 1.5, 2.0, 2.001, 3.0, 3.001])
    descriptor = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
    file = RealFile(descriptor, lambda: next(times))
    data = memoryview(bytes(1 << 20))
    assert [file.write(data) for _ in range(4)] == [1 << 17, 1 << 17, 1 << 20, 1 << 17]
    file.close()
