"""A disk in memory that fails when told to; what segments are opened on in these tests."""

from __future__ import annotations

import os
from pathlib import Path

from proto.errors import StartError
from proto.logfile.segment import Segment
from proto.metrics import Metrics


class FakeFile:
    """What was written to one file, and whether it was closed."""

    def __init__(self, disk: FakeDisk) -> None:
        self._disk = disk
        self.data = b""
        self.closed = False

    def write(self, data: memoryview, /) -> int:
        assert not self.closed
        self._disk.writes += 1
        taken = bytes(data[: self._disk.room_for(len(data))])
        self.data += taken
        return len(taken)

    def close(self) -> None:
        self.closed = True
        if self._disk.fails_to_close:
            raise OSError(self._disk.fails_to_close, os.strerror(self._disk.fails_to_close))


class FakeDisk:
    """Opens a new file each time, as if the last one had been moved away."""

    def __init__(self) -> None:
        self.files: list[FakeFile] = []
        self.writes = 0
        self.room: int | None = None
        """Bytes that are still taken before `trouble`; None for any number."""
        self.trouble = 0
        """The errno of a write when there is no room."""
        self.at_once: int | None = None
        """The most that one write takes."""
        self.fails_to_open = False
        self.fails_to_close = 0

    def fail(self, trouble: int, room: int = 0) -> None:
        self.trouble, self.room = trouble, room

    def heal(self) -> None:
        self.room = None

    def open(self, path: Path) -> Segment:
        if self.fails_to_open:
            raise StartError(f"{path}: no")
        self.files.append(FakeFile(self))
        return Segment(self.files[-1])

    def room_for(self, wanted: int) -> int:
        if self.room == 0:
            raise OSError(self.trouble, os.strerror(self.trouble))
        sizes = (wanted, self.at_once, self.room)
        taken = min(size for size in sizes if size is not None)
        if self.room is not None:
            self.room -= taken
        return taken

    @property
    def stored(self) -> bytes:
        """All files in the order of their making."""
        return b"".join(file.data for file in self.files)


def figures(metrics: Metrics) -> dict[str, float]:
    """What Prometheus would be told, without the prefix and the suffix."""
    samples = {}
    for line in metrics.render().decode().splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            samples[name.removeprefix("proto_").removesuffix("_total")] = float(value)
    return samples


def in_balance(metrics: Metrics) -> bool:
    """Whether received = written + held + refused."""
    shown = figures(metrics)
    return shown["logfile_lines_received"] == (
        shown["logfile_lines_written"]
        + shown["logfile_lines_held"]
        + shown["logfile_lines_refused"]
    )
