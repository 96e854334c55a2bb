from __future__ import annotations

import os
import resource
import subprocess
import sys

from benchmarks.memory import Growth, Plan, allow_descriptors, report
from benchmarks.servers import ROOT


def test_growth_is_told_for_each_client_in_kibibytes() -> None:
    growth = Growth(clients=4, before=2 << 20, after=3 << 20)
    assert growth.each == 256
    assert str(growth) == "256.0 KiB each (2.0 -> 3.0 MiB)"


def test_the_limit_of_descriptors_is_raised_and_never_lowered() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, hard = before
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        allow_descriptors(600)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, hard)
        allow_descriptors(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_more_descriptors_than_the_system_allows_are_refused() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "from benchmarks.memory import allow_descriptors\n"
        "import os; os.setuid(65534) if os.getuid() == 0 else None\n"
        "try: allow_descriptors(300)\n"
        "except (OSError, ValueError): print('refused')\n"
    )
    # Coverage could not write where this user may not.
    env = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == (b"refused\n", b"")


def test_a_small_crowd_is_measured_idle_stalled_and_gone() -> None:
    lines = list(report(Plan(idle=20, stalled=2, present=4, visitors=40, times=2)))
    subjects = [line.split(maxsplit=1)[0] for line in lines]
    assert subjects == ["resident", "idle", "20", "stalled", "gone"]
    assert "40 join and leave while lines are said to 4, 2 times: " in lines[4]
    assert lines[4].count(" -> ") == 2
