"""Chunks of bytes -> lines, with the editing keys of a character-mode terminal.

A line ends at LF, CR LF, CR NUL or a lone CR.  Backspace and DEL take back one UTF-8 character,
control-U the line.  Where the chunks break makes no difference, and at most one line is kept.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 4096

_EDITING: Final = re.compile(rb"[\x08\x7f\x15]")
_KILL: Final = b"\x15"
_AFTER_CR: Final = (b"\n", b"\0")


class LineSplitter:
    """Splits one client's input; a line longer than `longest` bytes is told as None, once.

    None comes as soon as the line is too long, and the rest of that line is dropped.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._line: bytes = b""
        self._dropping = False
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The lines that this chunk completes, and None for each that is too long."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk.startswith(_AFTER_CR):
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r\0", b"\n").replace(b"\r", b"\n")
        pieces = chunk.split(b"\n")
        rest = pieces.pop()
        plain = _EDITING.search(chunk) is None
        lines: list[bytes | None] = []
        for piece in pieces:
            if plain and not self._line and not self._dropping and len(piece) <= self._longest:
                lines.append(piece)
                continue
            self._add(piece, lines)
            if not self._dropping:
                lines.append(self._line)
            self._line, self._dropping = b"", False
        if rest:
            self._add(rest, lines)
        return lines

    def finish(self) -> list[bytes | None]:
        """The last line, if the input ended without a line end; then nothing."""
        line, self._line = self._line, b""
        return [line] if line else []

    def _add(self, piece: bytes, lines: list[bytes | None]) -> None:
        if self._dropping:
            return
        line = edited(self._line, piece, self._longest)
        if line is None:
            self._dropping = True
            lines.append(None)
        self._line = line or b""


def edited(line: bytes, typed: bytes, longest: int) -> bytes | None:
    """The line after those keys, or None when it was ever longer than that."""
    if _EDITING.search(typed) is None:
        line += typed
        return line if len(line) <= longest else None
    buffer = bytearray(line)
    at = 0
    for key in _EDITING.finditer(typed):
        buffer += typed[at : key.start()]
        at = key.end()
        if len(buffer) > longest:
            return None
        if key.group() == _KILL:
            buffer.clear()
        else:
            _erase(buffer)
    buffer += typed[at:]
    return bytes(buffer) if len(buffer) <= longest else None


def _erase(buffer: bytearray) -> None:
    """Take back the last character: a lead byte and up to three continuation bytes."""
    for _ in range(4):
        if not buffer or buffer.pop() & 0xC0 != 0x80:
            return
