"""A load that is a program in C: built, started, told to begin, and read.

It knows nothing of what the program does.  What both sides say is told in `load.h`; `lines.c`
says less: it begins at once, and ends by itself.
"""

from __future__ import annotations

import json
import select
import subprocess
import time
from pathlib import Path
from typing import IO, Any, Final, Self

from benchmarks import gcc
from benchmarks.figures import Sample
from benchmarks.load import Target
from benchmarks.load.sockets import PATIENCE, LoadFailed

SOURCES: Final = Path(__file__).parent
READY: Final = "ready"
READY_SECONDS: Final = 120.0
"""That all connections may take: who lets in a few hundred a second is slow, but not stuck."""


def built(name: str) -> str:
    """The program whose source is `name`.c beside this file; raises LoadFailed."""
    found = gcc.built(SOURCES / f"{name}.c")
    if isinstance(found, str):
        raise LoadFailed(found)
    return str(found)


class Program:
    """A running program.  Leaving the `with` block ends it, and with it its connections."""

    def __init__(self, name: str, *numbers: float | str) -> None:
        """Start it on the core that this process is on; raises LoadFailed if there is none."""
        command = [built(name), *map(str, numbers)]
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.end()

    def end(self) -> None:
        """It is gone afterwards."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def wait_until_ready(self) -> float:
        """The seconds from its start until all its connections are there; raises LoadFailed."""
        if (words := self._line(READY_SECONDS)) != READY:
            raise self._failure(words)
        return time.monotonic() - self._began

    def go(self) -> None:
        """Have it begin; raises LoadFailed if it has ended."""
        try:
            _pipe(self._process.stdin).write(b"go\n")
        except BrokenPipeError:
            raise self._failure(self._line(PATIENCE)) from None

    def result(self, seconds: float) -> dict[str, Any]:
        """What it tells when it is done, `seconds` and some patience later; raises LoadFailed.

        A program that keeps its connections has them still.
        """
        words = self._line(seconds + 2 * PATIENCE)
        if not words.startswith("{"):
            raise self._failure(words)
        figures: dict[str, Any] = json.loads(words)
        return figures

    def _line(self, seconds: float) -> str:
        """The next line without its end; less only when it has ended."""
        output, words = _pipe(self._process.stdout), b""
        deadline = time.monotonic() + seconds
        while not words.endswith(b"\n"):
            if not select.select([output], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise LoadFailed("the load generator does not end")
            if not (byte := output.read(1)):  # not more: it might be of the next line
                break
            words += byte
        return words.decode(errors="replace").strip()

    def _failure(self, words: str) -> LoadFailed:
        """What it said, or else how it ended."""
        if words:
            return LoadFailed(words)
        try:
            return LoadFailed(f"the load generator ended with {self._process.wait(PATIENCE)}")
        except subprocess.TimeoutExpired:
            return LoadFailed("the load generator says nothing more, and does not end")


def measured(
    target: Target, seconds: float, name: str, *words: float | str, before: float = 0
) -> Sample:
    """What the server and a program that keeps to `load.h` come to; raises LoadFailed.

    The last words of such a program are the seconds and its patience.  `before` is what it does
    before it is ready.  The server's figures are taken while the connections are still there.
    """
    with Program(name, *words, seconds, PATIENCE) as program:
        program.wait_until_ready()
        worked = target.worked()
        program.go()
        told = program.result(seconds)
        return Sample(
            amount=told["amount"],
            seconds=told["seconds"],
            worked=target.worked() - worked,
            memory=target.memory(),
            p50=told.get("p50"),
            p99=told.get("p99"),
            loaded=told["cpu"],
            before=before,
        )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    """The end of a pipe that was asked for."""
    if pipe is None:
        raise LoadFailed("the load generator was started without a pipe")
    return pipe
