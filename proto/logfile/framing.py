"""Bytes as they arrive -> lines.  Ends at LF or CRLF; bounded; knows neither files nor sockets.

The unit is the chunk: one read of the socket holds thousands of short lines, and as long as none of
them is too long they stay together in one `Run` that no Python loop ever takes apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST_LINE: Final = 64 * 1024
"""The default limit, in bytes and without the line's end."""


@dataclass(frozen=True, slots=True)
class Run:
    """Whole lines in a row; each ends in LF, whichever way it ended on the wire."""

    text: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line told apart from its neighbours because something is amiss with it."""

    head: bytes
    left_out: int = 0
    """How many bytes beyond the limit were dropped."""
    ended: bool = True
    """False when the peer hung up before the line's end."""


class LineFraming:
    """One connection's lines; it remembers no more than the beginning of the unfinished one.

    A line above `limit` bytes is cut there, what follows is dropped up to the line's end, and the
    next line is read as usual: it never becomes two lines and never ends the connection.
    """

    __slots__ = ("_cr", "_left_out", "_limit", "_tail")

    def __init__(self, limit: int = LONGEST_LINE) -> None:
        self._limit = limit
        self._tail = b""
        self._left_out = 0
        self._cr = False

    def feed(self, data: bytes) -> list[Run | Line]:
        """The lines that `data` completes, in order; almost always one `Run`, or nothing."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._keep(data)
            return []
        begin = 0
        pieces: list[Run | Line] = []
        if self._left_out:
            begin = data.index(b"\n") + 1
            pieces.append(self._end_of_long_line(data[: begin - 1]))
        text = data[begin:end]
        if self._tail:
            text = self._tail + text
            self._tail = b""
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        self._split(text, pieces)
        self._keep(data[end:])
        return pieces

    def close(self) -> Line | None:
        """The line that the peer began and did not end, if there is one."""
        head, self._tail = self._tail[: self._limit], self._tail[self._limit :]
        left_out, self._left_out = self._left_out + len(self._tail), 0
        self._tail = b""
        return Line(head, left_out, ended=False) if head else None

    def _keep(self, data: bytes) -> None:
        """Remember the beginning of a line; `data` holds no LF."""
        if not self._left_out:
            self._tail += data
            # The one byte more may be the CR of a line that is just short enough.
            if len(self._tail) <= self._limit + 1:
                return
            data = self._tail[self._limit :]
            self._tail = self._tail[: self._limit]
        self._left_out += len(data)
        if data:
            self._cr = data.endswith(b"\r")

    def _end_of_long_line(self, data: bytes) -> Line:
        self._keep(data)
        line = Line(self._tail, self._left_out - self._cr)
        self._tail, self._left_out = b"", 0
        return line

    def _split(self, text: bytes, pieces: list[Run | Line]) -> None:
        """Add the lines of `text`, which ends in LF: runs, and between them the lines cut short.

        A line is too long when no LF is found in the `limit` + 1 bytes from its beginning.  Looking
        from the back of that window skips all the short lines in it at once.
        """
        window = self._limit + 1
        start = at = 0
        while len(text) - at > window:
            last = text.rfind(b"\n", at, at + window)
            if last >= 0:
                at = last + 1
                continue
            if at > start:
                pieces.append(_run(text[start:at]))
            end = text.index(b"\n", at)
            pieces.append(Line(text[at : at + self._limit], end - at - self._limit))
            start = at = end + 1
        if start < len(text):
            pieces.append(_run(text[start:]))


def _run(text: bytes) -> Run:
    return Run(text, text.count(b"\n"))
