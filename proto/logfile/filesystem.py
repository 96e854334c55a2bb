"""What a log asks of a file system, and the real one.  Knows no logs, no names and no rules.

A `Folder` is open: whatever is done to its path meanwhile, its files are those of one and the same
folder, and no symbolic link at their names is followed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

MODE: Final = 0o640
"""Logs hold what people and programs sent: readable for a group such as adm, not for everybody."""

FOLDER_MODE: Final = 0o750

# O_RDWR, for the end is read to find a torn line, and a FIFO then opens without a reader.
# O_NONBLOCK means nothing to a regular file; a full FIFO answers EAGAIN instead of stopping us.
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
# More at once is slower: 1 MiB took three times as long for each byte (ext4, Linux 6.18).
_AT_ONCE: Final = 128 * 1024
# But where each write takes long, whatever its size, fewer are better.
_AT_ONCE_TO_SLOW: Final = 8 * 1024 * 1024
_SLOW_SECONDS: Final = 0.01
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Status(NamedTuple):
    """What is known of a file without reading it."""

    device: int
    inode: int
    size: int
    links: int
    mode: int
    """The kind of file and its permissions, as in `st_mode`."""
    owner: int
    group: int
    modified: float
    """Seconds since the epoch."""

    @property
    def regular(self) -> bool:
        return stat.S_ISREG(self.mode)

    def is_same_file(self, other: Status) -> bool:
        """Whether both are one file, whatever its names."""
        return (self.device, self.inode) == (other.device, other.inode)


class File(Protocol):
    """An open file; each method may raise OSError."""

    def write(self, data: memoryview, /) -> int:
        """Append; the result is how many bytes were taken, which may be fewer."""

    def read(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from there; none at the end."""

    def sync(self) -> None:
        """Wait until what was written is on the disk, as by fdatasync(2)."""

    def overwrite(self, data: bytes, offset: int) -> None:
        """Write in place; the file must have those bytes already."""

    def truncate(self, size: int) -> None: ...

    def status(self) -> Status: ...

    def take_after(self, status: Status) -> None:
        """Have these permissions and, as far as we may, this owner and group."""

    def close(self) -> None: ...


class Folder(Protocol):
    """An open folder; each method may raise OSError."""

    @property
    def path(self) -> Path: ...

    def append_to(self, name: str) -> File:
        """Open what is there for appending."""

    def create(self, name: str, *, exclusive: bool = True) -> File:
        """Open a new file for appending; FileExistsError, or if not `exclusive` what is there."""

    def read_from(self, name: str) -> File: ...

    def rename(self, old: str, new: str) -> None:
        """In one step, over `new` if it is there."""

    def link(self, old: str, new: str) -> None:
        """A second name for a file; FileExistsError if it is taken."""

    def unlink(self, name: str) -> None: ...

    def status(self, name: str) -> Status: ...

    def names(self) -> list[str]: ...

    def sync(self) -> None:
        """Wait until the names are on the disk."""

    def lock(self) -> None:
        """Until it is closed nobody else can; BlockingIOError if somebody did already."""

    def renew(self) -> None:
        """Lead to the folder that its path names now, locked if this one was."""

    def close(self) -> None: ...


class FileSystem(Protocol):
    """Where files and folders are found; each method may raise OSError, or ValueError for a name
    that nothing can have."""

    def append_to(self, path: Path) -> File:
        """Open whatever is there for appending, also over symbolic links."""

    def real(self, path: Path) -> Path:
        """The path without symbolic links; its end need not exist."""

    def make_folder(self, path: Path) -> None: ...

    def folder(self, path: Path) -> Folder: ...


class RealFile:
    """A file descriptor as a `File`."""

    __slots__ = ("_at_once", "_clock", "_descriptor")

    def __init__(self, descriptor: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._descriptor = descriptor
        self._clock = clock
        self._at_once = _AT_ONCE

    def write(self, data: memoryview, /) -> int:
        began = self._clock()
        taken = os.write(self._descriptor, data[: self._at_once])
        slow = self._clock() - began > _SLOW_SECONDS
        self._at_once = _AT_ONCE_TO_SLOW if slow else _AT_ONCE
        return taken

    def read(self, size: int, offset: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def sync(self) -> None:
        os.fdatasync(_live(self._descriptor))

    def overwrite(self, data: bytes, offset: int) -> None:
        # With O_APPEND Linux writes at the end, whatever the offset (pwrite(2), BUGS).
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~os.O_APPEND)
        try:
            os.pwrite(self._descriptor, data, offset)
        finally:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def status(self) -> Status:
        return _status(os.fstat(self._descriptor))

    def take_after(self, status: Status) -> None:
        mode = stat.S_IMODE(status.mode)
        mine = self.status()
        if (mine.owner, mine.group) != (status.owner, status.group):
            try:
                os.fchown(self._descriptor, status.owner, status.group)
            except PermissionError:
                # Only root gives files away.  It is ours then; what its group may is for another
                # group than ours.
                if mine.group != status.group:
                    mode &= ~stat.S_IRWXG
        if stat.S_IMODE(mine.mode) != mode:  # FAT cannot
            os.fchmod(self._descriptor, mode)

    def close(self) -> None:
        # The number may belong to somebody else soon.
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


class RealFolder:
    """A folder's descriptor as a `Folder`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, _FOLDER)
        self._locked = False

    @property
    def path(self) -> Path:
        return self._path

    def append_to(self, name: str) -> File:
        return self._open(name, _APPEND)

    def create(self, name: str, *, exclusive: bool = True) -> File:
        return self._open(name, _APPEND | os.O_CREAT | (os.O_EXCL if exclusive else 0))

    def read_from(self, name: str) -> File:
        return self._open(name, _READ)

    def _open(self, name: str, flags: int) -> File:
        return RealFile(os.open(name, flags | os.O_NOFOLLOW, MODE, dir_fd=self._descriptor))

    def rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def link(self, old: str, new: str) -> None:
        os.link(
            old,
            new,
            src_dir_fd=self._descriptor,
            dst_dir_fd=self._descriptor,
            follow_symlinks=False,
        )

    def unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self._descriptor)

    def status(self, name: str) -> Status:
        return _status(os.stat(name, dir_fd=self._descriptor, follow_symlinks=False))

    def names(self) -> list[str]:
        return os.listdir(_live(self._descriptor))  # -1 would be the current folder

    def sync(self) -> None:
        try:
            os.fsync(_live(self._descriptor))
        except OSError as error:
            # Some file systems (CIFS, FUSE) cannot; with them the names are the server's business.
            if error.errno not in (errno.EINVAL, errno.EBADF) or self._descriptor < 0:
                raise

    def lock(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._locked = True

    def renew(self) -> None:
        other = RealFolder(self._path)
        try:
            if os.path.sameopenfile(other._descriptor, self._descriptor):
                return
            if self._locked:
                other.lock()
            # The number stays the same: another thread may be about to use it.
            os.dup2(other._descriptor, self._descriptor, inheritable=False)
        finally:
            other.close()

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)


class RealFileSystem:
    """The one of the operating system."""

    def append_to(self, path: Path) -> File:
        return RealFile(os.open(path, _APPEND))

    def real(self, path: Path) -> Path:
        return Path(os.path.realpath(path))

    def make_folder(self, path: Path) -> None:
        os.mkdir(path, FOLDER_MODE)

    def folder(self, path: Path) -> Folder:
        return RealFolder(path)


REAL: Final[FileSystem] = RealFileSystem()


def _live(descriptor: int) -> int:
    """The same, if it is not closed; Python would say ValueError."""
    if descriptor < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return descriptor


def _status(found: os.stat_result) -> Status:
    return Status(
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_nlink,
        found.st_mode,
        found.st_uid,
        found.st_gid,
        found.st_mtime,
    )
