"""The load generators, each on one core: programs in C with epoll, and for the chat this process.

What they can reach is measured against a server that does as little as it can: the echo in C,
`peers/sink.py`, and the C receiver that throws lines away.  `python -m benchmarks --sink` prints
the last two as one more contestant.  On two cores of a virtual AMD EPYC
(Linux 6.18, Python 3.11, other programs running beside it) they reached about

    14,000  messages of 64 bytes a second there and back on one connection, where both sides wait
            for each other most of the time, 176,000 on 64, 110,000 on 1,000
    3.6 GiB/s of blocks of 64 KiB there and back
    1.6 to 1.8 million chat deliveries a second, to 20 and to 110 people
    25 million lines of 100 bytes a second
    60,000 to 100,000 answers of nginx a second, which take it 8 us each; 100 KiB take it 20 us

A sink that is busy all the time is the limit itself: from the Go chat, which joins lines into
fewer writes, 6 million deliveries a second were received by a load generator that was on its core
for three quarters of the time, so no faster one is needed.  It is near its own limit where the
column `load` says so: with large lines, and with an echo that is written in C.  A message costs the
load as much as it costs that one, as both have to read and to write it, and nearly all of it is
spent in the kernel (less than 5% is not): on 64 connections 5.8 us, and the echo in C 5.6 us, each
of them on its core for more than nine tenths of the time; on 1,000 it is 9.9 us and 8.3 us, for
there the kernel's own data do not fit into a core's cache, and for the fastest echoes the load is
the limit.  Beside ours it has a core for two thirds of the time on 64, three quarters on 1,000.
There compare what one message costs the server (`cpu us`), not the rates.
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
