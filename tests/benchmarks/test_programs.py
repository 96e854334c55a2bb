"""A load in C as its parent sees it, and the header that the loads share."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from benchmarks import gcc
from benchmarks.commands import PEERS
from benchmarks.figures import percentile
from benchmarks.load.programs import SOURCES, Program, built
from benchmarks.load.sockets import PATIENCE, LoadFailed
from benchmarks.servers import free_port
from tests.benchmarks.echoes import listening

WRITTEN = sorted([*SOURCES.glob("*.c"), *PEERS.glob("*/*.c")])
PERCENTILES = """
#include "load.h"
int main(int count, char **words)
{
    static struct load load;
    for (int at = 1; at < count; at++)
        count_time(&load, strtoull(words[at], NULL, 10));
    printf("%.9f %.9f %.9f\\n", percentile(&load, 0.50), percentile(&load, 0.99),
           percentile(&load, 1));
    return 0;
}
"""


def pings(port: int, connections: int = 2, seconds: float = 0.05) -> Program:
    return Program("echo", "ping", port, connections, 64, seconds, PATIENCE)


@pytest.mark.parametrize("source", WRITTEN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_that_is_written_in_c_has_a_warning(tmp_path: Path, source: Path) -> None:
    options = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    shared = ["-shared", "-fPIC"] if source.name in ("slow_disk.c", "ears.c") else []
    gcc.build(source, tmp_path / "program", *options, *shared)


def test_a_program_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(LoadFailed, match=r"^gcc of no_such_load.c failed: "):
        built("no_such_load")


def test_its_connections_are_there_until_it_is_ended() -> None:
    with listening() as (port, peers):
        with pings(port, connections=3) as program:
            assert program.wait_until_ready() > 0
            program.go()
            figures = program.result(0.05)
            assert peers.open == 3
        assert peers.all_went()
    assert figures["amount"] >= 3
    assert figures["seconds"] >= 0.05
    assert 0 < figures["p50"] <= figures["p99"] <= figures["longest"]


def test_where_nobody_listens_it_is_not_ready_and_says_why() -> None:
    with (
        pings(free_port()) as program,
        pytest.raises(LoadFailed, match=r"^connect: Connection refused$"),
    ):
        program.wait_until_ready()


def test_a_number_that_makes_no_sense_is_told() -> None:
    with pings(1, connections=0) as program, pytest.raises(LoadFailed, match=r"^usage: echo "):
        program.wait_until_ready()


def go_on(program: Program) -> None:
    program.go()
    program.result(0.05)


@pytest.mark.parametrize("waited", [True, False])
def test_a_program_that_was_killed_tells_so(*, waited: bool) -> None:
    with listening() as (port, _), pings(port) as program:
        program.wait_until_ready()
        os.kill(program.pid, signal.SIGKILL)
        if waited:
            os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(LoadFailed, match=r"^the load generator ended with -9$"):
            go_on(program)


def test_a_load_whose_parent_has_gone_ends_by_itself() -> None:
    with listening() as (port, _):
        command = [built("echo"), "ping", str(port), "1", "64", "0.01", "20"]
        done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "ready\n")


def test_the_histogram_is_right_to_1_6_percent(tmp_path: Path) -> None:
    source = tmp_path / "percentiles.c"
    source.write_text(PERCENTILES)
    gcc.build(source, tmp_path / "percentiles", f"-I{SOURCES}")
    chance = random.Random(1)
    for times in (
        [chance.randrange(10 ** chance.randrange(1, 12)) for _ in range(2000)],
        [7],
        [0, 1, 127, 128, 129, 255, 256, 2**63, 2**64 - 1],
    ):
        done = subprocess.run(
            [tmp_path / "percentiles", *map(str, times)], capture_output=True, text=True, check=True
        )
        told = [float(word) for word in done.stdout.split()]
        expected = [percentile([time / 1e9 for time in times], part) for part in (0.5, 0.99, 1)]
        assert told == pytest.approx(expected, rel=0.016, abs=1e-9)
