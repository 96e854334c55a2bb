"""How far it is, as one line of a terminal that is written over.  Knows no terminals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

EVERY: Final = 0.2
"""Seconds between two looks at the line."""
CLEAR: Final = "\r\x1b[K"


class Progress:
    """The line; `write` is told what to print, or is None where nobody watches."""

    def __init__(self, write: Callable[[str], object] | None, now: float) -> None:
        self._write = write
        self._begun = self._shown = now
        self._is_there = False

    def show(self, sent: int, acknowledged: int, now: float, *, at_once: bool = False) -> None:
        """So many lines were sent, and of these so many are acknowledged."""
        if self._write is None or (now - self._shown < EVERY and not at_once):
            return
        self._shown = now
        rate = acknowledged / max(now - self._begun, 0.001)
        self._write(f"{CLEAR}{sent:,} sent, {acknowledged:,} acknowledged, {rate:,.0f} lines/s")
        self._is_there = True

    def end(self) -> None:
        """What follows begins on a line of its own."""
        if self._write is not None and self._is_there:
            self._write("\n")
            self._is_there = False
