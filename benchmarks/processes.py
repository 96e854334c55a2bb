"""What a process and its children take, as Linux tells: seconds on a core, and memory.

It knows neither servers nor loads.  A child that has ended is not counted any more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path


def worked(pid: int) -> float:
    """Seconds that they were on a core until now, in all threads; raises OSError if it is gone."""
    seconds = _worked_alone(pid)
    for child in descendants(pid):
        try:
            seconds += _worked_alone(child)
        except OSError:
            continue  # it has just ended
    return seconds


def user_and_system(pid: int) -> tuple[float, float]:
    """Seconds that a process was on a core until now in its own code and in the kernel's, in all
    threads, to a tick (10 ms); its children are left out.  Raises OSError if it is gone."""
    # proc(5): the name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


def memory(pid: int) -> int:
    """Resident bytes; what they share is counted for each.  Raises OSError if it is gone."""
    size = _memory_alone(pid)
    for child in descendants(pid):
        try:
            size += _memory_alone(child)
        except OSError:
            continue  # it has just ended
    return size


def descendants(pid: int) -> Iterator[int]:
    """Its children, and theirs."""
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in tasks.read_text().split()]
        except OSError:
            continue  # the thread has just ended
        for child in children:
            yield child
            yield from descendants(child)


def _worked_alone(pid: int) -> float:
    # The CPU clock of a process by its pid: MAKE_PROCESS_CPUCLOCK in Linux' posix-timers.h.
    return time.clock_gettime((~pid << 3) | 2)


def _memory_alone(pid: int) -> int:
    # Not VmRSS: since Linux 6.2 that is behind by up to 32 pages for each core.
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Rss:"))
