from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from proto.web.reading import is_cached, read_ahead, read_cached, read_from_disk, read_whole

CONTENTS = os.urandom(200_000)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "file").write_bytes(CONTENTS)
    opened = os.open(tmp_path / "file", os.O_RDONLY)
    yield opened
    os.close(opened)


def test_what_is_in_memory_is_read_at_once(fd: int) -> None:
    read_ahead(fd, 0, len(CONTENTS))
    assert is_cached(fd, 0, len(CONTENTS))
    assert read_cached(fd, 1000, 500) == CONTENTS[1000:1500]
    assert read_cached(fd, 199_999, 500) == CONTENTS[-1:]
    assert read_cached(fd, 200_000, 500) == b""


def test_what_the_kernel_cannot_tell_of_is_not_waited_for() -> None:
    fd = os.open("/proc/version", os.O_RDONLY)
    assert read_cached(fd, 0, 5) is None
    assert not is_cached(fd, 0, 5)
    assert read_from_disk(fd, 0, 5) == b"Linux"
    os.close(fd)


def test_what_cannot_be_read_is_an_error() -> None:
    reading, writing = os.pipe()
    with pytest.raises(OSError, match="Illegal seek"):
        read_cached(reading, 0, 1)
    os.close(reading)
    os.close(writing)


def test_a_whole_file_is_read_and_no_more_than_was_asked_for(fd: int) -> None:
    assert read_whole(fd, len(CONTENTS)) == CONTENTS
    assert read_whole(fd, 100) == CONTENTS[:100]


def test_a_file_that_was_cut_is_read_as_far_as_it_goes(fd: int) -> None:
    assert read_whole(fd, 300_000) == CONTENTS
    read_ahead(fd, 100_000, 300_000)
