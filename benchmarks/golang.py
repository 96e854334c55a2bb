"""The peers that are written in Go: built once, when the first case asks for them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from benchmarks import building


def build(source: Path, program: Path, go: str = "go") -> None:
    """Build the module in the folder `source`; raises NotBuilt."""
    # -buildvcs=false: a checkout that belongs to somebody else would be refused by git.
    command = [go, "build", "-buildvcs=false", "-o", str(program), "."]
    building.build(command, source, name="go build", title="Go")


@cache
def built(source: Path) -> Path | str:
    """The program, which is removed when this process ends; or why there is none."""
    return building.in_passing(source.name, lambda program: build(source, program))
