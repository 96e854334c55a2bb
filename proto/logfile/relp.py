"""RELP, the server's side: bytes -> frames -> messages to store, and the answers to them.

The protocol is https://github.com/rsyslog/librelp/blob/master/doc/relp.md, and where that text and
the library differ, what the library and rsyslog's omrelp do.  A frame is

    TXNR SP COMMAND SP DATALEN [SP DATA] LF

A message is acknowledged when it is on the disk and not before.  One that cannot be stored is *not*
answered with 500: omrelp throws such a message away.  It gets no answer, the connection ends with
`serverclose`, and omrelp sends it again to whoever listens then.  500 is for what would be as wrong
the next time: an unknown command, a command out of order, offers that do not fit.

Knows neither sockets nor files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from proto.logfile.framing import KEPT_WHEN_CUT, LONGEST_LINE, Line, Piece, Run

LAST_TXNR: Final = 999_999_999
"""The number after it is 1; 0 is for hints, which nobody answers."""
SERVERCLOSE: Final = b"0 serverclose 0\n"
"""The hint that the connection ends from this side."""
STORED: Final = b"200 OK"
OFFERS: Final = b"200 OK\nrelp_version=0\nrelp_software=proto\ncommands=syslog"
LONGEST_HEADER: Final = 9 + 1 + 32 + 1 + 9 + 1
LONGEST_OFFERS: Final = 4096
"""Bytes that are kept of whatever is no message."""

_HEADER: Final = re.compile(rb"([0-9]{1,9}) ([A-Za-z]{1,32}) (?:(0{1,9})(?=\n)|([0-9]{1,9}) )")
_BEGINNING: Final = re.compile(rb"[0-9]{1,9}(?: (?:[A-Za-z]{1,32}(?: (?:[0-9]{1,9})?)?)?)?")

Frame = tuple[int, bytes, bytes, int]
"""Its number, its command, the beginning of its data, and how many bytes more there were."""


class Frames:
    """The frames of one connection.

    Of a message no more than `limit` bytes are kept; the rest is counted, as it is skipped by its
    length.  So no frame is too long to be answered, and no peer decides how much memory it takes.
    """

    __slots__ = ("_begun", "_data", "_limit", "_missing", "_room", "_size", "_tail", "broken")

    def __init__(self, limit: int = LONGEST_LINE) -> None:
        self._limit = limit
        self._tail = b""
        self._begun: tuple[int, bytes] | None = None
        self._data = bytearray()
        self._missing = self._room = self._size = 0
        self.broken = ""
        """Why nothing can be read any more; empty while all is well."""

    @property
    def held(self) -> int:
        """Bytes kept of the unfinished frame."""
        return len(self._tail) + len(self._data)

    def cut(self) -> None:
        """Give up most of what is kept of the unfinished frame; its end is found all the same."""
        if self._begun is not None:
            self._room = min(self._room, KEPT_WHEN_CUT)
            del self._data[self._room :]

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes; none any more once `broken` says why."""
        if self.broken:
            return []
        frames: list[Frame] = []
        at = 0
        if self._begun is not None:
            at = self._go_on(data, frames)
        elif self._tail:
            data, self._tail = self._tail + data, b""
        while at < len(data) and not self.broken:
            header = _HEADER.match(data, at)
            if header is None:
                self._keep(data[at : at + LONGEST_HEADER + 1])
                break
            txnr, command, nothing, digits = header.groups()
            begin = header.end()
            end = begin + (0 if nothing else int(digits))
            if end < len(data):  # the LF is there too
                if data[end] != 10:
                    self.broken = "a frame whose length is not what it says"
                    break
                kept = data[begin : min(end, begin + self._room_for(command))]
                frames.append((int(txnr), command, kept, end - begin - len(kept)))
                at = end + 1
            else:
                self._begin(int(txnr), command, data[begin:], end - begin)
                break
        return frames

    def _room_for(self, command: bytes) -> int:
        return self._limit if command == b"syslog" else LONGEST_OFFERS

    def _keep(self, tail: bytes) -> None:
        """Remember what may be the beginning of a header; nothing else may stand here."""
        if len(tail) <= LONGEST_HEADER and _BEGINNING.fullmatch(tail):
            self._tail = tail
        else:
            self.broken = "what came is no RELP frame"

    def _begin(self, txnr: int, command: bytes, data: bytes, size: int) -> None:
        """A frame has begun whose end is still on its way."""
        self._begun = txnr, command
        self._room = self._room_for(command)
        self._data += data[: self._room]
        self._size = size
        self._missing = size - len(data)

    def _go_on(self, data: bytes, frames: list[Frame]) -> int:
        """Take what belongs to the frame that has begun; the result is where that ends."""
        assert self._begun is not None
        part = data[: self._missing]
        if (room := self._room - len(self._data)) > 0:
            self._data += part[:room]
        if len(data) <= self._missing:
            self._missing -= len(data)
            return len(data)
        if data[self._missing] != 10:
            self.broken = "a frame whose length is not what it says"
            return len(data)
        frames.append((*self._begun, bytes(self._data), self._size - len(self._data)))
        self._begun = None
        self._data.clear()
        return self._missing + 1


@dataclass(slots=True)
class Batch:
    """What the peer said in one chunk: messages to store, and the answers in their order."""

    pieces: list[Piece] = field(default_factory=list)
    count: int = 0
    """How many messages wait for their answer."""
    answers: list[bytes | range] = field(default_factory=list)
    """Frames as they are, and the numbers of messages."""

    def stored(self) -> bytes:
        """What the peer is told when all the messages are on the disk."""
        return b"".join(
            each if isinstance(each, bytes) else b"".join(map(b"%d rsp 6 200 OK\n".__mod__, each))
            for each in self.answers
        )


class Session:
    """One connection's conversation.

    Numbers must rise by one from 1, as librelp insists; `open` comes first and once.  Whoever
    breaks these rules is told so once and not listened to any more.
    """

    __slots__ = ("_frames", "_next", "_opened", "over", "problem")

    def __init__(self, limit: int = LONGEST_LINE, first: int = 1) -> None:
        """`first` is the number that the first frame must have."""
        self._frames = Frames(limit)
        self._next = first
        self._opened = False
        self.over = False
        """Whether nothing is listened to any more: hang up when all is answered."""
        self.problem = ""
        """What the peer did wrong to end the session; empty for an orderly end."""

    @property
    def held(self) -> int:
        """Bytes kept of the unfinished frame."""
        return self._frames.held

    def cut(self) -> None:
        """Give up most of what is kept of the unfinished frame."""
        self._frames.cut()

    def receive(self, data: bytes) -> Batch:
        """What those bytes amount to."""
        batch = Batch()
        messages: list[bytes] = []
        begin = self._next
        frames = () if self.over else self._frames.feed(data)
        for txnr, command, text, left_out in frames:
            if command == b"syslog" and txnr == self._next and self._opened:
                if left_out:
                    _add(batch, messages)
                    batch.pieces.append(Line(text, left_out))
                    batch.count += 1
                else:
                    messages.append(text)
                if txnr == LAST_TXNR:
                    batch.answers.append(range(begin, txnr + 1))
                    begin = self._next = 1
                else:
                    self._next = txnr + 1
                continue
            if begin != self._next:
                batch.answers.append(range(begin, self._next))
            self._obey(txnr, command, text, left_out, batch)
            begin = self._next
            if self.over:
                break
        if begin != self._next:
            batch.answers.append(range(begin, self._next))
        _add(batch, messages)
        if self._frames.broken and not self.over:
            self._end(batch, self._frames.broken)
        return batch

    def _obey(self, txnr: int, command: bytes, text: bytes, left_out: int, batch: Batch) -> None:
        """Everything that is not simply the next message."""
        if txnr == 0:
            if command in (b"open", b"close", b"syslog", b"rsp"):
                self._end(batch, "a command that comes as a hint")
            return
        if txnr != self._next:
            self._refuse(batch, txnr, f"number {txnr} where {self._next} is next")
            return
        self._next = 1 if txnr == LAST_TXNR else txnr + 1
        if command == b"close":
            batch.answers.append(answer(txnr, STORED))
            self._end(batch)
        elif command == b"open":
            problem = "already open" if self._opened else _refusal_of(text, left_out)
            if problem:
                self._refuse(batch, txnr, problem)
            else:
                self._opened = True
                batch.answers.append(answer(txnr, OFFERS))
        elif not self._opened:
            self._refuse(batch, txnr, "a command before open")
        else:
            batch.answers.append(answer(txnr, b"500 unknown command"))

    def _refuse(self, batch: Batch, txnr: int, problem: str) -> None:
        batch.answers.append(answer(txnr, b"500 protocol error: " + problem.encode()))
        self._end(batch, problem)

    def _end(self, batch: Batch, problem: str = "") -> None:
        self.over = True
        self.problem = problem
        batch.answers.append(SERVERCLOSE)


def answer(txnr: int, text: bytes) -> bytes:
    """The frame that answers the command of that number."""
    return b"%d rsp %d %s\n" % (txnr, len(text), text)


def offers(text: bytes) -> dict[bytes, list[bytes]]:
    """The offers of an `open`, or of the answer to it: each name with its values."""
    found: dict[bytes, list[bytes]] = {}
    for line in text.split(b"\n"):
        name, _, values = line.partition(b"=")
        if name:
            found.setdefault(name, []).extend(value for value in values.split(b",") if value)
    return found


def _refusal_of(text: bytes, left_out: int) -> str:
    """Why those offers of a client do not fit; empty if they do.

    As librelp: the version must be a number, and any number will do, since the answer names ours;
    of several the last counts.  One that is missing means 0.
    """
    if left_out:
        return "too many offers"
    offered = offers(text)
    versions = offered.get(b"relp_version")
    if versions is not None and not (versions and versions[-1].isdigit()):
        return "relp_version is no number"
    if b"syslog" not in offered.get(b"commands", ()):
        return "required command not supported by client"
    return ""


def _add(batch: Batch, messages: list[bytes]) -> None:
    """Put the messages into the batch; ordinary ones are one piece, which costs little each."""
    if not messages:
        return
    batch.count += len(messages)
    text = b"\n".join(messages) + b"\n"
    if text.count(b"\n") == len(messages):
        batch.pieces.append(Run(text, len(messages)))
    else:
        batch.pieces.extend(_pieces(map(_without_end, messages)))
    messages.clear()


def _pieces(messages: Iterable[bytes]) -> Sequence[Piece]:
    """Messages of which some hold an LF: these stand alone, so that they stay one record each."""
    pieces: list[Piece] = []
    plain: list[bytes] = []
    for message in messages:
        if b"\n" not in message:
            plain.append(message)
            continue
        if plain:
            pieces.append(Run(b"\n".join(plain) + b"\n", len(plain)))
            plain = []
        pieces.append(Line(message))
    if plain:
        pieces.append(Run(b"\n".join(plain) + b"\n", len(plain)))
    return pieces


def _without_end(message: bytes) -> bytes:
    """The message without one line end, which some templates of rsyslog put behind each."""
    return message[:-1].removesuffix(b"\r") if message.endswith(b"\n") else message
