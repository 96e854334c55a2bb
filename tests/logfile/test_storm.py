from __future__ import annotations

from hypothesis.stateful import run_state_machine_as_test

from tests.logfile.storm import Storm


def test_no_storm_loses_doubles_tears_or_reorders_a_line() -> None:
    run_state_machine_as_test(Storm)
