"""One search over the files of a log, within a bound of bytes and seconds: for a thread of its own.

From the newest line to the oldest.  What is found in a compressed file is found from its beginning,
so its last matches are kept until its end is seen; if that takes more than one search may read,
the next one goes on there.  Knows no reactor, and nobody who asks.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from proto.logfile.filesystem import File, Folder
from proto.weblog.cursor import Cursor, Place, encode, head_of, place_of
from proto.weblog.finding import SKEW, Wanted, found_in, is_newer, is_older
from proto.weblog.reading import Block, Stamp, Unpacking, UnpackingError, blocks_back, end_before
from proto.weblog.segments import Segment, opened, segments_of
from proto.weblog.shown import shown

SIZE: Final = 64 * 1024 * 1024
"""Bytes, uncompressed, that one search may read."""
SECONDS: Final = 2.0
"""Seconds that one search may take."""
LONGEST: Final = 16 * 1024
"""Bytes that are told of one line."""
MOST_TOLD: Final = 1024 * 1024
"""Bytes that one answer may have, about."""
REMEMBERED: Final = 16
"""Compressed files that were looked at in part."""

Found = tuple[int, dict[str, Any], int]
"""Where a line begins, what is told of it, and how many bytes that is."""


@dataclass(slots=True)
class Effort:
    """What a search may still do."""

    size: int = SIZE
    seconds: float = SECONDS
    now: Callable[[], float] = time.monotonic
    is_stopped: bool = False
    """Nobody wants to know any more; another thread may say so."""
    read: int = 0
    _until: float = float("inf")

    def begin(self) -> None:
        """The seconds count from now."""
        self._until = self.now() + self.seconds

    def spend(self, size: int) -> bool:
        """So much was read; the result is whether it goes on.  Lets other threads have a turn."""
        self.read += size
        time.sleep(0)
        return not self.is_stopped and self.read < self.size and self.now() < self._until


@dataclass(slots=True)
class Answer:
    """What a search found, newest first, and where it stopped."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    cursor: str | None = None
    """None when there is nothing older."""
    complete: bool = True
    """False when it stopped because it had read enough, and not because it had found enough."""
    scanned: int = 0
    unread: list[str] = field(default_factory=list)
    """Segments that are damaged, or compressed in a way for which there is no package."""


class _Pending:
    """A compressed file that was looked at in part, and the last matches so far."""

    def __init__(self, segment: Segment, wanted: Wanted, end: int | None) -> None:
        """Raises UnpackingError."""
        self.key = (segment.base, wanted, end)
        self.unpacking = Unpacking(segment.packing)
        self.found: deque[Found] = deque()
        self._size = 0

    def add(self, found: Found) -> None:
        """Keep it, and forget what an answer has no place for."""
        self.found.append(found)
        self._size += found[2]
        while len(self.found) > self.key[1].limit or self._size - self.found[0][2] > MOST_TOLD:
            self._size -= self.found.popleft()[2]


class Memory:
    """What was seen of compressed files by searches that may be gone on with; not of many."""

    def __init__(self) -> None:
        self._pending: OrderedDict[int, _Pending] = OrderedDict()
        self._last = 0

    def put(self, pending: _Pending) -> int:
        """Remember it by that number."""
        self._last += 1
        self._pending[self._last] = pending
        if len(self._pending) > REMEMBERED:
            self._pending.popitem(last=False)
        return self._last

    def take(self, number: int) -> _Pending | None:
        """What has that number, if it is not forgotten; from now on it is."""
        return self._pending.pop(number, None)


class Looking:
    """Searches of one log, one after the other."""

    def __init__(
        self,
        open_folder: Callable[[], Folder],
        log: str,
        stamp: Stamp | None,
        memory: Memory,
    ) -> None:
        """`log` is the name of the file that grows; `stamp` tells the times of lines, without it
        those of the segments count.  The logs of one folder may share a memory."""
        self._open_folder = open_folder
        self._log = log
        self._stamp = stamp
        self._memory = memory

    def look(self, wanted: Wanted, cursor: Cursor | None, effort: Effort) -> Answer:
        """Search.

        Raises:
            HTTPError: 410, the cursor leads nowhere any more.
            OSError: the files cannot be read.
        """
        effort.begin()
        folder = self._open_folder()
        try:
            # It may be rotated while we look: what is opened first is what it was.
            with opened(folder, self._log) as growing:
                segments = _without(segments_of(folder, self._log), growing, folder)
                place = place_of(cursor, folder, segments, growing) if cursor else Place(segments)
                search = _Search(folder, self._log, growing, wanted, self._stamp, effort)
                pending = self._memory.take(cursor.pending) if cursor else None
                search.go(segments, place, pending)
        finally:
            folder.close()
        if search.pending is not None and search.stopped is not None:
            number = self._memory.put(search.pending)
            search.stopped = Cursor(search.stopped.number, search.stopped.offset, pending=number)
        search.answer.scanned = effort.read
        if search.stopped is not None:
            search.answer.cursor = encode(search.stopped)
        return search.answer


class _Search:
    """One search on its way through the segments."""

    def __init__(
        self,
        folder: Folder,
        log: str,
        growing: File | None,
        wanted: Wanted,
        stamp: Stamp | None,
        effort: Effort,
    ) -> None:
        self.answer = Answer()
        self.stopped: Cursor | None = None
        self.pending: _Pending | None = None
        self._folder = folder
        self._log = log
        self._growing = growing
        self._wanted = wanted
        self._stamp = stamp
        self._effort = effort
        self._told = 0
        self._newest = 0

    def go(self, segments: Sequence[Segment], place: Place, pending: _Pending | None) -> None:
        """Look at one after the other, until there is enough."""
        self._newest = max((each.number for each in segments if not each.is_growing), default=0)
        end = place.offset
        for at, segment in enumerate(place.segments):
            if self._wanted.since is not None and segment.ended < self._wanted.since:
                return  # older ones are older still
            if at and self._is_spent:
                self._stop(segment, None)
                self.answer.complete = self._is_full
                return
            is_passed_over = self._stamp is None and self._is_too_new(segment)
            if not is_passed_over and not self._look_at(segment, end, pending):
                return
            end = pending = None

    def _look_at(self, segment: Segment, end: int | None, pending: _Pending | None) -> bool:
        """Whether to go on with the segment before that one."""
        if segment.is_growing:
            return self._growing is None or self._back(segment, self._growing, end)
        with opened(self._folder, segment.name) as file:
            if file is None:  # it was compressed just now, or removed
                return self._elsewhere(segment, end)
            if not segment.packing:
                return self._back(segment, file, end)
            try:
                return self._forth(segment, file, end, pending)
            except UnpackingError:
                self.answer.unread.append(segment.name)
                return True

    def _elsewhere(self, segment: Segment, end: int | None) -> bool:
        for other in segments_of(self._folder, self._log):
            if other.number == segment.number and other.name != segment.name:
                return self._look_at(other, end, None)
        return True

    def _is_too_new(self, segment: Segment) -> bool:
        return self._wanted.until is not None and segment.began > self._wanted.until

    @property
    def _is_full(self) -> bool:
        return len(self.answer.lines) >= self._wanted.limit or self._told >= MOST_TOLD

    @property
    def _is_spent(self) -> bool:
        return self._is_full or not self._effort.spend(0)

    def _back(self, segment: Segment, file: File, end: int | None) -> bool:
        size = file.status().size
        at = size if end is None else min(end, size)
        if self._wanted.until is not None and self._stamp is not None:
            at, read = end_before(file, at, self._wanted.until + SKEW, self._stamp)
            self._effort.spend(read)
        for block in blocks_back(file, at):
            read, at = at - block[0], block[0]
            for found in self._found_in(block):
                self._tell(segment, found)
                if self._is_full:
                    return self._stopped_at(segment, file, found[0])
            if is_older(block, self._wanted, self._stamp):
                return False
            if not self._effort.spend(read) and at:
                self.answer.complete = False
                return self._stopped_at(segment, file, at)
        return True

    def _stopped_at(self, segment: Segment, file: File, offset: int) -> bool:
        if not offset:
            # Nothing of this one is left: the next one is looked at if there is room.
            return True
        self._stop(segment, offset, file)
        return False

    def _stop(self, segment: Segment, offset: int | None, file: File | None = None) -> None:
        if segment.is_growing and file is not None and offset is not None:
            head, inode = head_of(file, offset), file.status().inode
            self.stopped = Cursor(segment.number, offset, self._newest, head, inode)
        else:
            self.stopped = Cursor(segment.number, offset)

    def _forth(
        self, segment: Segment, file: File, end: int | None, pending: _Pending | None
    ) -> bool:
        """Raises UnpackingError."""
        if pending is None or pending.key != (segment.base, self._wanted, end):
            pending = _Pending(segment, self._wanted, end)
        for block in _blocks(pending.unpacking, file, end):
            if is_newer(block, self._wanted, self._stamp):
                break
            for found in reversed(list(self._found_in(block))):
                pending.add(found)
            if not self._effort.spend(len(block[1])):
                self.pending = pending
                self.answer.complete = False
                self._stop(segment, end)
                return False
        for found in reversed(pending.found):
            self._tell(segment, found)
            if self._is_full:
                return self._stopped_at(segment, file, found[0])
        return True

    def _found_in(self, block: Block) -> Iterator[Found]:
        for begin, line in found_in(block, self._wanted, self._stamp):
            told = shown(line, LONGEST)
            yield begin, told, len(told["text"]) + 40

    def _tell(self, segment: Segment, found: Found) -> None:
        offset, told, size = found
        self.answer.lines.append({**told, "segment": segment.base, "offset": offset})
        self._told += size


def _blocks(unpacking: Unpacking, file: File, end: int | None) -> Iterator[Block]:
    """What lies before the end.  Raises UnpackingError."""
    while end is None or unpacking.offset < end:
        block = unpacking.next(file)
        if block is None:
            return
        begin, lines = block
        if end is not None and begin + len(lines) > end:
            # Whoever makes up a cursor may have it end within a line.
            lines = lines[: lines.rfind(b"\n", 0, end - begin) + 1]
        yield begin, lines


def _without(segments: list[Segment], growing: File | None, folder: Folder) -> list[Segment]:
    """Without that segment which is the file that we have opened before it became one, and without
    newer ones."""
    if growing is None:
        return segments
    mine = growing.status()
    for at, segment in enumerate(segments[1:9], 1):
        try:
            if folder.status(segment.name).is_same_file(mine):
                return [segments[0], *segments[at + 1 :]]
        except FileNotFoundError:  # it was compressed just now, or removed
            continue
    return segments
