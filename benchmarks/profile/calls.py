"""What perf saw: how much of the time was the kernel's, and for which system calls.  Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

FAULTS: Final = "page faults"
OTHER: Final = "other"
"""Interrupts, and the scheduler."""
_CALL: Final = re.compile(r"(?:__|k)(?:(?:x64|ia32|arm64|riscv|s390x)_)?sys_(\w+)")
"""A function of the kernel's that is named for a system call: of `write` the first that is not
inlined is `ksys_write`, of others `__x64_sys_sendto`."""
_FRAME: Final = re.compile(r"\s*([0-9a-f]+) (.+)")
_KERNEL: Final = 1 << 63
"""Addresses from here on are the kernel's."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Samples, and those in the kernel by the system call that led there, the most of
    them first; FAULTS and OTHER stand for what is none."""

    samples: int
    by_name: dict[str, int]

    @property
    def in_kernel(self) -> int:
        """All of these."""
        return sum(self.by_name.values())


def parsed(script: str) -> Calls:
    """The text of `perf script -F ip,sym`: a paragraph for each sample, the innermost first."""
    samples, by_name = 0, Counter[str]()
    for paragraph in script.split("\n\n"):
        frames = [found for line in paragraph.splitlines() if (found := _FRAME.match(line))]
        if not frames:
            continue
        samples += 1
        if int(frames[0][1], 16) >= _KERNEL:
            by_name[_reason([frame[2] for frame in reversed(frames)])] += 1
    return Calls(samples, dict(by_name.most_common()))


def _reason(names: Iterable[str]) -> str:
    """Why the kernel was entered, by its functions, the outermost first."""
    for name in names:
        if found := _CALL.match(name):
            return found[1]
        if "page_fault" in name:
            return FAULTS
    return OTHER
