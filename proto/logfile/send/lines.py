"""Bytes as they are read -> lines to send, numbered from 1 in messages.  Knows no files."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 128 * 1024
"""Bytes; what RELP promises to carry, and more than a log keeps of one line by default."""


class LineTooLong(Exception):
    """A line that no server takes whole."""


class Lines:
    """The lines of one input; a last one without LF counts as one."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._tail = b""
        self._count = 0
        self.problem: LineTooLong | None = None
        """Why nothing more is taken; the lines before it are good."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes."""
        if self.problem is not None:
            return []
        *lines, self._tail = (self._tail + data).split(b"\n")
        return self._checked(lines)

    def close(self) -> list[bytes]:
        """What stands behind the last LF, if there is anything."""
        last, self._tail = self._tail, b""
        return self._checked([last] if last and self.problem is None else [])

    def _checked(self, lines: list[bytes]) -> list[bytes]:
        """Those lines, up to the first that is too long."""
        if max(map(len, lines), default=0) <= self._longest >= len(self._tail):
            self._count += len(lines)
            return lines
        for at, line in enumerate((*lines, self._tail)):
            if len(line) > self._longest:
                number = self._count + at + 1
                self.problem = LineTooLong(f"line {number} is longer than {self._longest} bytes")
                self._tail = b""
                lines = lines[:at]
                break
        self._count += len(lines)
        return lines
