"""GET or POST of one thing on many connections, one request at a time on each.

The program that does it is `http.c`.  It checks the status of the answers, and of those to a GET
the length and the body.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.figures import Sample
from benchmarks.load import Target
from benchmarks.load.programs import measured


@dataclass(frozen=True, slots=True)
class Requests:
    """Each connection asks for what is at `path` and, when all of it has come, asks again.

    `size` is the bytes that the body must have; None: as many as the first answer's has.  When the
    seconds are over nothing more is asked, and what was asked is heard and counted.

    The first answer on each connection is not measured, and comes before the next one is opened:
    http.server's queue of five newcomers would overflow, and each that is lost costs a second.

    Without `keep_alive` it connects anew for each request, and connecting is part of the latency.
    With `posted`, which is JSON, it is a POST that makes something: 201.
    """

    path: str
    size: int | None
    connections: int
    keep_alive: bool = True
    posted: str = ""

    def __call__(self, target: Target, seconds: float) -> Sample:
        size, keep = -1 if self.size is None else self.size, int(self.keep_alive)
        words = (target.port, self.connections, size, keep, self.path, self.posted)
        return measured(target, seconds, "http", *words, before=self.connections)
