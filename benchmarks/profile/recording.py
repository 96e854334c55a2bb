"""Programs that look at a running process from outside: py-spy, and perf where there is one.

They are started and stopped here; what they leave is text or a picture in a file.  This module
knows no server and no load.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

RATE: Final = 500
"""Samples a second of py-spy's: each stops the process for a moment, more of them for too long."""
PERF_RATE: Final = 1999
"""And of perf's, which stops nobody; not 2000, so that it does not march with the kernel's tick."""
PATIENCE: Final = 60.0
"""Seconds that one may take to begin, or to write its file when it is to end."""
STEP: Final = 0.01
"""Seconds between two looks at whether it has begun."""
LONGEST: Final = 600
"""Seconds after which py-spy ends by itself, whatever becomes of us."""
_REFUSED: Final = ("Permission denied", "Permission Denied", "Operation not permitted")
_RIGHTS: Final = (
    "may not look at another process: run it as root, or with CAP_SYS_PTRACE, or where "
    "kernel.yama.ptrace_scope is 0"
)


class ProfileFailed(Exception):
    """There is no profile, and the text says why in one line."""


@dataclass(frozen=True, slots=True)
class Tool:
    """How a program is told to look at a process, and how it shows that it has begun.

    `command` is given the process' pid; `begun` what the program has said.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    file: Path
    begun: Callable[[str], bool]


def spy(file: Path, form: str, *, native: bool) -> Tool:
    """py-spy, with functions of compiled code if they are wanted; `form` is `raw` for `stacks`, or
    `flamegraph`.  Raises ProfileFailed if it is not there."""
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which(
        "py-spy"
    )
    if program is None:
        raise ProfileFailed("py-spy is not installed (pip install .[bench])")
    words = [program, "record", "--function", "--threads", "--format", form, "--output", str(file)]
    words += ["--rate", str(RATE), "--duration", str(LONGEST)]
    words += ["--native"] if native else []
    return Tool(
        "py-spy", lambda pid: [*words, "--pid", str(pid)], file, lambda said: "Sampling" in said
    )


def perf(file: Path) -> Tool | None:
    """perf, by the clock: a virtual machine may have no counters; None if it is not there."""
    program = shutil.which("perf")
    if program is None:
        return None
    words = [program, "record", "-e", "cpu-clock", "-F", str(PERF_RATE), "-g", "-o", str(file)]
    # It says nothing when it begins, but it makes its file first.
    return Tool("perf", lambda pid: [*words, "-p", str(pid)], file, lambda said: file.exists())


def script(file: Path) -> str:
    """What perf recorded, as `calls` reads it; raises ProfileFailed."""
    done = subprocess.run(
        ["perf", "script", "-i", str(file), "-F", "ip,sym"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ProfileFailed(f"perf script: {_last(done.stderr)}")
    return done.stdout


class Recording:
    """A tool that looks at a process from `start` to `stop`.  Leaving the `with` block ends it."""

    def __init__(self, tool: Tool, pid: int) -> None:
        self._tool = tool
        self._pid = pid
        self._said = tool.file.with_name(f"{tool.file.name}.said")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def start(self) -> None:
        """Return when it looks; raises ProfileFailed."""
        with self._said.open("wb") as said:
            self._process = process = subprocess.Popen(
                self._tool.command(self._pid),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we end it
            )
        deadline = time.monotonic() + PATIENCE
        while not self._tool.begun(self._words()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise self._failure("does not begin")
            time.sleep(STEP)

    def stop(self) -> None:
        """Return when its file is written; raises ProfileFailed if there is none."""
        if (process := self._process) is None:
            raise self._failure("was not started")
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise self._failure("does not end") from None
        file = self._tool.file
        if not file.exists() or not file.stat().st_size:
            raise self._failure("saw nothing")

    def _words(self) -> str:
        return self._said.read_text(errors="replace") if self._said.exists() else ""

    def _failure(self, otherwise: str) -> ProfileFailed:
        words = self._words()
        if any(each in words for each in _REFUSED):
            return ProfileFailed(f"{self._tool.name} {_RIGHTS}")
        errors = [line for line in words.splitlines() if line.startswith("Error: ")]
        return ProfileFailed(f"{self._tool.name}: {errors[0] if errors else otherwise}")


def _last(words: str) -> str:
    return (words.strip().splitlines() or ["it says nothing"])[-1]
