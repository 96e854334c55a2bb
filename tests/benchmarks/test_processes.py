from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import processes

WORK = """
import time
held = b"." * (64 << 20)
while time.process_time() < 0.3:
    pass
print()
input()
"""
FAMILY = f"""
import subprocess, sys
code = {WORK!r}
with subprocess.Popen([sys.executable, "-uc", code], stdin=subprocess.PIPE) as child:
    input()
    child.kill()
    child.wait()
    print(flush=True)
    input()
"""
"""A process that does nothing, with a child that works and holds memory until a line comes."""


@contextmanager
def family() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # the child has done its work
        yield process
        process.stdin.write(b"\n")


def test_what_a_child_takes_is_counted_until_it_ends() -> None:
    with family() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert len(list(processes.descendants(process.pid))) == 1
        worked, memory = processes.worked(process.pid), processes.memory(process.pid)
        assert worked > 0.3
        process.stdin.write(b"\n")
        process.stdout.readline()  # the child is gone
        assert not list(processes.descendants(process.pid))
        assert processes.worked(process.pid) < worked
        assert processes.memory(process.pid) < memory - (60 << 20)


def test_a_process_own_time_and_the_kernels_make_up_what_it_worked() -> None:
    code = "while True: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while sum(processes.user_and_system(process.pid)) < 0.3:
            pass
        user, system = processes.user_and_system(process.pid)
        process.kill()
    assert user > system


def test_of_a_process_that_is_gone_nothing_is_told() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(OSError, match="Invalid argument"):
        processes.worked(process.pid)
    with pytest.raises(FileNotFoundError):
        processes.memory(process.pid)
