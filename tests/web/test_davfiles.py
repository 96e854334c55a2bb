from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from wsgidav.dav_error import DAVError  # type: ignore[import-untyped]

from proto.web.davfiles import DavFile, DavFolder, Folder, Upload, is_shown

ENVIRON: dict[str, Any] = {"REQUEST_METHOD": "PUT", "wsgidav.config": {}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("one\n")
    (root / ".secret").write_text("secret\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("outside\n")
    (root / "in").symlink_to("a.txt")
    (root / "out").symlink_to(tmp_path / "outside" / "file")
    (root / "away").symlink_to(tmp_path / "outside")
    (root / "hidden").symlink_to(".secret")
    (root / "twin").symlink_to("deep")
    (root / "deep" / "up").symlink_to("..")
    (root / "dangling").symlink_to("nothing")
    (root / "b\x01").write_text("x")
    (root / os.fsdecode(b"\xff")).write_text("x")
    os.mkfifo(root / "pipe")
    return root


@pytest.fixture
def folder(root: Path) -> Folder:
    folder = Folder(root)
    folder.set_share_path("/")
    ENVIRON["wsgidav.provider"] = folder
    return folder


def status_of(error: Any) -> int:
    assert isinstance(error.value, DAVError)
    return int(error.value.value)


@pytest.mark.parametrize("name", ["a", "a.b", "caf\xe9", "a b", "a" * 255, "~", "a\\b"])
def test_a_name_that_may_be_there(name: str) -> None:
    assert is_shown(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "a\n", "\x7f", "a" * 256, "\xe9" * 128, "\udcff", "\ufffe"]
)
def test_a_name_that_may_not(name: str) -> None:
    assert not is_shown(name)


def test_a_folder_lists_what_is_served(folder: Folder) -> None:
    top = folder.get_resource_inst("/", ENVIRON)
    assert isinstance(top, DavFolder)
    assert top.get_member_names() == ["a.txt", "deep", "in"]
    deep = folder.get_resource_inst("/deep", ENVIRON)
    assert isinstance(deep, DavFolder)
    assert deep.get_member_names() == []


@pytest.mark.parametrize(
    "path",
    [
        *("/.secret", "/out", "/away", "/away/file", "/hidden", "/twin", "/twin/x"),
        *("/deep/up/a.txt", "/deep/../../outside/file", "/../outside/file", "/dangling"),
        *("/b\x01", "/\udcff"),
    ],
)
def test_what_is_not_served_is_not_there_and_cannot_be_put(folder: Folder, path: str) -> None:
    with pytest.raises(DAVError) as told:
        folder.get_resource_inst(path, ENVIRON)
    assert status_of(told) == 404


@pytest.mark.parametrize("path", ["/none", "/pipe", "/a.txt/x", "/deep/none"])
def test_what_is_not_there_is_nothing(folder: Folder, path: str) -> None:
    assert folder.get_resource_inst(path, ENVIRON) is None


def test_a_symlink_to_a_file_within_is_that_file(folder: Folder) -> None:
    file = folder.get_resource_inst("/in", ENVIRON)
    assert isinstance(file, DavFile)
    with file.get_content() as content:
        assert content.read() == b"one\n"


def test_a_file_is_there_when_it_is_whole(folder: Folder, root: Path) -> None:
    file = folder.get_resource_inst("/a.txt", ENVIRON)
    assert isinstance(file, DavFile)
    before = file.get_etag()
    (root / "a.txt").chmod(0o640)
    upload = file.begin_write()
    upload.write(b"two\n")
    assert (root / "a.txt").read_text() == "one\n"
    upload.close()
    file.end_write(with_errors=False)
    assert (root / "a.txt").read_text() == "two\n"
    assert (root / "a.txt").stat().st_mode & 0o777 == 0o640
    assert file.get_etag() != before
    assert not list(root.glob(".upload-*"))


def test_a_file_that_was_begun_leaves_the_old_one(folder: Folder, root: Path) -> None:
    file = folder.get_resource_inst("/a.txt", ENVIRON)
    assert isinstance(file, DavFile)
    file.begin_write().write(b"tw")
    file.end_write(with_errors=True)
    assert (root / "a.txt").read_text() == "one\n"
    assert not list(root.glob(".upload-*"))


def test_a_new_file_is_not_there_before_it_is_whole(folder: Folder, root: Path) -> None:
    top = folder.get_resource_inst("/", ENVIRON)
    assert isinstance(top, DavFolder)
    file = top.create_empty_resource("new")
    upload = file.begin_write()
    upload.write(b"x")
    assert not (root / "new").exists()
    upload.close()
    assert (root / "new").read_text() == "x"


def test_a_lock_on_what_is_not_there_makes_an_empty_file(folder: Folder, root: Path) -> None:
    top = folder.get_resource_inst("/", {**ENVIRON, "REQUEST_METHOD": "LOCK"})
    assert isinstance(top, DavFolder)
    top.create_empty_resource("new")
    assert (root / "new").read_bytes() == b""


def test_a_disk_that_takes_no_more_is_a_status() -> None:
    upload = object.__new__(Upload)
    upload._fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(DAVError) as told:
        upload.write(b"x")
    os.close(upload._fd)
    assert status_of(told) == 507


def test_where_nothing_may_be_written_nothing_is(root: Path) -> None:
    folder = Folder(root, read_only=True)
    folder.set_share_path("/")
    ENVIRON["wsgidav.provider"] = folder
    file, top = (folder.get_resource_inst(path, ENVIRON) for path in ("/a.txt", "/"))
    assert isinstance(file, DavFile)
    assert isinstance(top, DavFolder)
    for change in (
        file.begin_write,
        file.delete,
        top.delete,
        lambda: top.create_empty_resource("new"),
        lambda: top.create_collection("new"),
        lambda: file.copy_move_single("/new", is_move=False),
        lambda: file.move_recursive("/new"),
    ):
        with pytest.raises(DAVError) as told:
            change()
        assert status_of(told) == 403
    assert (root / "a.txt").read_text() == "one\n"
    assert not (root / "new").exists()


def test_the_shared_folder_itself_stays(folder: Folder) -> None:
    top = folder.get_resource_inst("/", ENVIRON)
    assert isinstance(top, DavFolder)
    for change in (top.handle_delete, lambda: top.handle_move("/x")):
        with pytest.raises(DAVError) as told:
            change()
        assert status_of(told) == 403
    assert folder.get_resource_inst(None, ENVIRON) is None
