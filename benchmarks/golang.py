"""The peers that are written in Go: built once, when the first case asks for them."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

PATIENCE: Final = 300.0
"""Seconds for a build, which compiles Go's own library where nothing was built before."""


class NotBuilt(Exception):
    """There is no such program, and the text says why."""


def build(source: Path, program: Path, go: str = "go") -> None:
    """Build the module in the folder `source`; raises NotBuilt."""
    if shutil.which(go) is None:
        raise NotBuilt("Go is not installed")
    # -buildvcs=false: a checkout that belongs to somebody else would be refused by git.
    command = [go, "build", "-buildvcs=false", "-o", str(program), "."]
    try:
        subprocess.run(
            command,
            cwd=source,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        words = (error.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise NotBuilt(f"go build failed: {words}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBuilt(f"go build failed: {error}") from error


@cache
def built(source: Path) -> Path | str:
    """The program, which is removed when this process ends; or why there is none."""
    folder = tempfile.TemporaryDirectory(prefix="proto-bench-go-")
    atexit.register(folder.cleanup)
    program = Path(folder.name) / source.name
    try:
        build(source, program)
    except NotBuilt as why:
        return str(why)
    return program
