"""Lines on many connections, as fast as the server takes them, until its file holds them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import Sample
from benchmarks.load import Target
from benchmarks.load.generator import STEP, Followed, Generator, Sent, tally
from benchmarks.load.sockets import PATIENCE

FILE: Final = "log.txt"
"""The name of the file in the server's folder."""
TRIED: Final = 2_000
"""Lines that are sent first, and then five times as many, to see how fast the server is ..."""
TELLING: Final = 0.05
"""... until they take so many seconds, which tell something."""


@dataclass(frozen=True, slots=True)
class Lines:
    """As many lines as the server should need so many seconds for.

    A few are sent before, to know how many that is: of a server that is slow the kernel would take
    more lines than it can write in a minute.  The round begins with the first byte and ends when
    the last write to the file begins: what that one takes, and its sync, is not in it.

    most     bytes that may be sent at most
    held     bytes that the server may keep to itself until it stops
    stretch  factor for the seconds
    written  whether there is a file at all; if not, the round ends when all has been read
    """

    connections: int
    size: int
    most: int
    held: int = 0
    stretch: float = 1.0
    written: bool = True

    def __call__(self, target: Target, seconds: float) -> Sample:
        seconds *= self.stretch
        file = Followed(target.folder / FILE)
        before, rate = self._try(target, file)
        lines = max(TRIED, min(int(rate * seconds), self.most // self.size - before))
        worked = target.worked()
        sent, took = self._send(target, file, lines, before + 1, seconds)
        return Sample(
            amount=sent.lines,
            seconds=took,
            worked=target.worked() - worked,
            memory=target.memory(),
            loaded=sent.cpu,
            before=before,
        )

    def _try(self, target: Target, file: Followed) -> tuple[int, float]:
        """How many lines were sent, and how many a second the server seems to write."""
        done, lines = 0, TRIED
        while True:
            _, took = self._send(target, file, lines, done + 1, PATIENCE)
            done += lines
            if took > TELLING or (done + 6 * lines) * self.size > self.most:
                return done, lines / max(took, STEP)
            lines *= 5

    def _send(
        self, target: Target, file: Followed, lines: int, first: int, seconds: float
    ) -> tuple[Sent, float]:
        """What was sent, and the seconds until it was all in the file."""
        with Generator(
            target.port,
            connections=self.connections,
            size=self.size,
            lines=lines,
            seconds=seconds,
            first=first,
        ) as generator:
            sent = generator.result()
            if not self.written:
                return sent, time.time() - sent.began
        ended = file.wait_for(first - 1 + sent.lines - self.held // self.size - bool(self.held))
        # The clock of a file system is as coarse as the kernel's tick: it may seem to be earlier.
        return sent, max(ended - sent.began, sent.sent - sent.began)


def verify(folder: Path, lines: float) -> str:
    """What is wrong with the file of a server that has ended, if anything."""
    return tally(folder / FILE, int(lines))
