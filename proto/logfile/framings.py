"""Messages that end at NUL, or say how long they are (RFC 6587).  Knows neither files nor sockets.

A count that cannot be one loses nobody else's bytes and ends no connection: what stands where a
count was due is read as a line up to the next LF, and the next message begins behind it.  A count
that is too large or too small is believed, for there is no way to know; the message then holds
what was counted, and the rest is read as such a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

from proto.logfile.framing import (
    KEPT_WHEN_CUT,
    LONGEST_LINE,
    Framing,
    Line,
    LineFraming,
    Piece,
    Run,
)

COUNT_DIGITS: Final = 7
"""A longer number is no count, unless the limit itself is longer: `20261121` is a date."""

_EMPTY_LINES: Final = re.compile(rb"\n{2,}")


class _Counts(NamedTuple):
    """How the counts of one kind of stream are found."""

    whole: re.Pattern[bytes]
    """A count; the LF before it may belong to a message that did not count it."""
    begun: re.Pattern[bytes]
    """All there is may become a count."""
    after_end: re.Pattern[bytes]
    """The end of a line, with a count or the beginning of one behind it."""


@cache
def _counts(digits: int, end: bytes) -> _Counts:
    number = b"[1-9][0-9]{0,%d}" % (digits - 1)
    return _Counts(
        re.compile(rb"\n?(%b) " % number),
        re.compile(rb"%b\Z" % number),
        re.compile(rb"%b%b(?: |\Z)" % (end, number)),
    )


class NulFraming(LineFraming):
    """One connection's messages, each of which ends with NUL and may hold anything else."""

    __slots__ = ()

    _END: ClassVar = b"\0"

    def _plain(self, text: bytes) -> bytes:
        return text

    def _ends_in_cr(self, data: bytes | bytearray) -> bool:
        return False

    def _add(self, text: bytes, pieces: list[Piece]) -> None:
        if b"\n" not in text:
            pieces.append(Run(text.replace(b"\0", b"\n"), text.count(b"\0")))
        else:
            _gather(text[:-1].split(b"\0"), pieces)


class OctetFraming:
    """One connection's messages, each behind its length in bytes: `LEN SP MSG`.

    One LF at the very end of a message is counted by some senders, and not by others who send it
    all the same; it is no part of the message.  A message above `limit` bytes is cut there, and
    the rest of it skipped by its count.
    """

    __slots__ = (
        "_counts",
        "_due",
        "_head",
        "_limit",
        "_lines",
        "_number",
        "_room",
        "_size",
        "astray",
    )

    _LINES_ARE_ASTRAY: ClassVar = True

    def __init__(self, limit: int = LONGEST_LINE) -> None:
        self._limit = limit
        self._counts = _counts(max(COUNT_DIGITS, len(str(limit))), rb"\n")
        self._lines = LineFraming(limit)
        self._number = b""
        """The beginning of a count."""
        self._head = bytearray()
        self._size = self._due = 0
        """Of the message that is being read: its length, and how much of it is to come."""
        self._room = limit
        """How much of that message is kept."""
        self.astray = 0
        """How many lines stood where a count was due, so far."""

    @property
    def held(self) -> int:
        """How many bytes of an unfinished message are in memory."""
        return len(self._number) + len(self._head) + self._lines.held

    def feed(self, data: bytes) -> list[Piece]:
        """The messages that `data` completes, in order."""
        if self._number:
            data, self._number = self._number + data, b""
        pieces: list[Piece] = []
        counts = self._counts_in(data)
        at = 0
        while at < len(data):
            if self._due:
                at = self._go_on(data, at, pieces)
            elif self._lines.begun:
                at = self._line(data, at, counts, pieces)
            elif found := counts.whole.match(data, at):
                at = self._counted(data, found, pieces)
            elif counts.begun.match(data, at):
                self._number = data[at:]
                break
            else:
                at = self._line(data, at, counts, pieces)
        return pieces

    def close(self) -> Line | None:
        """The message that the peer began and did not end, if there is one."""
        if self._due:
            return self._message(self._size - self._due, ended=False)
        self._lines.feed(self._number)
        self._number = b""
        line = self._lines.close()
        if line is None:
            return None
        self.astray += self._LINES_ARE_ASTRAY
        return replace(line, ended=not self._LINES_ARE_ASTRAY)

    def cut(self) -> None:
        """Give up most of what is held: the unfinished message counts as cut here."""
        self._lines.cut()
        if self._due:
            self._room = min(len(self._head), KEPT_WHEN_CUT)
            self._head = self._head[: self._room]

    def _counted(self, data: bytes, found: re.Match[bytes], pieces: list[Piece]) -> int:
        """Take the messages that are whole here, and begin the one that is not; where they end."""
        messages = []
        next_one: re.Match[bytes] | None = found
        while next_one is not None:
            begin = next_one.end()
            size = int(next_one[1])
            end = begin + size
            if end > len(data) or size > self._limit:
                self._size = self._due = size
                self._room = self._limit
                break
            messages.append(data[begin : end - (data[end - 1] == 10)])
            begin = end
            next_one = self._counts.whole.match(data, end)
        if messages:
            _gather(messages, pieces)
        return begin

    def _go_on(self, data: bytes, at: int, pieces: list[Piece]) -> int:
        """Take what came of the message that is being read; where it ends."""
        end = min(at + self._due, len(data))
        room = self._room - len(self._head)
        if room > 0:
            self._head += data[at : min(end, at + room)]
        self._due -= end - at
        if not self._due:
            line = self._message(self._size - data.endswith(b"\n", at, end))
            if line.left_out:
                pieces.append(line)
            else:
                _gather([line.head], pieces)
        return end

    def _message(self, size: int, *, ended: bool = True) -> Line:
        """The message that is being read, of which `size` bytes are not its end."""
        head = bytes(self._head[:size])
        self._head = bytearray()
        self._size = self._due = 0
        return Line(head, size - len(head), ended)

    def _line(self, data: bytes, at: int, counts: _Counts, pieces: list[Piece]) -> int:
        """Take the lines up to the next count; where that is."""
        found = counts.after_end.search(data, at)
        end = found.start() + 1 if found else len(data)
        lines = [
            kept for piece in self._lines.feed(self._text(data[at:end])) for kept in _filled(piece)
        ]
        if self._LINES_ARE_ASTRAY:
            self.astray += sum(line.count if isinstance(line, Run) else 1 for line in lines)
        pieces += lines
        return end

    # What lines that are nothing unusual change.
    def _counts_in(self, data: bytes) -> _Counts:
        """How counts are found in this data."""
        return self._counts

    def _text(self, lines: bytes) -> bytes:
        """Lines, or parts of them, that end at LF."""
        return lines


class SyslogFraming(OctetFraming):
    """One connection's messages as RFC 6587 senders mix them.

    A message that begins with a count is read by its count (section 3.4.1), and every other one up
    to LF (section 3.4.2), or up to the NUL that Python's SysLogHandler sends, or for as long as
    the peer is there: the last message may end with the connection.  Empty lines are no messages.
    """

    __slots__ = ("_counts_after_nul",)

    _LINES_ARE_ASTRAY: ClassVar = False

    def __init__(self, limit: int = LONGEST_LINE) -> None:
        super().__init__(limit)
        self._counts_after_nul = _counts(max(COUNT_DIGITS, len(str(limit))), rb"[\n\0]")

    def _counts_in(self, data: bytes) -> _Counts:
        # To look for either of two bytes takes ten times as long as to look for one.
        return self._counts_after_nul if b"\0" in data else self._counts

    def _text(self, lines: bytes) -> bytes:
        return lines.replace(b"\0", b"\n") if b"\0" in lines else lines


FRAMINGS: Final[Mapping[str, Callable[[int], Framing]]] = MappingProxyType(
    {"line": LineFraming, "nul": NulFraming, "octet": OctetFraming, "syslog": SyslogFraming}
)


def framing(kind: str, limit: int = LONGEST_LINE) -> Framing:
    """A new connection's framing, by its name in `FRAMINGS`; `limit` is in bytes a message."""
    return FRAMINGS[kind](limit)


def _filled(piece: Piece) -> Iterator[Piece]:
    """The piece without its empty lines, if there is anything else."""
    if isinstance(piece, Line):
        if piece.head or piece.left_out:
            yield piece
        return
    text = piece.text
    if text.startswith(b"\n") or b"\n\n" in text:
        text = _EMPTY_LINES.sub(b"\n", text).lstrip(b"\n")
        piece = Run.of(text)
    if text:
        yield piece


def _gather(messages: Sequence[bytes], pieces: list[Piece]) -> None:
    """Add whole messages: those with an LF inside one by one, the others as runs."""
    text = b"\n".join((*messages, b""))
    if text.count(b"\n") == len(messages):
        pieces.append(Run(text, len(messages)))
        return
    for has_lf, alike in groupby(messages, lambda message: b"\n" in message):
        if has_lf:
            pieces += map(Line, alike)
        else:
            _gather(list(alike), pieces)
