"""`python -m benchmarks --write FOLDER`: when the page is written, and when it is left alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks.cases import BENCHMARKS
from benchmarks.contest import Case, Contestant
from benchmarks.figures import Sample
from benchmarks.load import Load, Target
from benchmarks.load.sockets import LoadFailed
from benchmarks.report import files
from tests.benchmarks.report.made import of
from tests.benchmarks.report.test_files import contents
from tests.benchmarks.test_servers import ECHO

Offer = Callable[..., None]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The program takes over two signals; give them back."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, receiver in zip(numbers, before, strict=True):
        signal.signal(number, receiver)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Let the echo benchmark be one case of these contestants."""

    def offered(**loads: Load) -> None:
        case = Case("echo: tiny", "things a second", [with_load(*each) for each in loads.items()])
        monkeypatch.setitem(BENCHMARKS, "echo", lambda scale: [case])

    return offered


def with_load(name: str, load: Load) -> Contestant:
    return Contestant(name, lambda folder, port: [*ECHO, "--port", str(port)], load)


def good(target: Target, seconds: float) -> Sample:
    return Sample(amount=100, seconds=1, worked=0.5, memory=1 << 20)


def bad(target: Target, seconds: float) -> Sample:
    raise LoadFailed("it answers nonsense")


def interrupted(target: Target, seconds: float) -> Sample:
    os.kill(os.getpid(), signal.SIGTERM)
    raise AssertionError("the signal should have ended the program")


def test_the_page_is_written_and_what_it_has_of_others_is_kept(
    tmp_path: Path, offer: Offer, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write(tmp_path, [of("echo", "echo: old"), of("chat", "chat: old")], list(BENCHMARKS))
    offer(proto=good, other=good)
    assert program.main(["--write", str(tmp_path), "echo"]) == 0
    new, kept = files.read(tmp_path)
    assert (new.title, kept) == ("echo: tiny", of("chat", "chat: old"))
    assert {"date", "machine", "python", "twisted", "pinning", "busy", "proto", "rounds"} <= set(
        new.facts
    )
    assert "echo: tiny (things a second)" in capsys.readouterr().out
    assert "| proto | 100 | 100 - 100 | - |" in (tmp_path / "benchmarks.md").read_text()


def test_without_being_asked_nothing_is_written(
    tmp_path: Path, offer: Offer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    offer(proto=good)
    assert program.main(["echo"]) == 0
    assert contents(tmp_path) == {}


def test_if_one_of_ours_fails_the_old_page_stays(
    tmp_path: Path, offer: Offer, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write(tmp_path, [of("echo", "echo: old")], list(BENCHMARKS))
    before = contents(tmp_path)
    offer(proto=bad, other=good)
    assert program.main(["--write", str(tmp_path), "echo"]) == 1
    assert contents(tmp_path) == before
    assert "echo: tiny: proto: it answers nonsense" in capsys.readouterr().err


def test_if_another_fails_the_page_says_so(tmp_path: Path, offer: Offer) -> None:
    offer(proto=good, other=bad)
    assert program.main(["--write", str(tmp_path), "echo"]) == 1
    assert "- other failed: it answers nonsense" in (tmp_path / "benchmarks.md").read_text()


def test_a_run_that_is_interrupted_leaves_the_old_page(tmp_path: Path, offer: Offer) -> None:
    files.write(tmp_path, [of("echo", "echo: old")], list(BENCHMARKS))
    before = contents(tmp_path)
    offer(proto=good, other=interrupted)
    with pytest.raises(SystemExit, match="143"):
        program.main(["--write", str(tmp_path), "echo"])
    assert contents(tmp_path) == before


def test_what_could_not_be_written_is_not_measured(
    tmp_path: Path, offer: Offer, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(proto=interrupted)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "results.json").write_text("[1]")
    assert program.main(["--write", str(tmp_path), "echo"]) == 1
    assert program.main(["--write", str(tmp_path / "nowhere"), "echo"]) == 1
    assert program.main(["--write", str(tmp_path), "--quick", "echo"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert "results.json" in errors[0]
    assert errors[1].endswith("nowhere is no folder that can be written to")
    assert errors[2] == "--quick tells too little for --write: leave one of them out"
