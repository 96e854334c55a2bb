from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from proto.web.cached import NotInMemory, local_device, open_cached

READ = os.O_RDONLY | os.O_CLOEXEC


def device_of(folder: bytes) -> int:
    return os.stat(folder).st_dev


@pytest.fixture
def folder(tmp_path: Path) -> bytes:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_bytes(b"A")
    (tmp_path / "link").symlink_to("sub")
    return os.fsencode(tmp_path)


def test_a_file_that_the_kernel_knows_is_opened(folder: bytes) -> None:
    fd = open_cached(folder, (b"sub", b"a.txt"), READ, device_of(folder))
    assert os.pread(fd, 9, 0) == b"A"
    os.close(fd)


def test_the_folder_itself_is_opened_without_names(folder: bytes) -> None:
    fd = open_cached(folder, (), READ, device_of(folder))
    assert set(os.listdir(fd)) == {"sub", "link"}
    os.close(fd)


def test_the_disk_has_to_be_asked_for_what_nobody_asked_for_yet(folder: bytes) -> None:
    with pytest.raises(NotInMemory):
        open_cached(folder, (b"sub", b"never seen"), READ, device_of(folder))


def test_links_mounts_and_what_is_outside_are_for_somebody_else(folder: bytes) -> None:
    for root, names in (
        (folder, (b"link", b"a.txt")),
        (folder, (b"..", b"x")),
        (b"/", (b"proc", b"self", b"status")),
    ):
        with pytest.raises(NotInMemory):
            open_cached(root, names, READ, device_of(root))


def test_what_is_certain_is_told(folder: bytes) -> None:
    with pytest.raises(OSError, match="too long") as raised:
        open_cached(folder, (b"n" * 5000,), READ, device_of(folder))
    assert raised.value.errno == errno.ENAMETOOLONG


def test_no_descriptor_stays_open_when_it_fails(folder: bytes) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for names in ((b"sub", b"never"), (b"link", b"a.txt"), (b"n" * 5000,)):
        with pytest.raises((NotInMemory, OSError)):
            open_cached(folder, names, READ, device_of(folder))
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_kernels_own_file_systems_are_not_taken_for_disks() -> None:
    assert local_device(b"/proc") is None
    assert local_device(b"/nowhere/at/all") is None


def test_a_disk_that_was_mounted_over_the_root_is_another(folder: bytes) -> None:
    with pytest.raises(NotInMemory):
        open_cached(folder, (b"sub", b"a.txt"), READ, device_of(folder) + 1)
