from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

import pytest

from benchmarks.beneath import Beneath
from benchmarks.contest import Case, Contestant, run
from benchmarks.figures import Result, Sample
from benchmarks.load import Target
from benchmarks.machine import Cores
from benchmarks.servers import ServerFailed
from benchmarks.webcases import prepared
from benchmarks.webservers import http_server
from tests.system.programs import DEADLINE


def test_it_runs_where_it_says_and_ends_with_the_block(tmp_path: Path) -> None:
    beneath = Beneath(http_server(), prepared(100))
    assert beneath.port == 0
    with beneath.running(tmp_path, Cores()):
        place = f"http://127.0.0.1:{beneath.port}/files/file.txt"
        with urllib.request.urlopen(place, timeout=DEADLINE) as got:
            assert len(got.read()) == 100
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(place, timeout=DEADLINE)


def test_one_that_does_not_start_is_told(tmp_path: Path) -> None:
    broken = Beneath(lambda folder, port: [sys.executable, "-c", "1 / 0"], lambda folder: None)
    with (
        pytest.raises(ServerFailed, match="ZeroDivisionError"),
        broken.running(tmp_path, Cores()),
    ):
        pytest.fail("it should not run")


def load(target: Target, seconds: float) -> Sample:
    return pytest.fail("nobody is measured")


def test_a_case_whose_server_beneath_fails_has_no_figures(tmp_path: Path) -> None:
    broken = Beneath(lambda folder, port: [sys.executable, "-c", "1 / 0"], lambda folder: None)
    contestants = [Contestant(name, http_server(), load) for name in ("one", "two")]
    case = Case("a case", "requests a second", contestants, beneath=broken)
    results: dict[str, Result] = dict(run(case, 1, 0.1, Cores(), tmp_path))
    assert list(results) == ["one", "two"]
    assert all("the server beneath: ended with 1" in str(each) for each in results.values())
