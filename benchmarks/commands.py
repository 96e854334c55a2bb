"""The command lines of servers: ours, and those in peers/; or why there is none."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import gcc, golang
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


def on_uvloop(name: str, *options: str) -> Command | str:
    """A Python program in peers/ that has `--uvloop`."""
    if find_spec("uvloop") is None:
        return "uvloop is not installed"
    return peer(name, "--uvloop", *options)


def in_go(name: str, *options: str) -> Command | str:
    """A Go module in peers/."""
    program = golang.built(PEERS / name)
    if isinstance(program, str):
        return program
    # One core, as the others have; `env` becomes the program and keeps its pid.
    command = ["env", "GOMAXPROCS=1", str(program), *options]
    return lambda folder, port: [*command, "-port", str(port)]


def in_c(name: str, *options: str) -> Command | str:
    """A program whose source is this file in peers/."""
    program = gcc.built(PEERS / name)
    if isinstance(program, str):
        return program
    return lambda folder, port: [str(program), *options, "--port", str(port)]
