"""The program itself: every benchmark with next to nothing to do, and its end by Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as main_program
from benchmarks import chatcases, echocases, logcases
from benchmarks.cases import BENCHMARKS
from benchmarks.contest import Case, Contestant, run
from benchmarks.figures import Figure, Sample, Summary
from benchmarks.load import Load, Target
from benchmarks.load.sockets import LoadFailed
from benchmarks.machine import Cores
from benchmarks.scale import Scale
from benchmarks.servers import ROOT
from tests.benchmarks.test_servers import ECHO, is_there
from tests.system.programs import program

TINY = Scale(
    rounds=1,
    seconds=0.05,
    echo_connections=(2,),
    idle_connections=1000,
    readers=(3,),
    one_sender=(3,),
    beside_frozen=((3, 200),),
    light_people=4,
    light_pause=0.01,
    light_stretch=1.0,
    senders=2,
    log_connections=(2,),
    log_sizes=(100,),
    log_bytes=5_000_000,
    lag_stretch=4.0,
    file_sizes=(1024,),
    web_connections=2,
    with_sink=True,
)
HANDLING = [
    "proto, register()",
    "proto, plain Resource",
    "twisted-web",
    "aiohttp, uvloop",
    "uvicorn+Starlette",
    "granian WSGI",
    "granian ASGI",
]
ECHOES = [
    "proto",
    "Twisted tutorial",
    "asyncio Protocol",
    "asyncio streams",
    "uvloop Protocol",
    "socketserver, threads",
    "socat",
    *(["Go"] if shutil.which("go") else []),
    "C",
    "sink",
]
PEERS = {
    "echo: idle": [each for each in ECHOES if each not in echocases.FEW],
    "echo": ECHOES,
    "chat": [
        "proto, on disk",
        "proto, memory",
        "Twisted tutorial",
        "Twisted tutorial, TCP_NODELAY",
        "asyncio streams",
        "uvloop Protocol",
        *(["Go", "Go, each line by itself"] if shutil.which("go") else []),
        "C",
        "C, each line by itself",
        "ngircd",
        "sink",
    ],
    "logfile": [
        *logcases.OURS,
        "C receiver",
        "C receiver, synced",
        "rsyslog imtcp",
        "rsyslog imtcp, its own format",
        "rsyslog imtcp, synced",
        "rsyslog imptcp",
        "rsyslog imptcp, synced",
        *(["syslog-ng", "syslog-ng, synced"] if shutil.which("syslog-ng") else []),
        "Twisted tutorial",
        "asyncio streams",
        "C receiver, discards",
    ],
    "lag": [
        "proto, no lines",
        "proto, lines",
        "proto, lines, each write or sync takes 100 ms more",
    ],
    "web: hello": [*HANDLING, "nginx"],
    "web: JSON": HANDLING,
    "web: a file": [
        "proto",
        "nginx",
        "nginx, open_file_cache",
        "twisted-web",
        "aiohttp",
        "uvicorn+Starlette",
        "granian",
        "http.server",
    ],
    "proxy": ["proto", "nginx", "haproxy", "twisted.web ReverseProxy"],
    "wsgi": ["proto", "gunicorn gthread", "granian WSGI", "twisted-web --wsgi"],
    "api": ["proto", "uvicorn+FastAPI"],
}
"""What a case's title begins with -> who takes part."""


@pytest.mark.parametrize("name", BENCHMARKS)
def test_numbers_come_out_for_every_contestant(name: str) -> None:
    if name == "echo":
        program("socat", "socat")
    if name == "logfile":
        program("rsyslogd", "rsyslog")
    if name == "chat":
        program("ngircd", "ngircd")
    if name in ("web", "proxy"):
        program("nginx", "nginx")
    if name == "proxy":
        program("haproxy", "haproxy")
    for case in BENCHMARKS[name](TINY):
        results = run(case, TINY.rounds, TINY.seconds, Cores())
        expected = next(who for begin, who in PEERS.items() if case.title.startswith(begin))
        if "read nothing" in case.title:
            expected = [each for each in expected if each not in chatcases.NOT_BESIDE_FROZEN]
        elif "one sender" in case.title:
            expected = [each for each in expected if each in chatcases.EACH_LINE]
        assert list(results) == expected
        for result in results.values():
            assert isinstance(result, Summary), result
            assert result.median > 0
            assert result.memory > 0
            assert (result.p50 is not None) is (
                name in ("chat", "web", "lag", "proxy", "wsgi", "api")
                or case.unit.startswith("messages")
            )


def test_with_little_time_only_those_who_are_compared_take_lines() -> None:
    for case in BENCHMARKS["logfile"](replace(TINY, every_log=False, with_sink=False)):
        names = [contestant.name for contestant in case.contestants]
        assert names == [name for name in logcases.STRONGEST if name in names]
        assert names[0] in logcases.OURS
        assert "those who are not compared left out: there is little time" in case.remarks


def test_where_waiting_is_the_figure_it_is_what_the_table_shows() -> None:
    def load(target: Target, seconds: float) -> Sample:
        return Sample(amount=100, seconds=1, worked=0, memory=1, p50=0.002, p99=0.007)

    case = Case("a case", "milliseconds", [echo_with(load)], Figure.WAIT)
    (result,) = run(case, 2, 0.01, Cores()).values()
    assert isinstance(result, Summary)
    assert (result.median, result.less) == (7, True)


def echo_with(load: Load) -> Contestant:
    return Contestant("echo", lambda folder, port: [*ECHO, "--port", str(port)], load)


def results_of(*contestants: Contestant) -> Mapping[str, Summary | str]:
    return run(Case("a case", "things", contestants), 2, 0.01, Cores())


def test_a_round_that_does_not_count_comes_first_and_the_contestants_take_turns() -> None:
    turns: list[tuple[str, float]] = []

    def contestant(name: str) -> Contestant:
        def load(target: Target, seconds: float) -> Sample:
            turns.append((name, seconds))
            return Sample(amount=len(turns), seconds=1, worked=0, memory=1)

        return Contestant(name, echo_with(load).command, load)

    results = results_of(contestant("a"), contestant("b"))
    assert turns == [(name, s) for s in (0.0025, 0.01, 0.01) for name in "ab"]
    assert isinstance(results["a"], Summary)
    assert (results["a"].least, results["a"].most) == (3, 5)


def test_who_fails_is_not_measured_again_and_the_reason_is_the_result() -> None:
    calls = []

    def load(target: Target, seconds: float) -> Sample:
        calls.append(seconds)
        raise LoadFailed("it answers nonsense")

    assert results_of(echo_with(load)) == {"echo": "it answers nonsense"}
    assert len(calls) == 1


def test_a_server_of_its_own_for_each_round_leaves_nothing_behind() -> None:
    folders: list[Path] = []

    def load(target: Target, seconds: float) -> Sample:
        assert not any(folder.exists() for folder in folders)
        (target.folder / "log.txt").write_text("proto, lines")
        folders.append(target.folder)
        return Sample(amount=5, seconds=1, worked=0, memory=1, before=2)

    seen: list[tuple[str, float]] = []

    def verify(folder: Path, amount: float) -> str:
        seen.append(((folder / "log.txt").read_text(), amount))
        return ""

    contestant = replace(echo_with(load), verify=verify)
    (result,) = run(Case("a case", "things", [contestant], afresh=True), 3, 0.01, Cores()).values()
    assert isinstance(result, Summary)
    assert seen == [("proto, lines", 7)] * 3  # what came before the round is there too
    assert not any(folder.exists() for folder in folders)


def test_a_round_after_which_something_is_lost_does_not_count() -> None:
    def load(target: Target, seconds: float) -> Sample:
        return Sample(amount=5, seconds=1, worked=0, memory=1)

    contestant = replace(echo_with(load), verify=lambda folder, amount: f"{amount:.0f} are lost")
    case = Case("a case", "things", [contestant], afresh=True)
    assert run(case, 3, 0.01, Cores()) == {"echo": "5 are lost"}


def test_a_case_does_not_begin_where_the_disk_is_too_small_for_it(tmp_path: Path) -> None:
    def load(target: Target, seconds: float) -> Sample:
        raise AssertionError("nothing should be sent")

    case = Case("a case", "things", [echo_with(load)], room=1 << 60, afresh=True)
    results = run(case, 1, 0.01, Cores(), tmp_path)
    assert results == {"echo": f"{tmp_path} has less than {1 << 40:,} MiB free"}


def test_what_the_server_leaves_behind_is_verified() -> None:
    def load(target: Target, seconds: float) -> Sample:
        return Sample(amount=5, seconds=1, worked=0, memory=1)

    contestant = Contestant(
        "echo",
        echo_with(load).command,
        load,
        verify=lambda folder, amount: f"{amount:.0f} are lost",
    )
    assert results_of(contestant) == {"echo": "15 are lost"}


def test_the_exit_code_tells_that_somebody_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(target: Target, seconds: float) -> Sample:
        raise LoadFailed("it answers nonsense")

    case = Case("a case", "things", [echo_with(load)])
    monkeypatch.setitem(BENCHMARKS, "echo", lambda scale: [case])
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    try:
        assert main_program.main(["--quick", "echo"]) == 1
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert "echo failed: it answers nonsense" in capsys.readouterr().out


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main_program.main(["ehco"])
    assert "'ehco' is none of echo, chat, logfile, lag, web" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_server(number: signal.Signals, status: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--quick", "echo"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        pids = []
        for line in running.stderr:
            pids += re.findall(r"as process (\d+)$", line)
            if ": round " in line:
                break
        assert len(pids) == len(ECHOES) - 1  # no sink
        running.send_signal(number)
        assert "Traceback" not in running.stderr.read()
        assert running.wait(30) == status
    assert not [pid for pid in pids if is_there(int(pid))]
