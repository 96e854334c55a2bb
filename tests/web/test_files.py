from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from proto.web.files import Absent, Exhausted, Forbidden, Opened, Root, refusal_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `root` with a secret beside it."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"A")
    (root / "sub" / "b.txt").write_bytes(b"B")
    (root / ".hidden").write_bytes(b"H")
    (tmp_path / "secret").write_bytes(b"S")
    return root


def read(opened: Opened) -> bytes:
    with opened:
        return os.pread(opened.fd, 100, 0)


def is_absent(root: Root, *names: bytes) -> bool:
    before = len(os.listdir("/proc/self/fd"))
    try:
        root.open(names).close()
    except Absent:
        assert len(os.listdir("/proc/self/fd")) == before, "a descriptor is left open"
        return True
    return False


def test_files_and_folders_are_opened(folder: Path) -> None:
    root = Root(folder)
    assert read(root.open((b"a.txt",))) == b"A"
    assert read(root.open((b"sub", b"b.txt"))) == b"B"
    for names in ((), (b"sub",)):
        with root.open(names) as opened:
            assert opened.is_folder
            assert not opened.is_file


def test_what_is_not_there_is_absent(folder: Path) -> None:
    root = Root(folder)
    for names in (
        (b"x",),
        (b"x", b"y"),
        (b"a.txt", b"x"),
        (b"sub", b""),
        (b"n" * 300,),
        (b"..", b"secret"),
        (b"sub", b"..", b"a.txt"),
        (b".",),
        (b"sub/b.txt",),
        (b"a.txt\0",),
    ):
        assert is_absent(root, *names), names


def test_names_that_begin_with_a_dot_are_absent_unless_allowed(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_bytes(b"G")
    assert is_absent(Root(folder), b".hidden")
    assert is_absent(Root(folder), b".git", b"config")
    assert read(Root(folder, dotfiles=True).open((b".git", b"config"))) == b"G"
    assert is_absent(Root(folder, dotfiles=True), b"..", b"secret")


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "..", "sub/../../secret"])
def test_a_link_that_leaves_the_folder_is_absent_unless_followed(folder: Path, target: str) -> None:
    (folder / "link").symlink_to(target)
    assert is_absent(Root(folder), b"link")
    assert not is_absent(Root(folder, follow_symlinks=True), b"link")


def test_nothing_is_reached_through_a_linked_folder_outside(folder: Path) -> None:
    (folder / "out").symlink_to("..")
    assert is_absent(Root(folder), b"out", b"secret")
    assert read(Root(folder, follow_symlinks=True).open((b"out", b"secret"))) == b"S"


def test_a_link_that_stays_inside_is_followed(folder: Path) -> None:
    (folder / "file").symlink_to("a.txt")
    (folder / "through").symlink_to("sub")
    (folder / "home").symlink_to(folder)
    (folder / "sub" / "up").symlink_to("../a.txt")
    root = Root(folder)
    assert read(root.open((b"file",))) == b"A"
    assert read(root.open((b"through", b"b.txt"))) == b"B"
    assert read(root.open((b"sub", b"up"))) == b"A"
    with root.open((b"home",)) as home:
        assert home.is_folder


def test_a_sibling_whose_name_begins_alike_is_outside(folder: Path) -> None:
    (folder.parent / "root2").mkdir()
    (folder.parent / "root2" / "x").write_bytes(b"X")
    (folder / "link").symlink_to("../root2/x")
    assert is_absent(Root(folder), b"link")


def test_the_folder_itself_may_be_a_link(folder: Path) -> None:
    (folder / "file").symlink_to("a.txt")
    alias = folder.parent / "alias"
    alias.symlink_to("root")
    assert read(Root(alias).open((b"a.txt",))) == b"A"
    assert read(Root(alias).open((b"file",))) == b"A"


def test_links_that_go_round_or_nowhere_are_absent(folder: Path) -> None:
    (folder / "round").symlink_to("round")
    (folder / "nowhere").symlink_to("x")
    for follow in (False, True):
        assert is_absent(Root(folder, follow_symlinks=follow), b"round")
        assert is_absent(Root(folder, follow_symlinks=follow), b"nowhere")


def test_pipes_sockets_and_devices_are_absent_and_block_nobody(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        assert is_absent(Root(folder), b"pipe")
        assert is_absent(Root(folder), b"socket")
        assert is_absent(Root(folder, follow_symlinks=True), b"null")


def test_names_that_are_not_utf8_are_opened(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/caf\xe9", "wb") as file:
        file.write(b"C")
    assert read(Root(folder).open((b"caf\xe9",))) == b"C"
    assert is_absent(Root(folder), b"caf\xc3\xa9")


def test_a_replaced_file_stays_what_it_was_when_opened(folder: Path) -> None:
    opened = Root(folder).open((b"a.txt",))
    (folder / "new").write_bytes(b"longer")
    (folder / "new").replace(folder / "a.txt")
    assert opened.status.st_size == 1
    assert read(opened) == b"A"


def test_a_listing_shows_what_could_be_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "inside").symlink_to("a.txt")
    (folder / "outside").symlink_to("../secret")
    (folder / "nowhere").symlink_to("x")
    root = Root(folder)
    with root.open(()) as opened:
        entries = {entry.name: entry for entry in root.entries(opened, ())}
    assert set(entries) == {b"a.txt", b"sub", b"inside"}
    assert entries[b"sub"].is_folder
    assert (entries[b"a.txt"].size, entries[b"a.txt"].is_folder) == (1, False)
    assert entries[b"a.txt"].modified == (folder / "a.txt").stat().st_mtime


def test_a_listing_shows_more_when_more_is_allowed(folder: Path) -> None:
    (folder / "outside").symlink_to("../secret")
    root = Root(folder, dotfiles=True, follow_symlinks=True)
    with root.open(()) as opened:
        names = {entry.name for entry in root.entries(opened, ())}
        assert root.names(opened) == [b".hidden", b"a.txt", b"outside", b"sub"]
    assert names == {b".hidden", b"a.txt", b"outside", b"sub"}


def test_a_listing_of_a_folder_below_resolves_its_links_there(folder: Path) -> None:
    (folder / "sub" / "up").symlink_to("../a.txt")
    (folder / "sub" / "out").symlink_to("../../secret")
    root = Root(folder)
    with root.open((b"sub",)) as opened:
        names = {entry.name for entry in root.entries(opened, (b"sub",))}
    assert names == {b"up", b"b.txt"}


@pytest.mark.parametrize(
    ("number", "refusal"),
    [
        (errno.ENOENT, Absent),
        (errno.EACCES, Forbidden),
        (errno.EMFILE, Exhausted),
        (errno.EIO, OSError),
    ],
)
def test_a_failed_open_is_told_apart(number: int, refusal: type[Exception]) -> None:
    assert isinstance(refusal_for(OSError(number, "")), refusal)


def test_closing_twice_is_harmless(folder: Path) -> None:
    opened = Root(folder).open((b"a.txt",))
    opened.close()
    opened.close()
    assert opened.fd == -1
