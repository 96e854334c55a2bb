from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proto.web.cached import NotInMemory
from proto.web.choosing import Choosing, Found, NotThere, What
from proto.web.files import Absent, Forbidden, Root
from proto.web.tryfiles import parse_try_files
from tests.web.descriptors import open_below


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of files; whatever a test does, no descriptor may stay open."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "bare").mkdir()
    (tmp_path / "a.txt").write_bytes(b"A")
    (tmp_path / "page.html").write_bytes(b"P")
    (tmp_path / "sub" / "index.html").write_bytes(b"I")
    yield tmp_path
    assert open_below(tmp_path) == []


def found_in(folder: Path, *names: bytes, slash: bool = False, **options: Any) -> tuple[What, str]:
    found: Found = Choosing(Root(folder), **options).find(names, slash)
    found.opened.close()
    return found.what, b"/".join(found.names).decode()


def is_absent(folder: Path, *names: bytes, slash: bool = False, **options: Any) -> bool:
    with pytest.raises(Absent):
        found_in(folder, *names, slash=slash, **options)
    return True


def test_a_path_stands_for_the_file_or_folder_of_that_name(folder: Path) -> None:
    assert found_in(folder, b"a.txt") == (What.FILE, "a.txt")
    assert found_in(folder, b"bare") == (What.BARE, "bare")
    assert found_in(folder, b"bare", slash=True) == (What.FOLDER, "bare")
    assert found_in(folder, b"sub", slash=True) == (What.FILE, "sub/index.html")
    assert is_absent(folder, b"a.txt", slash=True)
    assert is_absent(folder, b"none")


def test_an_index_is_tried_in_the_order_given(folder: Path) -> None:
    (folder / "sub" / "home").write_bytes(b"H")
    (folder / "sub" / "folder").mkdir()
    index = ("none", "folder", "home", "index.html")
    assert found_in(folder, b"sub", slash=True, index=index) == (What.FILE, "sub/home")


def test_an_index_that_may_not_be_read_is_told_of(folder: Path) -> None:
    (folder / "sub" / "index.html").chmod(0)
    me = os.geteuid()
    if me == 0:  # to whom every file is open
        os.seteuid(65534)
    try:
        with pytest.raises(Forbidden):
            found_in(folder, b"sub", slash=True)
    finally:
        os.seteuid(me)


def test_an_extension_may_be_left_out(folder: Path) -> None:
    assert found_in(folder, b"page", ignore_ext=(".x", ".html")) == (What.FILE, "page.html")
    assert found_in(folder, b"a", ignore_ext=("*",)) == (What.FILE, "a.txt")
    assert is_absent(folder, b"pag", ignore_ext=("*", ".html"))


def test_the_first_that_is_there_is_taken(folder: Path) -> None:
    options: dict[str, Any] = {"try_files": parse_try_files("$uri $uri.html $uri/ /page.html")}
    assert found_in(folder, b"a.txt", **options) == (What.FILE, "a.txt")
    assert found_in(folder, b"page", **options) == (What.FILE, "page.html")
    assert found_in(folder, b"sub", **options) == (What.BARE, "sub")
    assert found_in(folder, b"sub", slash=True, **options) == (What.FILE, "sub/index.html")
    assert found_in(folder, b"none", b"at", b"all", **options) == (What.FILE, "page.html")
    assert found_in(folder, b"a.txt", slash=True, **options) == (What.FILE, "page.html")


def test_a_folder_as_the_fallback_is_shown_where_it_was_asked_for(folder: Path) -> None:
    options: dict[str, Any] = {"try_files": parse_try_files("$uri /sub/")}
    assert found_in(folder, b"none", **options) == (What.FILE, "sub/index.html")


def test_when_nothing_is_there_the_status_is_told(folder: Path) -> None:
    for text, status in (("$uri =403", 403), ("$uri $uri/ /none.html", 404)):
        with pytest.raises(NotThere) as raised:
            found_in(folder, b"none", try_files=parse_try_files(text))
        assert raised.value.status == status


def test_at_once_nobody_asks_the_disk(folder: Path) -> None:
    choosing = Choosing(Root(folder), ignore_ext=("*",))
    found = choosing.find((b"a.txt",), False, at_once=True)
    assert not found.opened.waits
    found.opened.close()
    for names in ((b"never", b"seen"), (b"page",)):
        with pytest.raises(NotInMemory):
            choosing.find(names, False, at_once=True)
