from __future__ import annotations

import os

import pytest

from benchmarks.machine import Cores, facts


def test_servers_and_load_run_on_different_cores_where_there_are_two() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    before = os.sched_getaffinity(0)
    cores = Cores.found()
    with cores.for_servers():
        servers = os.sched_getaffinity(0)
    with cores.for_load():
        load = os.sched_getaffinity(0)
    assert len(servers) == len(load) == 1
    assert servers != load
    assert os.sched_getaffinity(0) == before


def test_with_one_core_nothing_is_pinned_and_it_is_said() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        cores = Cores.found()
        with cores.for_servers(), cores.for_load():
            assert os.sched_getaffinity(0) == {min(before)}
    finally:
        os.sched_setaffinity(0, before)
    assert str(cores) == "nothing is pinned: there is only one core"


def test_the_facts_name_the_machine_the_versions_and_the_date() -> None:
    lines = facts(Cores(why_not="of this test")).splitlines()
    assert [line.split()[0] for line in lines] == [
        "date",
        "machine",
        "python",
        "twisted",
        "pinning",
        "busy",
    ]
    assert lines[4] == "pinning   nothing is pinned: of this test"
