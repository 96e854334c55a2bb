"""Programs that are built when a benchmark asks for them: by Go, or by a C compiler."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

PATIENCE: Final = 300.0
"""Seconds for a build, which compiles Go's own library where nothing was built before."""


class NotBuilt(Exception):
    """There is no such program, and the text says why."""


def build(command: Sequence[str], folder: Path, *, name: str, title: str) -> None:
    """Run `command` in that folder; `name` is the build in words, `title` what must be installed.

    Raises NotBuilt.
    """
    if shutil.which(command[0]) is None:
        raise NotBuilt(f"{title} is not installed")
    try:
        subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        words = (error.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise NotBuilt(f"{name} failed: {words}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBuilt(f"{name} failed: {error}") from error


def in_passing(name: str, make: Callable[[Path], None]) -> Path | str:
    """The program of that name which `make` built in a folder that is removed when this process
    ends; or why there is none."""
    folder = tempfile.TemporaryDirectory(prefix="proto-bench-built-")
    atexit.register(folder.cleanup)
    program = Path(folder.name) / name
    try:
        make(program)
    except NotBuilt as why:
        return str(why)
    return program
