"""What a script says on its standard error, as lines for the log: escaped, and only so much.

Knows neither scripts nor the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_LINE: Final = 1000
"""Bytes of a line that are told; the rest of it is not."""
MAX_LINES: Final = 100
"""Lines of one script that are told."""


class Complaints:
    """The lines of one script."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._begun = b""
        self._is_cut = False  # the rest of the line that has begun is not told
        self._left = MAX_LINES

    def add(self, data: bytes) -> None:
        """These bytes have come."""
        *lines, last = data.split(b"\n")
        for line in lines:
            self._put(line)
            self._end_line()
            if not self._left:
                return
        self._put(last)

    def end(self) -> None:
        """No more will come."""
        self._end_line()

    def _put(self, piece: bytes) -> None:
        room = MAX_LINE - len(self._begun)
        self._begun += piece[:room]
        self._is_cut = self._is_cut or len(piece) > room

    def _end_line(self) -> None:
        line, is_cut = self._begun.rstrip(b"\r"), self._is_cut
        self._begun, self._is_cut = b"", False
        if not line or not self._left:
            return
        self._left -= 1
        shown = line.decode("utf-8", "backslashreplace").encode("unicode_escape").decode("ascii")
        self._tell(shown + " ..." if is_cut else shown)
        if not self._left:
            self._tell(f"(it says more than {MAX_LINES} lines; the rest is not told)")
