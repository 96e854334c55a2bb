from __future__ import annotations

import errno
import gzip
import io
import os
import random
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard
from twisted.logger import capturedLogs, formatEvent

from proto.errors import StartError
from proto.logfile.compressing import Compressor, Kind, compress, streams
from proto.logfile.filesystem import REAL
from tests.logfile.disk import FakeDisk, Killed

FOLDER = Path("/logs")
ONE = "here.log.20261121T173000Z.000001"
TWO = "here.log.20261121T173000Z.000002"
TEXT = b"a line, and another one\n" * 40_000
DEADLINE = 20


def unpacked(kind: Kind, data: bytes) -> bytes:
    if kind == "gzip":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()


@pytest.mark.parametrize(("kind", "ending"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_a_segment_is_replaced_by_a_smaller_one(kind: Kind, ending: str) -> None:
    disk = FakeDisk()
    disk.put(f"/logs/{ONE}", TEXT)
    disk.directory(FOLDER).names[ONE].mode = stat.S_IFREG | 0o604
    disk.directory(FOLDER).names[ONE].owner = 7
    assert compress(disk.folder(FOLDER), ONE, *streams(kind))
    disk.restart(power=False)
    assert disk.names() in ([ONE + ending], [ONE, ONE + ending])
    packed = disk.directory(FOLDER).names[ONE + ending]
    assert unpacked(kind, bytes(packed.data)) == TEXT
    assert len(packed.data) < len(TEXT) / 10
    assert (stat.S_IMODE(packed.mode), packed.owner) == (0o604, 7)


def test_an_empty_segment_becomes_an_empty_one() -> None:
    disk = FakeDisk()
    disk.put(f"/logs/{ONE}", b"")
    compress(disk.folder(FOLDER), ONE, *streams("gzip"))
    assert disk.names() == [ONE + ".gz"]
    assert gzip.decompress(disk.text(f"/logs/{ONE}.gz")) == b""


@pytest.mark.parametrize("power", [True, False])
def test_the_lines_are_there_wherever_it_is_killed(power: bool) -> None:
    for step in range(1, 100):
        disk = FakeDisk()
        disk.put(f"/logs/{ONE}", TEXT)
        disk.kill_at = step
        try:
            compress(disk.folder(FOLDER), ONE, *streams("gzip"))
        except Killed:
            disk.restart(power=power, chance=random.Random(step))
        else:
            break
        whole = disk.names()[0] == ONE and disk.text(f"/logs/{ONE}") == TEXT
        packed = ONE + ".gz" in disk.names()
        assert whole or packed
        assert not packed or gzip.decompress(disk.text(f"/logs/{ONE}.gz")) == TEXT
        compress(disk.folder(FOLDER), ONE, *streams("gzip"))
        assert disk.names() == [ONE + ".gz"]
    assert step > 5


def test_whatever_fails_leaves_the_segment_and_no_half_one() -> None:
    for step in range(1, 100):
        disk = FakeDisk()
        disk.put(f"/logs/{ONE}", TEXT)
        disk.fail_step("", errno.ENOSPC, nth=step)
        try:
            compress(disk.folder(FOLDER), ONE, *streams("gzip"))
        except OSError:
            assert not any(name.endswith(".part") for name in disk.names())
            if ONE in disk.names():
                assert disk.text(f"/logs/{ONE}") == TEXT
            else:
                assert gzip.decompress(disk.text(f"/logs/{ONE}.gz")) == TEXT
            assert not disk.open_files
        else:
            break
    assert step > 5


def test_a_segment_that_was_removed_meanwhile_does_not_come_back() -> None:
    disk = FakeDisk()
    disk.put(f"/logs/{ONE}", TEXT)
    begin, ending = streams("gzip")

    def removed() -> bool:
        if ONE in disk.names():
            disk.remove(f"/logs/{ONE}")
        return False

    assert not compress(disk.folder(FOLDER), ONE, begin, ending, removed)
    assert not compress(disk.folder(FOLDER), ONE, begin, ending)
    assert disk.names() == []


def test_it_stops_between_two_pieces_and_leaves_the_segment() -> None:
    disk = FakeDisk()
    disk.put(f"/logs/{ONE}", TEXT)
    begin, ending = streams("gzip")
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(1)
        return len(asked) == 3

    assert not compress(disk.folder(FOLDER), ONE, begin, ending, stopped)
    assert (disk.names(), len(asked)) == ([ONE], 3)


def test_a_package_that_is_missing_is_named_with_the_remedy() -> None:
    """As it is without the extra: what cannot be imported is None in sys.modules."""
    known: Any = sys.modules["zstandard"]
    sys.modules["zstandard"] = None  # type: ignore[assignment]
    try:
        with pytest.raises(StartError) as refusal:
            Compressor("zstd")
    finally:
        sys.modules["zstandard"] = known
    assert str(refusal.value) == (
        "zstd needs the package zstandard; pip install 'proto[compress]', or choose gzip"
    )


def test_only_what_was_ended_for_good_is_compressed() -> None:
    disk = FakeDisk()
    disk.put("/logs/here.log", TEXT)
    disk.put(f"/logs/{ONE}", TEXT)
    disk.put(f"/logs/{TWO}", TEXT)
    disk.put(f"/logs/{ONE}.unsynced", TEXT)
    Compressor("gzip").compress_all(disk.folder(FOLDER), "here.log", last=1)
    assert disk.names() == ["here.log", ONE + ".gz", ONE + ".unsynced", TWO]


def test_a_failure_is_said_once_and_tried_again_with_the_next_rotation() -> None:
    disk = FakeDisk()
    disk.put(f"/logs/{ONE}", TEXT)
    compressor = Compressor("gzip")
    folder = disk.folder(FOLDER)
    disk.fail(errno.ENOSPC)
    with capturedLogs() as logs:
        for _ in range(3):
            compressor.compress_all(folder, "here.log", last=9)
    assert [formatEvent(event) for event in logs] == [
        "/logs/here.log: cannot compress old segments: the disk is full; free some space"
    ]
    assert disk.text(f"/logs/{ONE}") == TEXT
    disk.heal()
    compressor.compress_all(folder, "here.log", last=9)
    assert disk.names() == [ONE + ".gz"]


def no_thread_of_it() -> bool:
    return not any(thread.name == "compress logs" for thread in threading.enumerate())


def test_its_thread_ends_with_the_work(tmp_path: Path) -> None:
    (tmp_path / ONE).write_bytes(TEXT)
    folder = REAL.folder(tmp_path)
    compressor = Compressor("gzip")
    assert no_thread_of_it()
    compressor.put(folder, "here.log", 1)
    for thread in threading.enumerate():
        if thread.name == "compress logs":
            thread.join(DEADLINE)
    assert no_thread_of_it()
    assert os.listdir(tmp_path) == [ONE + ".gz"]
    (tmp_path / TWO).write_bytes(TEXT)
    compressor.put(folder, "here.log", 2)
    assert compressor.close(DEADLINE)
    assert no_thread_of_it()
    left = sorted(os.listdir(tmp_path))
    assert left in ([ONE + ".gz", TWO], [ONE + ".gz", TWO + ".gz"])
    compressor.put(folder, "here.log", 2)
    assert no_thread_of_it()
    folder.close()


class Gate:
    """A folder whose listing waits until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.path = FOLDER

    def names(self) -> list[str]:
        self.entered.set()
        assert self.open.wait(DEADLINE)
        return []


def test_closing_waits_no_longer_than_it_is_told() -> None:
    gate: Any = Gate()
    compressor = Compressor("gzip")
    compressor.put(gate, "here.log", 1)
    assert gate.entered.wait(DEADLINE)
    assert not compressor.close(0.01)
    gate.open.set()
    assert compressor.close(DEADLINE)


def test_who_rotates_never_waits_however_much_there_is_to_do() -> None:
    gate: Any = Gate()
    compressor = Compressor("gzip")
    for number in range(5000):
        compressor.put(gate, "here.log", number)
    gate.open.set()
    assert compressor.close(DEADLINE)


def test_a_bug_in_one_log_does_not_stop_the_others() -> None:
    gate: Any = Gate()
    gate.open.set()
    gate.names = None
    compressor = Compressor("gzip")
    disk = FakeDisk()
    disk.put(f"/logs/{ONE}", TEXT)
    ended = threading.Event()

    class Last(Gate):
        def names(self) -> list[str]:
            ended.set()
            return []

    last: Any = Last()
    with capturedLogs() as logs:
        compressor.put(gate, "bug.log", 1)
        compressor.put(disk.folder(FOLDER), "here.log", 1)
        compressor.put(last, "last.log", 1)
        assert ended.wait(DEADLINE)
        assert compressor.close(DEADLINE)
    assert disk.names() == [ONE + ".gz"]
    assert ["log_failure" in event for event in logs] == [True]
