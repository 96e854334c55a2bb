from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from proto.web.response import HTTPError
from proto.web.spool import AGAIN_SECONDS, Spool, Spools


def filled(spools: Spools, *pieces: bytes) -> Spool:
    spool = spools.open()
    for piece in pieces:
        spool.write(piece)
    return spool


def use_of(spools: Spools) -> tuple[int, int]:
    return spools.memory, spools.files


def test_a_small_body_is_in_memory_and_a_large_one_in_a_file(tmp_path: Path) -> None:
    spools = Spools(tmp_path, in_memory=10)
    small = filled(spools, b"01234", b"56789")
    assert use_of(spools) == (10, 0)
    large = filled(spools, b"01234", b"56789", b"+")
    assert use_of(spools) == (10, 1)
    assert small.rewind().read() == b"0123456789"
    assert large.rewind().read() == b"0123456789+"
    small.close()
    large.close()
    assert use_of(spools) == (0, 0)


def test_a_file_has_no_name(tmp_path: Path) -> None:
    spool = filled(Spools(tmp_path, in_memory=1), b"abc")
    assert list(tmp_path.iterdir()) == []
    spool.close()


def test_who_announces_much_and_sends_little_has_no_file(tmp_path: Path) -> None:
    spools = Spools(tmp_path, in_memory=10, files=1)
    kept = [spools.open(11), spools.open(1 << 40), spools.open()]
    assert spools.files == 0
    kept[0].write(b"x" * 11)
    assert spools.files == 1
    with pytest.raises(HTTPError, match="Too many"):
        spools.open(11)
    kept.append(spools.open(10))
    for spool in kept:
        spool.close()
    assert use_of(spools) == (0, 0)


def test_what_all_have_in_memory_is_bounded(tmp_path: Path) -> None:
    spools = Spools(tmp_path, in_memory=10, memory=15)
    kept = [filled(spools, b"x" * 10), filled(spools, b"y" * 5), filled(spools, b"z")]
    assert use_of(spools) == (15, 1)
    for spool in kept:
        spool.close()
    assert use_of(spools) == (0, 0)


def test_so_many_files_and_no_more(tmp_path: Path) -> None:
    spools = Spools(tmp_path, in_memory=1, files=1)
    first = filled(spools, b"ab")
    second = filled(spools, b"a")
    with pytest.raises(HTTPError) as refusal:
        second.write(b"b")
    assert refusal.value.status == 503
    assert refusal.value.headers == (("Retry-After", str(AGAIN_SECONDS)),)
    first.close()
    assert use_of(spools) == (0, 0)
    filled(spools, b"ab").close()


def test_a_folder_that_is_not_there_is_a_503_and_keeps_nothing(tmp_path: Path) -> None:
    spools = Spools(tmp_path / "none", in_memory=1)
    spool = filled(spools, b"a")
    with pytest.raises(HTTPError, match="There is no place"):
        spool.write(b"b")
    assert use_of(spools) == (0, 0)


def test_a_body_that_is_forgotten_gives_its_room_back(tmp_path: Path) -> None:
    spools = Spools(tmp_path, in_memory=10)
    kept = [filled(spools, b"x" * 10), filled(spools, b"y" * 11)]
    assert use_of(spools) == (10, 1)
    kept.clear()
    gc.collect()
    assert use_of(spools) == (0, 0)


def test_closing_twice_counts_once(tmp_path: Path) -> None:
    spools = Spools(tmp_path, in_memory=2)
    kept = [filled(spools, b"a"), filled(spools, b"abc")]
    for spool in kept:
        spool.close()
        spool.close()
        spool.content.close()
    assert use_of(spools) == (0, 0)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may be longer than 10,000 bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("pieces", [[b"x" * 20_000], [b"x" * 5000] * 4, [b"x" * 10_000, b"y"]])
def test_a_full_disk_is_a_503_and_keeps_nothing(tmp_path: Path, pieces: list[bytes]) -> None:
    spools = Spools(tmp_path, in_memory=1)
    with pytest.raises(HTTPError) as refusal:
        filled(spools, *pieces).rewind()
    assert refusal.value.status == 503
    assert use_of(spools) == (0, 0)


def test_one_address_has_half_of_the_files(tmp_path: Path) -> None:
    spools = Spools(tmp_path, in_memory=1, files=3)
    first = spools.open(2, "192.0.2.1")
    first.write(b"ab")
    with pytest.raises(HTTPError, match="Too many"):
        spools.open(2, "192.0.2.1")
    other = spools.open(2, "192.0.2.2")
    other.write(b"ab")
    first.close()
    spools.open(2, "192.0.2.1").close()
    other.close()
    assert use_of(spools) == (0, 0)
