"""The command lines of servers: ours, and those in peers/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from benchmarks.servers import TWISTD, Command

PEERS: Final = Path(__file__).with_name("peers")


def proto(service: str, *options: str) -> Command:
    """One service of ours."""
    twistd = [
        TWISTD,
        "--reactor=lean",
        "--pidfile=",
        "-n",
        service,
        "--interface",
        "127.0.0.1",
        *options,
    ]
    return lambda folder, port: [*twistd, "--port", str(port)]


def peer(name: str, *options: str) -> Command:
    """A Python program in peers/."""
    program = [sys.executable, str(PEERS / f"{name}.py"), *options]
    return lambda folder, port: [*program, "--port", str(port)]
