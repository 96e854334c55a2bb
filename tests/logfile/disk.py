"""A disk in memory that fails, is cut off from power or sees its user killed, as it is told.

`FakeDisk` is a `FileSystem`.  Each of its operations has a number, from 1 on; one of them can be
made to fail or to be the last.  After a failed sync it is as Linux is: what was not on the disk
then never gets there, and the next sync says that all is well.
"""

from __future__ import annotations

import errno
import gzip
import os
import random
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proto.logfile.filesystem import MODE, File, Folder, Status
from tests.logfile.inodes import Directory
from tests.logfile.inodes import Inode as Inode

KILLED_IN_A_WRITE: Final = 2
"""One part in so many is still written when the process is killed in a write."""


class Killed(BaseException):
    """The process ends here; no `except` for errors sees it."""


class FakeFile:
    """One opening of a file."""

    def __init__(self, disk: FakeDisk, inode: Inode) -> None:
        self._disk = disk
        self.inode = inode
        self.closed = False

    def write(self, data: memoryview, /) -> int:
        self._step("write", killed=lambda: self._take(data, len(data) // KILLED_IN_A_WRITE))
        self._disk.writes += 1
        taken = self._disk.room_for(len(data))
        self._take(data, taken)
        return taken

    def _take(self, data: memoryview, size: int) -> None:
        self.inode.data += data[:size]
        self.inode.modified = self._disk.now()

    def read(self, size: int, offset: int) -> bytes:
        assert not self.closed
        return bytes(self.inode.data[offset : offset + size])

    def sync(self) -> None:
        self._disk.syncs += 1
        try:
            self._step("sync")
        except OSError:
            self.inode.was_not_synced()
            raise
        self.inode.was_synced()

    def overwrite(self, data: bytes, offset: int) -> None:
        self._step("overwrite")
        self.inode.data[offset : offset + len(data)] = data
        self.inode.again += range(offset, offset + len(data))

    def truncate(self, size: int) -> None:
        self._step("truncate")
        del self.inode.data[size:]
        self.inode.lost = [(begin, min(end, size)) for begin, end in self.inode.lost]

    def status(self) -> Status:
        assert not self.closed
        return self.inode.status()

    def take_after(self, status: Status) -> None:
        self._step("take_after")
        self.inode.mode, self.inode.owner, self.inode.group = status[4:7]

    def close(self) -> None:
        assert not self.closed
        self.closed = True
        self._disk.closed(self)

    def _step(self, kind: str, killed: Callable[[], None] = lambda: None) -> None:
        assert not self.closed
        self._disk.step(kind, killed)


class FakeFolder:
    """One opening of a folder."""

    def __init__(self, disk: FakeDisk, path: Path, directory: Directory) -> None:
        self._disk = disk
        self._path = path
        self._directory = directory
        self._locked = False

    @property
    def path(self) -> Path:
        return self._path

    def append_to(self, name: str) -> File:
        self._disk.step("open")
        return self._disk.opened(self._inode(name))

    def create(self, name: str, *, exclusive: bool = True) -> File:
        self._disk.step("create")
        if self._directory.gone:
            raise _error(errno.ENOENT)
        if name not in self._directory.names:
            self._put(name, self._disk.new_inode())
            self._directory.changed()
        elif exclusive:
            raise _error(errno.EEXIST)
        return self._disk.opened(self._directory.names[name])

    def read_from(self, name: str) -> File:
        return self._disk.opened(self._inode(name))

    def rename(self, old: str, new: str) -> None:
        self._disk.step("rename")
        inode = self._inode(old)
        if self._directory.names.get(new) is not inode:
            self._put(new, inode)
            self._drop(old)
            self._directory.changed()

    def link(self, old: str, new: str) -> None:
        self._disk.step("link")
        if not self._disk.has_links:
            raise _error(errno.EPERM)
        if new in self._directory.names:
            raise _error(errno.EEXIST)
        self._put(new, self._inode(old))
        self._directory.changed()

    def unlink(self, name: str) -> None:
        self._disk.step("unlink")
        self._inode(name)
        self._drop(name)
        self._directory.changed()

    def status(self, name: str) -> Status:
        return self._inode(name).status()

    def names(self) -> list[str]:
        return list(self._directory.names)

    def sync(self) -> None:
        self._disk.step("sync folder")
        self._directory.sync()

    def lock(self) -> None:
        if self._directory.locked:
            raise _error(errno.EAGAIN)
        self._directory.locked = self._locked = True

    def renew(self) -> None:
        directory = self._disk.directory(self._path)
        if directory is not self._directory:
            self.close()
            self._directory = directory
            self.lock()

    def close(self) -> None:
        self._directory.locked &= not self._locked

    def _inode(self, name: str) -> Inode:
        if name not in self._directory.names:
            raise _error(errno.ENOENT)
        return self._directory.names[name]

    def _put(self, name: str, inode: Inode) -> None:
        self._drop(name)
        inode.links += 1
        self._directory.names[name] = inode

    def _drop(self, name: str) -> None:
        if name in self._directory.names:
            self._directory.names.pop(name).links -= 1


class FakeDisk:
    """Files by name in folders by path; all paths are absolute and there are no symbolic links."""

    def __init__(self, *folders: str, has_links: bool = True) -> None:
        self.has_links = has_links
        self.now: Callable[[], float] = lambda: 0.0
        self.trail: list[str] = []
        """Each operation so far that changes something or can fail."""
        self.writes = 0
        self.syncs = 0
        self.room: int | None = None
        """Bytes that are still taken before `trouble`; None for any number."""
        self.trouble = 0
        """The errno of a write when there is no room."""
        self.at_once: int | None = None
        """The most that one write takes."""
        self.kill_at: int | None = None
        """The number of the operation that is not done, or only in part, and no other after it."""
        self.open_files: set[FakeFile] = set()
        self._failing: dict[tuple[str, int], int] = {}
        self._kinds: dict[str, int] = {}
        self._inodes = 0
        self._directories = {Path(folder): Directory() for folder in folders or ("/logs",)}

    # A test calls these.
    def fail(self, trouble: int, room: int = 0) -> None:
        """Take so many bytes more and then answer each write with this errno."""
        self.trouble, self.room = trouble, room

    def heal(self) -> None:
        self.room = None
        self._failing.clear()

    def fail_step(self, kind: str, trouble: int = errno.EIO, *, nth: int = 1) -> None:
        """The nth `kind` of operation from now on fails: "sync", "rename", "" for any."""
        self._failing[kind, self._kinds.get(kind, 0) + nth] = trouble

    def restart(self, *, power: bool = True, chance: random.Random | None = None) -> None:
        """The process ended, and without `power` the machine: all is closed and healthy again."""
        self.kill_at = None
        self.heal()
        self.open_files.clear()
        for directory in self._directories.values():
            directory.locked = False
            inodes = {
                inode: None for past in directory.past for inode in past.values()
            } | dict.fromkeys(directory.names.values())
            if power and chance is not None and chance.random() < 0.5:
                for inode in inodes:
                    inode.evict()
            if not power:
                directory.lose_power(chance)
                for inode in inodes:
                    inode.lose_power(chance)

    def put(self, path: str, data: bytes) -> None:
        """A file that is safely on the disk."""
        inode = self.new_inode()
        inode.data[:] = inode.synced = data
        inode.modified = self.now()
        inode.links = 1
        directory = self.directory(Path(path).parent)
        directory.names[Path(path).name] = inode
        directory.sync()

    def text(self, path: str) -> bytes:
        return bytes(self.directory(Path(path).parent).names[Path(path).name].data)

    def names(self, folder: str = "/logs") -> list[str]:
        return sorted(self.directory(Path(folder)).names)

    def stored(self, path: str, *, unsynced: bool = True) -> bytes:
        """All that the segments of a log hold, the growing one last."""
        folder, name = Path(path).parent, Path(path).name
        names = self.directory(folder).names
        form = re.compile(re.escape(name) + r"\.\d{8}T\d{6}Z\.(\d+)(|\.gz|\.unsynced)")
        found = [match for match in map(form.fullmatch, names) if match]
        texts = []
        for match in sorted(found, key=lambda match: int(match[1])):
            if match[2] != ".unsynced" or unsynced:
                text = bytes(names[match[0]].data)
                texts.append(gzip.decompress(text) if match[2] == ".gz" else text)
        return b"".join(texts) + (bytes(names[name].data) if name in names else b"")

    def move(self, old: str, new: str) -> None:
        """Somebody else renames a file in a folder."""
        directory = self.directory(Path(old).parent)
        directory.names[Path(new).name] = directory.names.pop(Path(old).name)
        directory.changed()

    def remove(self, path: str) -> None:
        """Somebody else removes a file."""
        directory = self.directory(Path(path).parent)
        directory.names.pop(Path(path).name).links -= 1
        directory.changed()

    def remove_folder(self, folder: str) -> None:
        """Somebody else removes a folder and all that is in it."""
        directory = self._directories.pop(Path(folder))
        directory.gone = True
        for name in list(directory.names):
            directory.names.pop(name).links -= 1

    # Its user calls these.
    def append_to(self, path: Path) -> File:
        if path in self._directories:
            raise _error(errno.EISDIR)
        directory = self.directory(path.parent)
        if path.name not in directory.names:
            raise _error(errno.ENOENT)
        return self.opened(directory.names[path.name])

    def real(self, path: Path) -> Path:
        return path

    def make_folder(self, path: Path) -> None:
        if path in self._directories:
            raise _error(errno.EEXIST)
        self._directories[path] = Directory()

    def folder(self, path: Path) -> Folder:
        return FakeFolder(self, path, self.directory(path))

    # Its files and folders call these.
    def step(self, kind: str, killed: Callable[[], None] = lambda: None) -> None:
        self.trail.append(kind)
        if self.kill_at is not None and len(self.trail) >= self.kill_at:
            if len(self.trail) == self.kill_at:
                killed()
            raise Killed
        for each in (kind, ""):
            self._kinds[each] = self._kinds.get(each, 0) + 1
            trouble = self._failing.pop((each, self._kinds[each]), 0)
            if trouble:
                raise _error(trouble)

    def room_for(self, wanted: int) -> int:
        if self.room == 0:
            raise _error(self.trouble)
        sizes = (wanted, self.at_once, self.room)
        taken = min(size for size in sizes if size is not None)
        if self.room is not None:
            self.room -= taken
        return taken

    def new_inode(self) -> Inode:
        self._inodes += 1
        return Inode(self._inodes, stat.S_IFREG | MODE)

    def opened(self, inode: Inode) -> FakeFile:
        file = FakeFile(self, inode)
        self.open_files.add(file)
        return file

    def closed(self, file: FakeFile) -> None:
        self.open_files.discard(file)
        self.step("close")

    def directory(self, path: Path) -> Directory:
        if path not in self._directories:
            raise _error(errno.ENOENT)
        return self._directories[path]


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
