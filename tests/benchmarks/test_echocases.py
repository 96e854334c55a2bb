from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace

from benchmarks.contest import Case
from benchmarks.echocases import FEW, echo
from benchmarks.figures import Figure
from benchmarks.scale import QUICK
from benchmarks.servers import ROOT

SMALL = replace(QUICK, echo_connections=(1, 64, 65), idle_connections=50)


def names(case: Case) -> list[str]:
    return [contestant.name for contestant in case.contestants]


def test_ours_comes_first_and_those_who_need_a_thread_for_each_only_meet_few() -> None:
    *pings, bulk, idle = echo(SMALL)
    for case in (*pings, bulk, idle):
        assert names(case)[0] == "proto"
    for case in (pings[0], pings[1], bulk):
        assert set(FEW) <= set(names(case))
    for case in (pings[2], idle):
        assert not set(FEW) & set(names(case))
        assert any(remark.startswith(f"{' and '.join(FEW)} left out: ") for remark in case.remarks)


def test_idle_connections_are_compared_by_memory_in_a_server_of_their_own() -> None:
    case = echo(SMALL)[-1]
    assert (case.figure, case.afresh) == (Figure.GROWTH, True)
    assert case.title == "echo: idle connections, 50 of them"


def test_where_there_may_be_fewer_connections_it_is_said() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "from benchmarks.echocases import echo\n"
        "from benchmarks.scale import FULL\n"
        "case = echo(FULL)[-1]\n"
        "print(case.title, case.remarks[-1], sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "echo: idle connections, 56 of them",
        "not 10,000: RLIMIT_NOFILE does not allow it",
    ]


def test_the_descriptors_that_are_needed_are_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
        echo(SMALL)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 250
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
