"""The load of lines: a program in C, and the file in which its lines arrive.

Lines are numbered from 1 on, so that afterwards every one of them can be looked for.  This module
knows no server: only a port and a file.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.load.programs import Program, built
from benchmarks.load.sockets import PATIENCE, LoadFailed

STEP: Final = 0.002
"""Seconds between two looks at the file."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a generator has done: `began` and `sent` are seconds since 1970, of the first byte and
    of the last; `cpu` the seconds that it was on a core."""

    lines: int
    bytes: int
    began: float
    sent: float
    cpu: float


class Generator:
    """A running generator.  Leaving the `with` block ends it."""

    def __init__(
        self, port: int, *, connections: int, size: int, lines: int, seconds: float, first: int = 1
    ) -> None:
        """Begin to send; raises LoadFailed if there is no such program."""
        self._seconds = seconds
        self._program = Program("lines", port, connections, size, lines, seconds, first, PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._program.end()

    def result(self) -> Sent:
        """Wait until the server has read everything; raises LoadFailed."""
        return Sent(**self._program.result(self._seconds))


class Followed:
    """A file that grows; of it only the line feeds are looked at, and each only once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self.lines = 0

    def wait_for(self, lines: int) -> float:
        """When the file got its last line, once it holds so many: seconds since 1970.

        That is the time at which the last write to it began.  Raises LoadFailed if nothing is
        added for too long.
        """
        until = time.monotonic() + PATIENCE
        while True:
            before = self.lines
            changed = self._read_on()
            if self.lines >= lines:
                return changed
            if self.lines > before:
                until = time.monotonic() + PATIENCE
            elif time.monotonic() > until:
                raise LoadFailed(f"of {lines:,} lines the file has {self.lines:,}")
            time.sleep(STEP)

    def _read_on(self) -> float:
        if not self._path.exists():
            return 0.0
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._at)
            while chunk := file.read(1 << 20):
                self.lines += chunk.count(b"\n")
                self._at += len(chunk)
            return self._path.stat().st_mtime


def tally(path: Path, sent: int) -> str:
    """What is wrong with a file that should hold the lines 1 to `sent`, each of them once."""
    done = subprocess.run(
        [built("tally"), str(path), str(sent)], capture_output=True, text=True, check=False
    )
    return done.stderr.strip() if done.returncode else wrong(json.loads(done.stdout), sent)


def wrong(counted: dict[str, Any], sent: int) -> str:
    """What tally's figures say against the file, or nothing."""
    if counted == {"lines": sent, "distinct": sent, "twice": 0, "strange": 0}:
        return ""
    figures = ", ".join(f"{name} {count:,}" for name, count in counted.items())
    return f"{sent:,} lines were sent; found in the file: {figures}"
