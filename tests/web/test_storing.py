from __future__ import annotations

import errno
import os
import resource
import signal
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from proto.web.files import Root
from proto.web.response import HTTPError
from proto.web.storing import store
from tests.web.descriptors import open_below


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder; whatever happens, no descriptor stays open and no half file."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    yield root
    assert open_below(root) == []
    assert not [path for path in root.rglob("*") if path.name.startswith(".upload-")]


def anything(present: os.stat_result | None) -> None:
    pass


def put(
    folder: Path, *names: bytes, chunks: Iterable[bytes] = (b"one", b"two"), limit: int = 100
) -> bool:
    status, is_new = store(Root(folder), names, iter(chunks), limit, anything)
    stored = os.stat(os.path.join(os.fsencode(folder), *names))
    assert (status.st_ino, status.st_size) == (stored.st_ino, stored.st_size)
    return is_new


def refused(folder: Path, *names: bytes, chunks: Iterable[bytes] = (b"one",)) -> int:
    with pytest.raises(HTTPError) as raised:
        put(folder, *names, chunks=chunks)
    return raised.value.status


def test_a_file_gets_its_name_when_it_is_whole(folder: Path) -> None:
    def watched() -> Iterator[bytes]:
        yield b"one"
        assert not (folder / "sub" / "a.txt").exists()
        yield b"two"

    assert put(folder, b"sub", b"a.txt", chunks=watched())
    assert (folder / "sub" / "a.txt").read_bytes() == b"onetwo"


def test_a_file_is_replaced_by_another_with_the_same_mode(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"old")
    (folder / "a.txt").chmod(0o640)
    with open(folder / "a.txt", "rb") as reading:
        assert not put(folder, b"a.txt")
        assert reading.read() == b"old"
    assert (folder / "a.txt").read_bytes() == b"onetwo"
    assert stat.S_IMODE((folder / "a.txt").stat().st_mode) == 0o640


def test_who_may_not_leaves_everything_as_it_was(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"old")

    def nothing(present: os.stat_result | None) -> None:
        raise HTTPError(412)

    for name in (b"a.txt", b"b.txt"):
        with pytest.raises(HTTPError):
            store(Root(folder), (name,), iter([b"new"]), 100, nothing)
    assert sorted(os.listdir(folder)) == ["a.txt", "sub"]
    assert (folder / "a.txt").read_bytes() == b"old"


def test_a_file_that_comes_from_elsewhere_meanwhile_is_never_lost(folder: Path) -> None:
    asked: list[bool] = []

    def first_come(present: os.stat_result | None) -> None:
        asked.append(present is not None)
        if len(asked) == 2:  # between the question and the deed
            (folder / "a.txt").write_bytes(b"theirs")

    with pytest.raises(HTTPError) as raised:
        store(Root(folder), (b"a.txt",), iter([b"ours"]), 100, first_come)
    assert raised.value.status == 409
    assert asked == [False, False]
    assert (folder / "a.txt").read_bytes() == b"theirs"


def test_a_file_that_came_while_we_wrote_is_seen(folder: Path) -> None:
    seen: list[bool] = []

    def slow() -> Iterator[bytes]:
        yield b"ours"
        (folder / "a.txt").write_bytes(b"theirs")

    def note(present: os.stat_result | None) -> None:
        seen.append(present is not None)

    store(Root(folder), (b"a.txt",), slow(), 100, note)
    assert seen == [False, True]


@pytest.mark.parametrize(
    ("names", "status"),
    [
        ((b".hidden",), 403),
        ((b".git", b"config"), 403),
        ((b".upload-1",), 403),
        ((b"",), 400),
        ((b"a/b",), 400),
        ((b"a\nb",), 400),
        ((b"a\0b",), 400),
        ((b"n" * 256,), 400),
        ((b"..",), 403),
        ((b"none", b"a"), 409),
        ((b"file", b"a"), 409),
        ((b"sub",), 409),
        ((b"link",), 409),
        ((b"out", b"a"), 409),
    ],
)
def test_where_nothing_may_be_nothing_is_stored(
    folder: Path, names: tuple[bytes, ...], status: int
) -> None:
    (folder / "file").write_bytes(b"F")
    (folder / "link").symlink_to("file")
    (folder / "out").symlink_to("..")
    (folder.parent / "a").write_bytes(b"outside")
    assert refused(folder, *names) == status
    assert (folder.parent / "a").read_bytes() == b"outside"
    assert (folder / "file").read_bytes() == b"F"


def test_a_file_that_is_too_large_is_refused_and_gone(folder: Path) -> None:
    assert refused(folder, b"a", chunks=[b"x" * 60, b"x" * 41]) == 413
    assert put(folder, b"a", chunks=[b"x" * 60, b"x" * 40])


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.ENOSPC, 507),
        (errno.EDQUOT, 507),
        (errno.EROFS, 403),
        (errno.EACCES, 403),
        (errno.EFBIG, 413),
    ],
)
def test_what_the_disk_says_is_told(folder: Path, number: int, status: int) -> None:
    def failing() -> Iterator[bytes]:
        yield b"one"
        raise OSError(number, os.strerror(number))

    assert refused(folder, b"a", chunks=failing()) == status


def test_a_real_limit_of_the_system_leaves_nothing_behind(folder: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        assert refused(folder, b"a", chunks=[b"x" * 20]) == 413
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_disk_that_fails_is_no_refusal(folder: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield b"one"
        raise OSError(errno.EIO, "")

    with pytest.raises(OSError, match=r"\[Errno 5\]"):
        put(folder, b"a", chunks=failing())
