"""What is written in C: a peer, the load of lines, a slow disk; built once, when asked for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from benchmarks import building


def build(source: Path, program: Path, *options: str, compiler: str = "gcc") -> None:
    """Build the file `source`; raises NotBuilt."""
    command = [compiler, "-O2", *options, "-o", str(program), str(source.resolve())]
    building.build(command, source.parent, name=f"gcc of {source.name}", title="gcc")


@cache
def built(source: Path) -> Path | str:
    """The program, which is removed when this process ends; or why there is none."""
    return building.in_passing("program", lambda program: build(source, program))


@cache
def library(source: Path) -> Path | str:
    """A library for LD_PRELOAD, as `built` has it."""
    options = ("-shared", "-fPIC")
    return building.in_passing("library.so", lambda program: build(source, program, *options))
