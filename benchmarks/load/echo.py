"""Ping-pong on many connections, bulk on one, and connections on which nothing is said.

The program that does it is `echo.c`.  It compares what comes back with what was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks import processes
from benchmarks.figures import Sample
from benchmarks.load import Target
from benchmarks.load.programs import Program, measured
from benchmarks.load.sockets import PATIENCE

BEFORE: Final = 32
"""Connections that come and go before the idle ones, so that what is made once is there."""


@dataclass(frozen=True, slots=True)
class PingPong:
    """Each connection sends a message of `size` bytes and, when it is back whole, the next one.

    The first message on each connection is not measured.
    """

    connections: int
    size: int = 64

    def __call__(self, target: Target, seconds: float) -> Sample:
        return measured(target, seconds, "echo", "ping", target.port, self.connections, self.size)


@dataclass(frozen=True, slots=True)
class Bulk:
    """One connection that writes blocks as fast as they come back; the rate is in MiB a second.

    At most `window` bytes are on their way, so that a server which buffers without bound is not
    driven out of memory.
    """

    block: int = 65536
    window: int = 1 << 20

    def __call__(self, target: Target, seconds: float) -> Sample:
        return measured(target, seconds, "echo", "bulk", target.port, self.block, self.window)


@dataclass(frozen=True, slots=True)
class Idle:
    """So many connections come, have one message each sent back, and say nothing more.

    The seconds and the work are those until all are there, however long that is; `grown` is what
    the server's memory has grown by.  What the kernel keeps for each connection is not in it.
    """

    connections: int
    size: int = 64

    def __call__(self, target: Target, seconds: float) -> Sample:
        with self._come(target, BEFORE) as first:
            first.wait_until_ready()
        before, worked = target.memory(), target.worked()
        with self._come(target, self.connections) as crowd:
            took = crowd.wait_until_ready()
            return Sample(
                amount=self.connections,
                seconds=took,
                worked=target.worked() - worked,
                memory=target.memory(),
                loaded=processes.worked(crowd.pid),
                grown=target.memory() - before,
            )

    def _come(self, target: Target, connections: int) -> Program:
        return Program("echo", "ping", target.port, connections, self.size, 0, PATIENCE)
