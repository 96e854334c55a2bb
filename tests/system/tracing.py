"""strace around a real program: one of its system calls is slow, fails, or is its last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.system.programs import program


def injecting(calls: str, fault: str, *, paths: Sequence[Path] = (), when: str = "") -> list[str]:
    """What to say to strace: `fault` is as its manual has it, such as `signal=KILL`.

    Only calls on `paths` count, if any are given; `when` is which of them, `3` or `3+` or `3..5`.
    """
    moment = f":when={when}" if when else ""
    only = [word for path in paths for word in ("-P", str(path))]
    return [*only, "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}{moment}"]


def traced(folder: Path, *words: str) -> tuple[str, ...]:
    """The prefix of a command; its process keeps its parent, and strace is aside.

    The calls that were traced are in `folder`/calls.txt.
    """
    strace = program("strace", "strace")
    return (strace, "-D", "-f", "-qq", "-o", str(folder / "calls.txt"), *words)
