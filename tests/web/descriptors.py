"""Which files this process has open."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def open_below(folder: Path) -> list[str]:
    """The paths of what is open in a folder, once for each descriptor."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listdir had
            path = os.readlink(f"/proc/self/fd/{fd}")
            if Path(path).is_relative_to(folder):
                found.append(path)
    return found
