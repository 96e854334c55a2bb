from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.filesystem import RealFolder
from proto.web.response import HTTPError
from proto.weblog.cursor import Cursor, Place, decode, encode, head_of, place_of
from proto.weblog.problems import WrongField
from proto.weblog.segments import GROWING, opened, segments_of
from tests.weblog.files import Files

NUMBERS = st.integers(0, 1 << 62)


@given(st.builds(Cursor, NUMBERS, st.none() | NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS))
def test_a_cursor_comes_back_as_it_was(cursor: Cursor) -> None:
    text = encode(cursor)
    assert decode(text) == cursor
    assert text.replace("-", "").replace("_", "").isalnum()


@given(st.text() | st.binary().map(lambda each: each.decode("latin-1")))
def test_anything_else_is_refused_or_is_one(text: str) -> None:
    try:
        told: object = decode(text)
    except WrongField as refusal:
        told = (refusal.status, refusal.field)
    assert isinstance(told, Cursor) or told == (400, "cursor")


def place(files: Files, cursor: Cursor) -> Place:
    folder = RealFolder(files.folder)
    try:
        with opened(folder, "log.txt") as growing:
            return place_of(cursor, folder, segments_of(folder, "log.txt"), growing)
    finally:
        folder.close()


def in_growing(files: Files, offset: int) -> Cursor:
    """A cursor into the file that grows, as a search would tell it."""
    folder = RealFolder(files.folder)
    try:
        with opened(folder, "log.txt") as growing:
            assert growing is not None
            inode, head = growing.status().inode, head_of(growing, offset)
        return Cursor(GROWING, offset, len(files.segments), head, inode)
    finally:
        folder.close()


@pytest.mark.parametrize("change", ["nothing", "written", "rotated", "twice", "compressed"])
def test_the_file_that_grew_is_found_again(tmp_path: Path, change: str) -> None:
    files = Files(tmp_path)
    files.write(b"before")
    files.rotate()
    files.write(b"one", b"two")
    cursor = in_growing(files, 4)
    name = "log.txt"
    if change != "nothing":
        files.write(b"x" * 1000)
    if change in ("rotated", "twice", "compressed"):
        name = files.rotate()
    if change == "twice":
        files.write(b"one", b"two")
        files.rotate()
    if change == "compressed":
        files.compress(name)
        name += ".gz"
    found = place(files, cursor)
    assert (found.segments[0].name, found.offset) == (name, 4)


@pytest.mark.parametrize("packed", [False, True])
def test_another_file_in_its_place_is_not_taken_for_it(tmp_path: Path, packed: bool) -> None:
    files = Files(tmp_path)
    files.write(b"one", b"two")
    cursor = in_growing(files, 4)
    (tmp_path / files.rotate()).unlink()
    files.write(b"something else")
    if packed:
        files.compress(files.rotate())
    with pytest.raises(HTTPError) as caught:
        place(files, cursor)
    assert caught.value.status == 410


def test_a_segment_is_found_by_its_number(tmp_path: Path) -> None:
    files = Files(tmp_path)
    names = [files.rotate() for _ in range(3)]
    files.compress(names[1])
    found = place(files, Cursor(2, 7))
    assert [each.name for each in found.segments] == [names[1] + ".gz", names[0]]
    assert found.offset == 7
    (tmp_path / (names[1] + ".gz")).unlink()
    with pytest.raises(HTTPError):
        place(files, Cursor(2, 7))
    assert [each.name for each in place(files, Cursor(2, None)).segments] == [names[0]]
    (tmp_path / names[0]).unlink()
    assert place(files, Cursor(1, None)) == Place(())
