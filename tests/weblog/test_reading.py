from __future__ import annotations

import gzip
import importlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.logfile.filesystem import File, RealFolder
from proto.weblog.reading import (
    CHUNK,
    LONGEST,
    Unpacking,
    UnpackingError,
    blocks_back,
    end_before,
)


class Held:
    """A file in memory that remembers how much was read of it at once."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.most = 0

    def read(self, size: int, offset: int) -> bytes:
        self.most = max(self.most, size)
        return self.text[offset : offset + size]


def back(text: bytes, end: int | None = None) -> list[tuple[int, bytes]]:
    file = Held(text)
    blocks = list(blocks_back(file, len(text) if end is None else end))  # type: ignore[arg-type]
    assert file.most <= CHUNK
    return blocks


LINES = st.lists(st.sampled_from([0, 1, 7, 1000, CHUNK - 1, CHUNK, CHUNK + 1]), max_size=12)


@given(LINES, st.integers(0, 100))
def test_the_blocks_are_the_whole_lines_from_the_end_to_the_beginning(
    sizes: list[int], torn: int
) -> None:
    text = b"".join(b"x" * size + b"\n" for size in sizes)
    blocks = back(text + b"y" * torn)
    assert b"".join(block for _, block in reversed(blocks)) == text
    for offset, block in blocks:
        assert text[offset : offset + len(block)] == block


def test_from_the_middle_it_goes_back_too() -> None:
    assert back(b"a\nb\nc\n", 4) == [(0, b"a\nb\n")]
    assert back(b"a\nb\nc\n", 3) == [(0, b"a\n")]
    assert back(b"a\nb\n", 0) == []
    assert b"".join(block for _, block in back(b"x" * 3 * CHUNK)) == b""


def test_a_line_without_an_end_is_never_held_whole() -> None:
    blocks = [block for _, block in back(b"x" * 5 * LONGEST + b"\nshort\n") if block]
    assert blocks[0] == b"short\n"
    assert len(blocks[1]) <= LONGEST + CHUNK
    assert blocks[1].endswith(b"x\n")


def unpacked(folder: Path, packed: bytes, packing: str) -> list[tuple[int, bytes]]:
    (folder / "packed").write_bytes(packed)
    opened = RealFolder(folder)
    file: File = opened.read_from("packed")
    try:
        unpacking = Unpacking(packing)
        blocks = []
        while (block := unpacking.next(file)) is not None:
            assert len(block[1]) <= LONGEST + 2 * CHUNK
            blocks.append(block)
        return blocks
    finally:
        file.close()
        opened.close()


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("size", [3, CHUNK, 3 * CHUNK])
def test_a_compressed_file_is_whole_lines_from_the_beginning(
    tmp_path: Path, packing: str, size: int
) -> None:
    text = b"".join(b"%d %s\n" % (each, b"x" * size) for each in range(20)) + b"torn"
    pack = gzip.compress if packing == ".gz" else importlib.import_module("zstandard").compress
    # Two streams one behind the other are one file.
    packed = pack(text[:1000]) + pack(text[1000:])
    blocks = unpacked(tmp_path, packed, packing)
    assert b"".join(block for _, block in blocks) == text[: -len(b"torn")]
    for offset, block in blocks:
        assert text[offset : offset + len(block)] == block


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_compressed_line_that_is_too_long_is_cut_and_those_behind_it_keep_their_place(
    tmp_path: Path, packing: str
) -> None:
    text = b"one\n" + b"x" * (3 * LONGEST) + b"\ntwo\nthree\n"
    pack = gzip.compress if packing == ".gz" else importlib.import_module("zstandard").compress
    blocks = [block for block in unpacked(tmp_path, pack(text), packing) if block[1]]
    assert blocks[0] == (0, b"one\n")
    assert blocks[1] == (4, b"x" * LONGEST + b"\n")
    assert blocks[2] == (text.index(b"two"), b"two\nthree\n")


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_what_is_damaged_is_told_so(tmp_path: Path, packing: str) -> None:
    with pytest.raises(UnpackingError):
        unpacked(tmp_path, b"this is not compressed", packing)


def stamp(record: bytes) -> float | None:
    digits = record[:6]
    return float(digits) if digits.isdigit() else None


def test_the_end_for_a_time_is_found_with_few_reads() -> None:
    text = b"".join(b"%06d %s\n" % (each, b"x" * 93) for each in range(100_000))
    end, size = end_before(Held(text), len(text), 60_000, stamp)  # type: ignore[arg-type]
    assert 60_001 * 101 <= end <= 60_001 * 101 + 2 * CHUNK
    assert size < 20 * CHUNK


@pytest.mark.parametrize(
    "text", [b"", b"000001 x\n", b"no time\n" * 100_000, b"x" * 9 * CHUNK, b"000001" * CHUNK]
)
def test_where_lines_tell_no_time_nothing_is_left_out(text: bytes) -> None:
    assert end_before(Held(text), len(text), 5, stamp)[0] == len(text)  # type: ignore[arg-type]
