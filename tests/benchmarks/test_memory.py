from __future__ import annotations

from benchmarks.memory import Growth, Plan, report


def test_growth_is_told_for_each_client_in_kibibytes() -> None:
    growth = Growth(clients=4, before=2 << 20, after=3 << 20)
    assert growth.each == 256
    assert str(growth) == "256.0 KiB each (2.0 -> 3.0 MiB)"


def test_a_small_crowd_is_measured_idle_stalled_and_gone() -> None:
    lines = list(report(Plan(idle=20, stalled=2, present=4, visitors=40, times=2)))
    subjects = [line.split(maxsplit=1)[0] for line in lines]
    assert subjects == ["resident", "idle", "20", "stalled", "gone"]
    assert "40 join and leave while lines are said to 4, 2 times: " in lines[4]
    assert lines[4].count(" -> ") == 2
