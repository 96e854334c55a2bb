"""A folder with one file for each record; what was used last stays.  Blocks: for threads.

Processes that share the folder take turns to write: its lock file is locked meanwhile, and says how
many bytes there are.  Other files than ours are left alone, and what is under our names without
being a record is removed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from proto.web.proxy.cache.codec import decode, encode
from proto.web.proxy.cache.entry import Record

MOST_RECORD: Final = 64 * 1024**2
"""Bytes of a file that is read."""
_OURS: Final = re.compile(r"[0-9a-f]{64}")
_NEW: Final = "new-"
_LOCK: Final = ".lock"
_READING: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_BLOCK: Final = 4096
"""Bytes that the smallest file takes."""
_KEPT: Final = 7 / 8
"""The share of the room that is still in use after a sweep, so that not each write needs one."""


class Ticket:
    """A write that may be called off while it is under way."""

    is_off = False


class Folder:
    """At most `most` bytes in records, counted in whole blocks."""

    def __init__(self, path: Path, most: int) -> None:
        self.path = path
        self.size = 0
        """Bytes, when this process looked last."""
        self.entries = 0
        """Records, at the last sweep and since then by what this process did."""
        self._most = most

    def read(self, key: bytes) -> Record | None:
        """The record of that key, None when there is none.  Raises OSError."""
        try:
            fd = os.open(self._path(key), _READING)
        except OSError as error:
            if error.errno == errno.ELOOP:  # a link, and so not ours
                self.remove(key)
            elif error.errno != errno.ENOENT:
                raise
            return None
        try:
            about = os.fstat(fd)
            if stat.S_ISREG(about.st_mode) and about.st_size <= MOST_RECORD:
                with open(fd, "rb", closefd=False) as file:
                    record = decode(key, file.read())
                if record is not None:
                    os.utime(fd)  # it was used just now
                    return record
        finally:
            os.close(fd)
        self.remove(key)
        return None

    def write(self, key: bytes, record: Record, ticket: Ticket) -> bool:
        """Put it under that key, whole or not at all; whether it is there.  Raises OSError."""
        data = encode(key, record)
        cost = _cost(len(data))
        if cost > min(self._most, MOST_RECORD):
            return False
        with self._locked() as lock:
            size = _told(lock)
            if size is None or size + cost > self._most:
                size = self._sweep(self._most * _KEPT - cost)
                if size + cost > self._most:
                    return False
            _tell(lock, size + cost)  # if we end here, too much is told, and never too little
            try:
                replaced = self._put(key, data)
            except OSError:
                _tell(lock, size)
                raise
            self.size = size + cost - replaced
            self.entries += not replaced
            _tell(lock, self.size)
        if ticket.is_off:
            self.remove(key)
        return not ticket.is_off

    def remove(self, key: bytes) -> None:
        """There is no such record any more.  Raises OSError."""
        with self._locked() as lock:
            size = _told(lock)
            with suppress(FileNotFoundError):
                gone = _cost(self._path(key).lstat().st_size)
                self._path(key).unlink()
                self.entries -= 1
                if size is not None:
                    self.size = max(0, size - gone)
                    _tell(lock, self.size)

    def sweep(self) -> None:
        """Clear away what is left of writes that ended half-way, and count.  Raises OSError."""
        with self._locked() as lock:
            self.size = self._sweep(self._most)
            _tell(lock, self.size)

    def _put(self, key: bytes, data: bytes) -> int:
        """The bytes of what was there before."""
        path, new = self._path(key), self.path / (_NEW + key.decode())
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(data)
            replaced = _cost(path.lstat().st_size) if path.exists() else 0
            new.replace(path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
        return replaced

    def _sweep(self, aim: float) -> int:
        """Remove the records that were used longest ago, until no more than `aim` bytes are left.

        The bytes that are left.
        """
        records: list[tuple[int, int, str]] = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(_NEW) and _OURS.fullmatch(entry.name, len(_NEW)):
                    os.unlink(entry.path)  # nobody writes: the folder is locked
                elif _OURS.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    about = entry.stat(follow_symlinks=False)
                    records.append((about.st_mtime_ns, _cost(about.st_size), entry.path))
        left = sum(size for _, size, _ in records)
        self.entries = len(records)
        for _, size, path in sorted(records):
            if left <= aim:
                break
            os.unlink(path)
            self.entries -= 1
            left -= size
        return left

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Nobody else writes; gives the lock file."""
        fd = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)

    def _path(self, key: bytes) -> Path:
        return self.path / key.decode()


def _cost(size: int) -> int:
    """The bytes of a file in whole blocks."""
    return -(-size // _BLOCK) * _BLOCK


def _told(lock: int) -> int | None:
    """The bytes that there are; None when it is not known."""
    text = os.pread(lock, 20, 0)
    return int(text) if len(text) == 20 and text.isdigit() else None


def _tell(lock: int, size: int) -> None:
    os.pwrite(lock, b"%020d" % size, 0)
