"""The load generator: one thread of this process, raw non-blocking sockets and epoll.

Lines for the log receiver come from `lines.c`, a program of its own.

What it can reach is measured against `peers/sink.py`, which does as little as Python can, and
lines against the C receiver that throws them away: `python -m benchmarks --sink` prints it as one
more contestant.  On two cores of a virtual AMD EPYC
(Linux 6.18, Python 3.11, other programs running beside it) it reached about

    12,000  messages of 64 bytes a second there and back on one connection, 40,000 on 64
    3 GiB/s of blocks of 64 KiB there and back
    1.6 to 1.8 million chat deliveries a second, to 20 and to 110 people
    25 million lines of 100 bytes a second
    110,000 answers of 1 KiB a second, 25,000 of 100 KiB

A sink that is busy all the time is the limit itself: from the Go chat, which joins lines into
fewer writes, 6 million deliveries a second were received by a load generator that was on its core
for three quarters of the time, so no faster one is needed.  It is near its own limit where the
column `load` says so: with large lines, and for echo in small messages on many connections.  There
compare what one message costs the server (`cpu us`), not the rates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from benchmarks.figures import Sample


class Target(Protocol):
    """The server, as the load generator knows it."""

    port: int
    folder: Path

    def memory(self) -> int:
        """Its resident bytes."""
        ...

    def worked(self) -> float:
        """Seconds that it was on a core until now."""
        ...


class Load(Protocol):
    """Something that uses a server for so many seconds and tells how it went.

    It is bounded in time whatever the server does, and raises LoadFailed or OSError.
    """

    def __call__(self, target: Target, seconds: float) -> Sample: ...
