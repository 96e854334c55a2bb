from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.machine import Cores
from benchmarks.profile.rounds import Found, Plan, found
from benchmarks.profile.subjects import SUBJECTS, Subject, echo
from benchmarks.servers import ROOT

ENOUGH = 60.0
"""Seconds until a function must have been seen."""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.profile", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def profiled(subject: Subject, plan: Plan) -> Found:
    return found(subject, plan, Cores.found(), lambda text: None)


def names(seen: Found) -> set[tuple[str, str]]:
    """Functions, and the files that they are in."""
    functions = (row.function for row in seen.profile.rows)
    return {(each.name, each.place.partition(":")[0]) for each in functions}


def test_the_echos_data_received_is_found() -> None:
    """It is quick, so that one short look may miss it."""
    wanted, deadline = ("Echo.dataReceived", "proto/echo/echo.py"), time.monotonic() + ENOUGH
    while wanted not in names(seen := profiled(echo()[0], Plan(0.5, native=False))):
        assert time.monotonic() < deadline
    assert seen.profile.threads.keys() == {"MainThread"}
    assert seen.cost.sample.amount > 0
    assert seen.cost.sample.worked > 0


def test_a_run_prints_the_tables_and_draws_the_graph(tmp_path: Path) -> None:
    done = run("echo", "--seconds", "0.2", "--flame", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    for words in ("machine ", "echo: 64 bytes", "  each ", "  py-spy ", "  perf", "LeanReactor."):
        assert words in done.stdout
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["echo.svg"]


@pytest.mark.parametrize("name", ["chat", "logfile", "web"])
def test_the_load_of_every_subject_is_done_and_looked_at(name: str) -> None:
    for subject in SUBJECTS[name]():
        seen = profiled(subject, Plan(0.2, native=False))
        assert seen.cost.sample.amount > 0
        assert seen.profile.samples > 0


def test_what_cannot_be_done_is_told_in_one_line_and_with_exit_code_1() -> None:
    done = run("echo", "--flame", "/dev/null/flames")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("benchmarks.profile: [Errno 20] Not a directory: '/dev/null/flames'\n")


def test_what_is_wrong_with_the_words_is_told() -> None:
    for words in (["nobody"], ["--seconds", "0"], ["--seconds", "x"]):
        done = run(*words)
        assert (done.returncode, done.stdout) == (2, "")
