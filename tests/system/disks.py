"""Disks for real programs: one that is small and can be filled, one that can be made to stall."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.system.programs import DEADLINE, environment, program

_STALLING: Final = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int synced(const char *name, int file)
{
    const char *gate = getenv("STALLED_BY");
    int (*next)(int) = (int (*)(int)) dlsym(RTLD_NEXT, name);
    while (gate != NULL && access(gate, F_OK) == 0)
        usleep(1000);
    return next(file);
}

int fsync(int file) { return synced("fsync", file); }
int fdatasync(int file) { return synced("fdatasync", file); }
"""


class StallingDisk:
    """As long as a file is there, no program that runs in `env` gets done with a sync."""

    def __init__(self, folder: Path) -> None:
        library = folder / "stalling.so"
        self._gate = folder / "stalled"
        compiler = (program("gcc", "gcc libc6-dev"), "-shared", "-fPIC", "-x", "c", "-")
        subprocess.run(
            [*compiler, "-o", str(library), "-ldl"],
            input=_STALLING.encode(),
            timeout=DEADLINE,
            check=True,
        )
        self.env = environment(LD_PRELOAD=str(library), STALLED_BY=str(self._gate))

    def stall(self) -> None:
        self._gate.touch()

    def go_on(self) -> None:
        self._gate.unlink()


class SmallDisk:
    """A file system of its own for a program that is started with `prefix`."""

    def __init__(self, folder: Path, size: str) -> None:
        folder.mkdir()
        mount = f'mount -t tmpfs -o size={size} none "$0" && exec "$@"'
        self.prefix = (program("unshare", "util-linux"), "-m", "sh", "-c", mount, str(folder))
        self._folder = folder
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def find(self, process: int) -> None:
        """See the folder as that program does, and keep it when the program has ended."""
        seen = f"/proc/{process}/root{self._folder}"
        self._descriptor = os.open(seen, os.O_RDONLY | os.O_DIRECTORY)

    def fill(self) -> None:
        """Leave no byte free."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        filler = os.open("filler", flags, dir_fd=self._descriptor)
        try:
            while os.write(filler, b"x" * 4096):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        os.close(filler)

    def clear(self) -> None:
        os.unlink("filler", dir_fd=self._descriptor)

    def copy(self, to: Path) -> None:
        """Copy its files to a new folder."""
        to.mkdir()
        for name in os.listdir(self._descriptor):
            file = os.open(name, os.O_RDONLY, dir_fd=self._descriptor)
            with open(file, "rb") as source:
                (to / name).write_bytes(source.read())
