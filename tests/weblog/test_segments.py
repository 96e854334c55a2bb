from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proto.logfile.filesystem import RealFolder
from proto.weblog.segments import opened as opened_in
from proto.weblog.segments import segments_of


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RealFolder]:
    real = RealFolder(tmp_path)
    yield real
    real.close()


def test_the_file_that_grows_comes_first_and_then_the_segments_by_their_numbers(
    tmp_path: Path, folder: RealFolder
) -> None:
    # The clock was set back between the second and the third.
    names = (
        "a.log.20231114T221320Z.000001.gz",
        "a.log.20231114T221420Z.000002.zst",
        "a.log.20231114T221400Z.000003",
        "a.log.20231114T221500Z.000004.gz",
        "a.log.20231114T221500Z.000004",
    )
    others = ("a.log", "a.log.torn", "a.log.20231114T221500Z.000005.unsynced", "b.log", "xa.log")
    for name in (*names, *others, "aXlog.20231114T221320Z.000009"):
        (tmp_path / name).write_bytes(b"")
    segments = segments_of(folder, "a.log")
    assert [each.name for each in segments] == ["a.log", names[4], names[2], names[1], names[0]]
    assert [each.packing for each in segments] == ["", "", "", ".zst", ".gz"]
    assert [each.is_growing for each in segments] == [True, False, False, False, False]
    assert segments[4].base == "a.log.20231114T221320Z.000001"
    assert segments[4].ended == 1_700_000_000
    assert segments[3].began == segments[4].ended
    assert segments[0].began == segments[1].ended


def test_a_log_without_segments_is_the_file_that_grows(folder: RealFolder) -> None:
    (only,) = segments_of(folder, "a.log")
    assert (only.name, only.base, only.is_growing) == ("a.log", "a.log", True)


def test_only_ordinary_files_are_opened(tmp_path: Path, folder: RealFolder) -> None:
    (tmp_path / "file").write_bytes(b"text")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with opened_in(folder, "file") as file:
        assert file is not None
        assert file.read(9, 0) == b"text"
    for name in ("fifo", "folder", "link", "missing"):
        with opened_in(folder, name) as file:
            assert file is None
