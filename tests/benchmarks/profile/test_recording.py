from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.profile.recording import ProfileFailed, Recording, Tool, perf, script, spy
from benchmarks.profile.stacks import parsed, profile

BUSY = """
def turn():
    return sum(range(1000))
print(flush=True)
while True:
    turn()
"""


@pytest.fixture
def busy() -> Iterator[int]:
    """The pid of a process that does nothing but call `turn`."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def says(tmp_path: Path, words: str, code: int = 1) -> Tool:
    """A tool that says something and ends."""
    program = f"import sys; print({words!r}, flush=True); sys.exit({code})"
    command = [sys.executable, "-c", program]
    return Tool("it", lambda pid: command, tmp_path / "out", lambda said: "begun" in said)


def seen(tool: Tool, pid: int) -> None:
    """Look at a process until there must be something to see."""
    with Recording(tool, pid) as recording:
        recording.start()
        before = cpu(pid)
        while cpu(pid) < before + 20:  # ticks: a fifth of a second
            pass
        recording.stop()


def cpu(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


@pytest.mark.parametrize("native", [True, False])
def test_py_spy_tells_the_functions_of_a_running_process(
    tmp_path: Path, busy: int, *, native: bool
) -> None:
    tool = spy(tmp_path / "stacks", "raw", native=native)
    seen(tool, busy)
    rows = profile(parsed(tool.file.read_text())).rows
    assert ("turn", "<string>:2") in {(row.function.name, row.function.place) for row in rows}


def test_py_spy_draws_a_flame_graph(tmp_path: Path, busy: int) -> None:
    tool = spy(tmp_path / "flame.svg", "flamegraph", native=False)
    seen(tool, busy)
    text = tool.file.read_text()
    assert "<svg" in text
    assert "turn" in text


def test_where_perf_is_not_installed_there_is_no_such_tool(tmp_path: Path) -> None:
    assert (perf(tmp_path / "perf") is None) == (shutil.which("perf") is None)


def test_what_perf_did_not_write_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProfileFailed, match=r"^perf"):
        script(tmp_path / "perf")


def test_py_spy_that_may_not_look_is_told_with_what_would_help(tmp_path: Path) -> None:
    words = "Permission Denied: Try running again with elevated permissions"
    with (
        Recording(says(tmp_path, words), 1) as recording,
        pytest.raises(ProfileFailed, match=r"^it may not look at another process: run it as root"),
    ):
        recording.start()


def test_a_process_that_is_gone_is_told_in_one_line(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    tool = spy(tmp_path / "stacks", "raw", native=False)
    with (
        Recording(tool, process.pid) as recording,
        pytest.raises(ProfileFailed, match=r"^py-spy: Error: .*") as told,
    ):
        recording.start()
    assert "\n" not in str(told.value)


def test_a_tool_that_leaves_no_file_saw_nothing(tmp_path: Path) -> None:
    with Recording(says(tmp_path, "begun", code=0), 1) as recording:
        recording.start()
        with pytest.raises(ProfileFailed, match=r"^it: saw nothing$"):
            recording.stop()


def test_a_tool_that_ends_at_once_does_not_begin(tmp_path: Path) -> None:
    with (
        Recording(says(tmp_path, "hm"), 1) as recording,
        pytest.raises(ProfileFailed, match=r"^it: does not begin$"),
    ):
        recording.start()
