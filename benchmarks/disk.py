"""Where a server's files can be kept so that what is synced is on a disk, and how long that takes.

Of the machine only what /proc/self/mounts tells: what is below a virtual disk nobody knows here.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
SYNCS: Final = 40
BLOCK: Final = bytes(4096)


def file_system(path: Path, mounts: str) -> str:
    """The kind of file system that an absolute path without symlinks is on (`ext4`), by the text
    of /proc/self/mounts; `unknown` if that does not tell."""
    kind, depth = "unknown", -1
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))  # a space would end the field
        # Of two on the same point the later one hides the earlier.
        if path.is_relative_to(point) and len(point.parts) >= depth:
            kind, depth = fields[2], len(point.parts)
    return kind


def chosen(candidates: Iterable[Path], mounts: str, *, memory: bool = False) -> Path | None:
    """The first folder that can be written to and is on a disk; or that is not, if `memory`."""
    for path in candidates:
        real = path.resolve()
        usable = real.is_dir() and os.access(real, os.W_OK)
        if usable and (file_system(real, mounts) in IN_MEMORY) is memory:
            return real
    return None


@cache
def found() -> Path:
    """The folder for temporary files; if that is kept in memory, /var/tmp, which outlives a
    reboot (FHS 5.15), or the present folder; if there is no other, in memory all the same."""
    usual = Path(tempfile.gettempdir())
    return chosen((usual, Path("/var/tmp"), Path.cwd()), _mounts()) or usual.resolve()


def in_memory() -> Path | None:
    """A folder that is kept in memory and can be written to, if there is one."""
    return chosen((Path("/dev/shm"), Path(tempfile.gettempdir())), _mounts(), memory=True)


@cache
def described(folder: Path | None) -> str:
    """A line about the folder, that which was found if none is given: its file system, and how
    long it takes to sync."""
    folder = folder or found()
    kind = file_system(folder, _mounts())
    words = f"{folder} is {kind}, where fdatasync takes {_sync_seconds(folder) * 1000:.2g} ms"
    return f"{words}; that is memory, and no disk" if kind in IN_MEMORY else words


def _sync_seconds(folder: Path) -> float:
    """The median of some blocks, each appended and synced."""
    took = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(BLOCK)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text()
    except OSError:
        return ""
