"""Numbered lines with a checksum each: what was sent, and the proof of what became of it.

A line is `NAME TURN NUMBER PADDING CRC` and can be made again from the first three, so that none is
kept.  A sender counts its lines from 1; whenever it comes back, a new turn, it goes on behind the
last line that was acknowledged.  `prove` reads all that a log left on the disk.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

UNFINISHED: Final = b"\\x20[unfinished]"
"""What the raw format puts behind a line whose sender hung up before its end."""
_LINE: Final = re.compile(rb"([a-z]+[0-9]*) ([0-9]+) ([0-9]+) x* ([0-9a-f]{8})")
_SEGMENT: Final = re.compile(r"\.[0-9]{8}T[0-9]{6}Z\.([0-9]{6,})(\.gz|\.unsynced|)")
_HALF: Final = re.compile(rb"([a-z]+[0-9]*) ([0-9]+) ([0-9]+) ")


def line(name: bytes, turn: int, number: int) -> bytes:
    """One line, without its end; some 30 to 130 bytes."""
    text = b"%b %d %d %b " % (name, turn, number, b"x" * (number * 37 % 101))
    return text + b"%08x" % zlib.crc32(text)


@dataclass(slots=True)
class Turn:
    """One coming of a sender."""

    first: int
    sent: int
    """The last line that may have been sent, or a part of it."""
    acknowledged: int
    """The last line that this turn was told of; before the first, `first` - 1."""


@dataclass(slots=True)
class Notes:
    """What one sender remembers."""

    name: bytes
    turns: list[Turn] = field(default_factory=list)
    acknowledged: int = 0
    """All lines up to this one are on the disk."""

    def begin(self) -> Turn:
        """Come again, and go on behind the last line that was acknowledged."""
        turn = Turn(self.acknowledged + 1, self.acknowledged, self.acknowledged)
        self.turns.append(turn)
        return turn

    def next(self, count: int) -> list[bytes]:
        """The next lines of this turn; from now on they may have been sent."""
        turn = self.turns[-1]
        begin = turn.sent + 1
        turn.sent += count
        number = len(self.turns)
        return [line(self.name, number, each) for each in range(begin, begin + count)]

    def told(self, last: int) -> int:
        """All up to `last` are acknowledged; the result is how many of them are new."""
        turn = self.turns[-1]
        assert self.acknowledged <= last <= turn.sent, (self.name, last, turn)
        new = last - self.acknowledged
        self.acknowledged = turn.acknowledged = last
        return new


@dataclass(slots=True)
class Proof:
    """What was found, in lines."""

    stored: int = 0
    acknowledged: int = 0
    doubled: int = 0
    """Lines that are there again, since they were sent again; there are no others."""
    torn: int = 0
    unfinished: int = 0
    unsynced: int = 0
    """Lines of files that a sync failed for; those that were safe before it count as stored."""
    segments: int = 0

    def add(self, other: Proof) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __str__(self) -> str:
        figures = ", ".join(f"{getattr(self, name)} {name}" for name in self.__slots__)
        return f"{figures}, 0 lost, 0 foreign, 0 out of order"


@dataclass(slots=True)
class _Found:
    """How far one sender's lines go."""

    notes: Notes
    turn: int = 0
    last: int = 0
    counts: Counter[int] = field(default_factory=Counter)

    def next_line(self) -> bytes:
        return line(self.notes.name, self.turn, self.last + 1)

    def take(self, turn: int, number: int) -> None:
        """The next line of this sender must be this one."""
        turns = self.notes.turns
        assert self.turn <= turn <= len(turns), f"{self}: turn {turn} does not come here"
        if turn != self.turn:
            self._leave()
            for skipped in turns[self.turn : turn - 1]:
                assert skipped.acknowledged < skipped.first, f"{self}: a whole turn is missing"
            self.turn, self.last = turn, turns[turn - 1].first - 1
        assert number == self.last + 1, f"{self}: {number} does not come next"
        assert number <= turns[turn - 1].sent, f"{self}: {number} was never sent"
        self.last = number
        self.counts[number] += 1

    def _leave(self) -> None:
        if self.turn:
            told = self.notes.turns[self.turn - 1].acknowledged
            assert self.last >= told, f"{self}: lost, {told} were acknowledged in that turn"

    def end(self) -> None:
        self._leave()
        for skipped in self.notes.turns[self.turn :]:
            assert skipped.acknowledged < skipped.first, f"{self}: a whole turn is missing"
        missing = [n for n in range(1, self.notes.acknowledged + 1) if n not in self.counts]
        assert not missing, f"{self}: lost {missing[:10]}"

    def __str__(self) -> str:
        return f"{self.notes.name.decode()}, turn {self.turn}, after {self.last}"


def prove(
    senders: Iterable[Notes],
    folder: Path,
    name: str = "log.txt",
    *,
    before: Sequence[Path] = (),
    bare: Callable[[bytes], bytes] = lambda record: record,
) -> Proof:
    """Assert that each acknowledged line is stored, whole, in its order, and nothing else is.

    `before` are files that somebody moved away; they come first.  `bare` finds the line in a
    record, where these are not raw.  A line may be stored again only in a later turn of its sender.
    """
    found = {each.name: _Found(each) for each in senders}
    proof = Proof()
    paths = [*before, *segments(folder, name, before)]
    for record in _lines_of(paths, proof):
        text = bare(record)
        if text.endswith(UNFINISHED):
            begun = text.removesuffix(UNFINISHED)
            assert any(each.next_line().startswith(begun) for each in found.values()), text
            proof.unfinished += 1
            continue
        parts = _LINE.fullmatch(text)
        assert parts is not None, f"a foreign, half or merged line: {text!r}"
        assert int(parts[4], 16) == zlib.crc32(text[:-8]), f"a changed line: {text!r}"
        found[parts[1]].take(int(parts[2]), int(parts[3]))
        proof.stored += 1
    for each in found.values():
        each.end()
        proof.acknowledged += each.notes.acknowledged
        proof.doubled += sum(each.counts.values()) - len(each.counts)
    proof.torn = sum(1 for _ in _torn(folder / f"{name}.torn", list(found.values())))
    proof.segments = len(paths)
    return proof


def segments(folder: Path, name: str = "log.txt", apart: Sequence[Path] = ()) -> list[Path]:
    """All files with lines of that log, oldest first, the one that grows last.

    No others whose names begin so are there, but those that are set `apart`.
    """
    ended: list[tuple[int, Path]] = []
    for path in folder.iterdir():
        rest = _SEGMENT.fullmatch(path.name.removeprefix(name))
        if rest is not None:
            ended.append((int(rest[1]), path))
            continue
        known = path in apart or path.name in (name, f"{name}.torn")
        assert known or not path.name.startswith(name), f"{path.name} was left behind"
    numbers = Counter(number for number, _ in ended)
    assert set(numbers.values()) <= {1}, f"segments that are there twice: {sorted(ended)}"
    paths = [path for _, path in sorted(ended)]
    return [*paths, folder / name] if (folder / name).exists() else paths


def _lines_of(paths: Sequence[Path], proof: Proof) -> Iterator[bytes]:
    """All whole lines; each file ends in one, but for those that were given up."""
    for path, after in zip(paths, [*paths[1:], None], strict=True):
        lines = _read(path).split(b"\n")
        last = lines.pop()
        if path.suffix == ".unsynced":
            assert after is not None
            # What follows was written again; what was before it was safe when the disk failed.
            again = _read(after).partition(b"\n")[0]
            safe = lines.index(again) if again in lines else len(lines)
            proof.unsynced += len(lines) - safe
            del lines[safe:]
        else:
            assert last == b"", f"{path.name} ends in half a line: {last!r}"
        yield from lines


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _torn(path: Path, found: Sequence[_Found]) -> Iterator[bytes]:
    """The halves of lines that a crash left; each is the beginning of a line that was sent."""
    for half in path.read_bytes().splitlines() if path.exists() else ():
        parts = _HALF.match(half)
        if parts is not None:
            assert line(parts[1], int(parts[2]), int(parts[3])).startswith(half), half
        names = [each.notes.name + b" " for each in found]
        assert any(half.startswith(name) or name.startswith(half) for name in names), half
        yield half
