"""The machine: what it is, and which of its cores are whose."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores that the servers run on and those that the load generator runs on.

    Both are empty when nothing is pinned; `why_not` then says why.
    """

    servers: frozenset[int] = frozenset()
    load: frozenset[int] = frozenset()
    why_not: str = ""

    @classmethod
    def found(cls) -> Self:
        """One core for each side: the first and the last, which are not two halves of one."""
        if not hasattr(os, "sched_setaffinity"):
            return cls(why_not="this system cannot pin")
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            return cls(why_not="there is only one core")
        try:
            os.sched_setaffinity(0, allowed)
        except OSError as error:
            return cls(why_not=f"it is not allowed: {error.strerror}")
        return cls(frozenset({allowed[0]}), frozenset({allowed[-1]}))

    @contextmanager
    def for_servers(self) -> Iterator[None]:
        """Processes that are started meanwhile run on the servers' core."""
        with _on(self.servers):
            yield

    @contextmanager
    def for_load(self) -> Iterator[None]:
        """This process runs on the load generator's core meanwhile."""
        with _on(self.load):
            yield

    def __str__(self) -> str:
        if not self.servers:
            return f"nothing is pinned: {self.why_not}"
        return f"servers on core {_listed(self.servers)}, load on core {_listed(self.load)}"


def facts(cores: Cores) -> str:
    """What a reader must know to judge the figures."""
    one, five, _ = os.getloadavg()
    return "\n".join(
        (
            f"date      {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            f"machine   {_processor()}, {os.cpu_count()} cores, {platform.platform()}",
            f"python    {platform.python_implementation()} {platform.python_version()}",
            f"twisted   {version('Twisted')}",
            f"pinning   {cores}",
            f"busy      load average {one:.2f} (1 min), {five:.2f} (5 min) before the start",
        )
    )


@contextmanager
def _on(cores: frozenset[int]) -> Iterator[None]:
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _listed(cores: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(cores)))
