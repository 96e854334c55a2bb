"""Bytes as they arrive -> lines that end at LF or CRLF.  Bounded; knows neither files nor sockets.

The unit is the chunk: one read of the socket holds thousands of short lines, and as long as none of
them is too long they stay together in one `Run` that no Python loop ever takes apart.  Other ways
to tell messages apart are in `framings`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

LONGEST_LINE: Final = 64 * 1024
"""The default limit, in bytes and without the line's end."""

KEPT_WHEN_CUT: Final = 1024
"""Bytes that are still held of an unfinished line that was given up."""


CONTROLS: Final = bytes(byte for byte in (*range(0x20), 0x7F) if byte not in b"\t\n")
"""The bytes that no record has: C0 without TAB and LF, and DEL."""
_ORDINARY: Final = bytes(byte for byte in range(256) if byte not in CONTROLS + b"\n")


@dataclass(frozen=True, slots=True)
class Run:
    """Whole lines in a row; each ends in LF, whichever way it ended on the wire."""

    text: bytes
    count: int
    clean: bool = field(default=False, compare=False)
    """Whether it is known to have none of the `CONTROLS`."""

    @classmethod
    def of(cls, text: bytes) -> Run:
        """These whole lines.  They are counted and looked through at once, which is half of what
        the log receiver does with a line."""
        marks = text.translate(None, _ORDINARY)
        if marks == b"\n" * len(marks):
            return cls(text, len(marks), clean=True)
        return cls(text, marks.count(b"\n"))


@dataclass(frozen=True, slots=True)
class Line:
    """One line told apart from its neighbours because something is amiss with it."""

    head: bytes
    """May hold LF, where lines do not end at LF."""
    left_out: int = 0
    """How many bytes after it were dropped."""
    ended: bool = True
    """False when the peer hung up before the line's end."""


Piece = Run | Line


class Framing(Protocol):
    """One connection's bytes -> its lines.  What is held is bounded, and any split of the bytes
    gives the same lines."""

    def feed(self, data: bytes) -> list[Piece]:
        """The lines that `data` completes, in order."""

    def close(self) -> Line | None:
        """The line that the peer began and did not end, if there is one."""

    def cut(self) -> None:
        """Give up most of what is held: the unfinished line counts as cut here.

        At most `KEPT_WHEN_CUT` bytes of it stay; what is still to come of it is left out.
        """

    @property
    def held(self) -> int:
        """How many bytes of an unfinished line are in memory."""

    @property
    def astray(self) -> int:
        """How many lines stood where something else was due, so far."""


class LineFraming:
    """One connection's lines; it remembers no more than the beginning of the unfinished one.

    A line above `limit` bytes is cut there, what follows is dropped up to the line's end, and the
    next line is read as usual: it never becomes two lines and never ends the connection.
    """

    __slots__ = ("_cr", "_cut", "_left_out", "_limit", "_tail")

    _END: ClassVar = b"\n"
    astray: Final = 0

    def __init__(self, limit: int = LONGEST_LINE) -> None:
        self._limit = limit
        self._tail = bytearray()
        self._cut = False
        self._left_out = 0
        self._cr = False

    @property
    def held(self) -> int:
        """How many bytes of an unfinished line are in memory."""
        return len(self._tail)

    @property
    def begun(self) -> bool:
        """Whether a line waits for its end."""
        return self._cut or bool(self._tail)

    def feed(self, data: bytes) -> list[Piece]:
        """The lines that `data` completes, in order; almost always one `Run`, or nothing."""
        end = data.rfind(self._END) + 1
        if not end:
            self._keep(data)
            return []
        begin = 0
        pieces: list[Piece] = []
        if self._cut:
            begin = data.index(self._END) + 1
            self._leave_out(data[: begin - 1])
            pieces.append(self._take(self._left_out - self._cr))
        text = data[begin:end]
        if self._tail:
            text = b"".join((self._tail, text))
            self._tail = bytearray()
        self._split(self._plain(text), pieces)
        self._keep(data[end:])
        return pieces

    def close(self) -> Line | None:
        """The line that the peer began and did not end, if there is one."""
        if not self.begun:
            return None
        self._cut_at(self._limit)
        return self._take(self._left_out, ended=False)

    def cut(self) -> None:
        """Give up most of what is held: the unfinished line counts as cut here."""
        if self.begun:
            whole = len(self._tail) - (not self._cut and self._ends_in_cr(self._tail))
            self._cut_at(min(whole, self._limit, KEPT_WHEN_CUT))

    def _keep(self, data: bytes) -> None:
        """Remember the beginning of a line; `data` holds no end of a line."""
        if self._cut:
            self._leave_out(data)
            return
        self._tail += data
        # The one byte more may be the CR of a line that is just short enough.
        if len(self._tail) > self._limit + 1:
            self._cut_at(self._limit)

    def _cut_at(self, size: int) -> None:
        """Hold no more than `size` bytes of this line, now and from now on."""
        beyond = self._tail[size:]
        if self._cut:
            self._left_out += len(beyond)
        else:
            self._cut = True
            self._leave_out(beyond)
        self._tail = self._tail[:size]

    def _leave_out(self, data: bytes | bytearray) -> None:
        self._left_out += len(data)
        if data:
            self._cr = self._ends_in_cr(data)

    def _take(self, left_out: int, *, ended: bool = True) -> Line:
        line = Line(bytes(self._tail), left_out, ended)
        self._tail = bytearray()
        self._cut = self._cr = False
        self._left_out = 0
        return line

    def _split(self, text: bytes, pieces: list[Piece]) -> None:
        """Add the lines of `text`, which ends with one: runs, and between them the lines cut short.

        A line is too long when no end is found in the `limit` + 1 bytes from its beginning.
        Looking from the back of that window skips all the short lines in it at once.
        """
        window = self._limit + 1
        start = at = 0
        while len(text) - at > window:
            last = text.rfind(self._END, at, at + window)
            if last >= 0:
                at = last + 1
                continue
            if at > start:
                self._add(text[start:at], pieces)
            end = text.index(self._END, at)
            pieces.append(Line(text[at : at + self._limit], end - at - self._limit))
            start = at = end + 1
        if start < len(text):
            self._add(text[start:], pieces)

    # What another end of the line changes.
    def _plain(self, text: bytes) -> bytes:
        """The lines with nothing but the end behind each."""
        return text.replace(b"\r\n", b"\n") if b"\r" in text else text

    def _ends_in_cr(self, data: bytes | bytearray) -> bool:
        """Whether the last byte belongs to the line's end, should that come next."""
        return data.endswith(b"\r")

    def _add(self, text: bytes, pieces: list[Piece]) -> None:
        """Add whole lines, none of which is too long."""
        pieces.append(Run.of(text))
