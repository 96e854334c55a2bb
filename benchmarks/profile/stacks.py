"""What py-spy saw, as functions with their share of the samples.  Pure: text in, numbers out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

ALWAYS: Final = 0.99
"""The part of a thread's samples from which on a function is taken to be there all the time."""
_THREAD: Final = re.compile(r"thread \((?P<id>[^)]*)\)(?:: (?P<name>.*))?")
_WAITS: Final = re.compile(
    r"pthread_cond_(timed|clock)?wait|sem_(timed|clock)?wait|PyThread_acquire_lock(_timed)?"
    r"|take_gil|\w*futex\w*wait\w*"
)
"""Compiled functions in which a thread does nothing but wait for another one."""
_COMPILED: Final = frozenset({".c", ".cc", ".cpp", ".h", ".hpp", ".pyx", ".rs"})


@dataclass(frozen=True, slots=True)
class Function:
    """Its name, and `file:line` of where it begins; of one that was compiled the file alone, or
    the library, for py-spy tells the line at which such a one just is."""

    name: str
    place: str


@dataclass(frozen=True, slots=True)
class Stack:
    """The functions of a thread, the outermost first, and in how many samples they were so."""

    thread: str
    functions: Sequence[Function]
    samples: int


@dataclass(frozen=True, slots=True)
class Row:
    """In how many samples a function itself ran, and in how many it or what it had called."""

    function: Function
    own: int
    total: int


@dataclass(frozen=True, slots=True)
class Profile:
    """All samples of threads that ran: how many, how many of each thread, and the functions.

    `waiting` are those besides in which a thread waited for a lock, the interpreter's or another;
    py-spy does not always see that it sleeps.  `always` are the functions that were on the stack
    nearly whenever their threads were seen.
    """

    samples: int
    waiting: int
    threads: dict[str, int]
    rows: Sequence[Row]
    always: frozenset[Function]

    def by_own(self, count: int) -> list[Row]:
        """Those that ran longest themselves."""
        ran = [row for row in self.rows if row.own]
        return sorted(ran, key=lambda row: (-row.own, row.function.name))[:count]

    def by_total(self, count: int) -> list[Row]:
        """Those that took longest with what they called, without those that are always there."""
        rows = [row for row in self.rows if row.function not in self.always]
        return sorted(rows, key=lambda row: (-row.total, row.function.name))[:count]


def parsed(raw: str) -> list[Stack]:
    """The lines of `py-spy record --format raw --function --threads`: frames, outermost first and
    with `;` between them, and a count.

    A frame without a name, which is an address, counts for the one that called it.  Raises
    ValueError.
    """
    return [_stack(line) for line in raw.splitlines() if line]


def profile(stacks: Iterable[Stack]) -> Profile:
    """The samples by function: one that calls itself counts once for each."""
    own: Counter[Function] = Counter()
    total: Counter[Function] = Counter()
    threads: Counter[str] = Counter()
    there: dict[Function, set[str]] = {}
    waiting = 0
    for stack in stacks:
        if stack.functions and _WAITS.fullmatch(stack.functions[-1].name):
            waiting += stack.samples
            continue
        threads[stack.thread] += stack.samples
        if stack.functions:
            own[stack.functions[-1]] += stack.samples
        for function in set(stack.functions):
            total[function] += stack.samples
            there.setdefault(function, set()).add(stack.thread)
    always = frozenset(
        function
        for function, names in there.items()
        if total[function] >= ALWAYS * sum(threads[name] for name in names)
    )
    rows = [Row(function, own[function], count) for function, count in total.items()]
    return Profile(sum(threads.values()), waiting, dict(threads), rows, always)


def _stack(line: str) -> Stack:
    frames, _, count = line.rpartition(" ")
    first, *others = frames.split(";")
    thread = _THREAD.fullmatch(first)
    if thread is None or not count.isdecimal():
        raise ValueError(f"no line of py-spy's: {line!r}")
    functions = tuple(_function(frame) for frame in others if not frame.startswith("0x"))
    return Stack(thread["name"] or thread["id"], functions, int(count))


def _function(frame: str) -> Function:
    name, _, place = frame.rpartition(" (")
    if not name:
        return Function(frame, "")
    place = place.removesuffix(")")
    file, _, line = place.rpartition(":")
    compiled = line.isdecimal() and PurePath(file).suffix in _COMPILED
    return Function(name, file if compiled else place)
