from __future__ import annotations

import os
import re
from pathlib import Path

from benchmarks import disk

MOUNTS = """\
/dev/vda / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/vdb /tmp/big xfs rw 0 0
/dev/vdc /mnt/two\\040words btrfs rw 0 0
"""


def test_the_deepest_mount_tells_what_a_path_is_on() -> None:
    kinds = {
        path: disk.file_system(Path(path), MOUNTS)
        for path in ("/", "/home/me", "/tmp", "/tmp/x", "/tmp/big/x", "/tmpx", "/mnt/two words/x")
    }
    assert kinds == {
        "/": "ext4",
        "/home/me": "ext4",
        "/tmp": "tmpfs",
        "/tmp/x": "tmpfs",
        "/tmp/big/x": "xfs",
        "/tmpx": "ext4",
        "/mnt/two words/x": "btrfs",
    }


def test_of_two_mounts_on_one_point_the_later_counts() -> None:
    assert disk.file_system(
        Path("/tmp"), "none / ext4 rw\nnone /tmp xfs rw\nnone /tmp ramfs rw"
    ) == ("ramfs")


def test_where_nothing_is_told_the_file_system_is_unknown() -> None:
    assert disk.file_system(Path("/tmp"), "") == "unknown"


def test_the_first_folder_on_a_disk_is_chosen(tmp_path: Path) -> None:
    memory, missing, real, later = (tmp_path / name for name in ("memory", "none", "real", "later"))
    for folder in (memory, real, later):
        folder.mkdir()
    mounts = f"none / ext4 rw\nnone {memory} tmpfs rw\n"
    assert disk.chosen((memory, missing, real, later), mounts) == real


def test_a_folder_in_memory_is_chosen_when_that_is_asked_for(tmp_path: Path) -> None:
    memory, real = tmp_path / "memory", tmp_path / "real"
    memory.mkdir()
    real.mkdir()
    mounts = f"none / ext4 rw\nnone {memory} tmpfs rw\n"
    assert disk.chosen((real, memory), mounts, memory=True) == memory
    assert disk.chosen((real,), mounts, memory=True) is None


def test_if_everything_is_memory_nothing_is_chosen(tmp_path: Path) -> None:
    assert disk.chosen((tmp_path,), "none / tmpfs rw\n") is None


def test_the_folder_is_described_with_its_file_system_and_its_delay() -> None:
    assert os.access(disk.found(), os.W_OK)
    pattern = rf"{re.escape(str(disk.found()))} is \S+, where fdatasync takes [\d.e+-]+ ms(;.*)?"
    assert re.fullmatch(pattern, disk.described(None))
