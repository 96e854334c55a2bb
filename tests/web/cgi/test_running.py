from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from proto.web.cgi.running import (
    KILL_SECONDS,
    LINGER_SECONDS,
    Deadlines,
    Running,
    start,
)
from proto.web.cgi.scripts import Scripts
from tests.web.cgi.stage import PYTHON, logged, shell, write_script
from tests.web.cgi.turns import Turns


class Script:
    """A script that runs, and what it has said."""

    def __init__(self, path: Path, turns: Turns, deadlines: Deadlines, has_body: bool) -> None:
        script = Scripts(path.parent).find([os.fsencode(path.name)])
        started = start(script, {b"PATH": b"/usr/bin:/bin"}, has_body)
        self.turns = turns
        self.process = started.process
        self.running = Running(script, started, turns, deadlines)
        self.output = b""
        self.late: list[str] = []
        self.running.when_late(self.late.append)

    def listen(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._listen())

    def read_until(self, mark: bytes) -> None:
        self.listen()
        self.turns.until(lambda: mark in self.output)

    async def _listen(self) -> None:
        while data := await self.running.read():
            self.output += data

    def end(self) -> bytes:
        """All that it says until it has ended."""
        listening = self.listen()
        self.turns.until(lambda: listening.called and self.running.is_over)
        return self.output


class Bench:
    """Starts scripts in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.turns = Turns()
        self.started: list[Script] = []

    def shell(
        self, text: str, deadlines: Deadlines | None = None, *, has_body: bool = False
    ) -> Script:
        path = shell(self.folder, f"script{len(self.started)}", text)
        return self.run(path, deadlines, has_body=has_body)

    def run(
        self, path: Path, deadlines: Deadlines | None = None, *, has_body: bool = False
    ) -> Script:
        script = Script(path, self.turns, deadlines or Deadlines(), has_body)
        self.started.append(script)
        return script


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for script in bench.started:
        if not script.running.is_over:
            with suppress(ProcessLookupError):
                os.killpg(script.process.pid, signal.SIGKILL)
            script.running.stop()
            bench.turns.until(partial(is_over, script))
    assert not bench.turns.readers
    assert not bench.turns.writers
    assert not bench.turns.getDelayedCalls()


def is_over(script: Script) -> bool:
    return script.running.is_over


def is_there(pid: int) -> bool:
    """Whether a process lives; one that nobody has reaped yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def test_its_output_is_read_to_the_end_and_then_it_is_reaped(bench: Bench) -> None:
    script = bench.shell("echo one; echo two")
    assert script.end() == b"one\ntwo\n"
    assert script.process.returncode == 0
    assert script.running.fileno() == -1
    over = script.running.when_over()
    assert over.called


def test_it_starts_in_its_folder_with_a_session_and_a_umask_of_its_own(bench: Bench) -> None:
    ours = os.umask(0o077)
    try:
        script = bench.shell("pwd -P; umask; echo $$; cut -d' ' -f6 /proc/self/stat")
    finally:
        os.umask(ours)
    folder, umask, own, session = script.end().split()
    assert os.fsdecode(folder) == os.path.realpath(bench.folder)
    assert umask == b"0022"
    assert own == session


def test_it_inherits_no_descriptor(bench: Bench) -> None:
    kept = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(kept, True)
    try:
        text = PYTHON + "import os\nprint(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])\n"
        assert bench.run(write_script(bench.folder, "fds", text)).end() == b"[0, 1, 2]\n"
    finally:
        os.close(kept)


def test_without_a_body_its_input_is_empty(bench: Bench) -> None:
    assert bench.shell("wc -c").end().strip() == b"0"


def test_it_is_given_its_input_as_it_takes_it(bench: Bench) -> None:
    script = bench.shell("wc -c", has_body=True)

    async def give() -> None:
        await script.running.write(b"x" * 300_000)
        script.running.close_input()

    Deferred.fromCoroutine(give())
    assert script.end().strip() == b"300000"


def test_it_waits_when_nobody_reads_it(bench: Bench) -> None:
    script = bench.shell("head -c 10000000 /dev/zero; touch done")
    one = Deferred.fromCoroutine(script.running.read())
    bench.turns.until(lambda: one.called)
    for _ in range(20):
        bench.turns.turn()
    assert not (bench.folder / "done").exists()
    assert len(script.end()) + len(one.result) == 10_000_000  # type: ignore[arg-type]
    assert (bench.folder / "done").exists()


@pytest.mark.parametrize(
    ("deadlines", "why"),
    [
        (Deadlines(total=5, silence=60), "it took more than 5 s"),
        (Deadlines(total=60, silence=5), "it said nothing for 5 s"),
    ],
)
def test_one_that_takes_too_long_is_told_to_end(
    bench: Bench, deadlines: Deadlines, why: str
) -> None:
    script = bench.shell("echo here; exec sleep 600", deadlines)
    script.read_until(b"here")
    bench.turns.advance(4.9)
    assert script.late == []
    bench.turns.advance(0.1)
    assert script.late == [why]
    bench.turns.until(lambda: script.running.is_over)
    assert script.process.returncode == -signal.SIGTERM


def test_one_that_does_not_listen_is_killed_after_a_moment(bench: Bench) -> None:
    script = bench.shell("trap '' TERM; echo here; while :; do sleep 0.01; done")
    script.read_until(b"here")
    script.running.stop()
    bench.turns.advance(KILL_SECONDS - 0.1)
    assert script.process.poll() is None
    bench.turns.advance(0.1)
    bench.turns.until(lambda: script.running.is_over)
    assert script.process.returncode == -signal.SIGKILL


def test_what_it_began_ends_with_it(bench: Bench) -> None:
    script = bench.shell("(trap '' TERM; sleep 600) & echo $!; exec sleep 600")
    script.read_until(b"\n")
    child = int(script.output)
    assert is_there(child)
    script.running.stop()
    bench.turns.until(lambda: script.running.is_over)
    bench.turns.until(lambda: not is_there(child))


def test_what_it_leaves_behind_ends_soon_after_it(bench: Bench) -> None:
    script = bench.shell("sleep 600 & echo $!")
    script.read_until(b"\n")
    listening = int(script.output)
    bench.turns.until(lambda: script.running not in bench.turns.readers)
    assert is_there(listening)
    assert not script.running.is_over
    bench.turns.advance(LINGER_SECONDS)
    bench.turns.until(lambda: script.running.is_over)
    bench.turns.until(lambda: not is_there(listening))
    assert script.late == []


def test_what_it_leaves_behind_may_finish_what_it_says(bench: Bench) -> None:
    os.mkfifo(bench.folder / "gate")
    script = bench.shell("(read word <gate; echo late) & exit 3")
    listening = script.listen()
    bench.turns.until(lambda: script.running not in bench.turns.readers)
    assert not listening.called
    with (bench.folder / "gate").open("w") as gate:
        gate.write("go\n")
    bench.turns.until(lambda: listening.called)
    assert script.output == b"late\n"
    assert script.process.returncode == 3


def test_what_it_says_on_standard_error_is_in_the_log(bench: Bench) -> None:
    with logged("line") as lines, logged("status") as statuses, logged("script") as names:
        bench.shell("echo oh >&2; printf 'no\\033' >&2; exit 7").end()
    assert lines == ["oh", r"no\x1b"]
    assert statuses == [7]
    assert names == [str(bench.folder / "script0")] * 3


def test_who_says_much_on_standard_error_still_ends(bench: Bench) -> None:
    assert bench.shell("head -c 1000000 /dev/zero >&2; echo done").end() == b"done\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("#!/nowhere/interpreter\n", FileNotFoundError),
        ("#!/etc/passwd\n", PermissionError),
        ("echo no interpreter at all\n", OSError),
    ],
)
def test_what_cannot_be_run_is_told(bench: Bench, text: str, error: type[OSError]) -> None:
    path = write_script(bench.folder, "bad", text)
    with pytest.raises(error):
        start(Scripts(bench.folder).find([b"bad"]), {}, has_body=True)
    assert path.exists()


def test_an_environment_that_is_too_long_is_told(bench: Bench) -> None:
    path = shell(bench.folder, "run", "true")
    with pytest.raises(OSError, match="Argument list too long"):
        start(Scripts(path.parent).find([b"run"]), {b"A": b"x" * 10**6}, has_body=True)
