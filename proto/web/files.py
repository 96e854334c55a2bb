"""What may be opened below a folder, and how, so that nothing outside it ever is.  No twisted.

A file is opened once and looked at through its descriptor: whatever is renamed over it
meanwhile, size, date and contents belong to one and the same file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

from proto.web.cached import NotInMemory, local_device, open_cached

# A FIFO must not block the reactor, a terminal must not become ours.
_OPEN: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_STEP: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_ABSENT: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.ENODEV}
)
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class Absent(Exception):
    """There is nothing of that name, or nothing that may be shown."""


class Forbidden(Exception):
    """It is there, but the server has no permission to read it."""


class Exhausted(Exception):
    """The process has no descriptor left; another try may succeed."""


class Version(NamedTuple):
    """What differs between two versions of a file, and between two files."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class Opened:
    """A regular file or a folder that is open for reading, and what fstat says about it.

    `waits` tells that its disk may take its time, also to close it.
    """

    __slots__ = ("fd", "status", "waits")

    def __init__(self, fd: int, *, waits: bool = True) -> None:
        self.fd = fd
        self.waits = waits
        try:
            self.status = os.fstat(fd)
        except OSError:
            os.close(fd)
            raise

    @property
    def version(self) -> Version:
        """Which version of the file is open."""
        return version_of(self.status)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode)

    def close(self) -> None:
        """Give the descriptor back; more than once is harmless."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Opened:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a folder listing; `modified` is in seconds since the epoch."""

    name: bytes
    is_folder: bool
    size: int
    modified: float


def version_of(status: os.stat_result) -> Version:
    """The version that a status tells of."""
    return Version(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def refusal_for(error: OSError) -> Exception:
    """What a failed open means to the one who asked; the error itself when it is our fault."""
    if error.errno in _ABSENT:
        return Absent()
    if error.errno in _FORBIDDEN:
        return Forbidden()
    if error.errno in _EXHAUSTED:
        return Exhausted()
    return error


class Root:
    """A folder whose regular files and folders are shown.

    Names that begin with a dot are absent unless `dotfiles`.  A symbolic link is followed when
    what it points to is below the folder too, or anywhere with `follow_symlinks`.
    """

    def __init__(
        self, path: Path, *, dotfiles: bool = False, follow_symlinks: bool = False
    ) -> None:
        self._path = os.fsencode(os.path.abspath(path))
        self._dotfiles = dotfiles
        self._follow_symlinks = follow_symlinks
        self._device = local_device(self._path)

    @property
    def opens_at_once(self) -> bool:
        """Whether asking for `at_once` has a point on this file system."""
        return self._device is not None

    def open(self, names: Sequence[bytes], *, at_once: bool = False) -> Opened:
        """Open what these names lead to; the caller closes it.

        With `at_once` the disk is not asked.

        Raises:
            Absent, Forbidden, Exhausted: it cannot be shown.
            NotInMemory: it can be told only by asking the disk.
            OSError: the disk failed.
        """
        if not all(map(self._may_show, names)):
            raise Absent
        try:
            opened = self._open_cached(names) if at_once else Opened(self._descend(names))
        except OSError as error:
            raise refusal_for(error) from error
        if not (opened.is_file or opened.is_folder):
            opened.close()
            raise Absent
        return opened

    def _open_cached(self, names: Sequence[bytes]) -> Opened:
        if self._device is None:
            raise NotInMemory
        return Opened(open_cached(self._path, names, _OPEN, self._device), waits=False)

    def names(self, folder: Opened) -> list[bytes]:
        """The names in an opened folder that may be shown, whatever they are, sorted."""
        return sorted(filter(self._may_show, map(os.fsencode, os.listdir(folder.fd))))

    def entries(self, folder: Opened, names: Sequence[bytes]) -> Iterator[Entry]:
        """What a listing tells of an opened folder that these names lead to."""
        with os.scandir(folder.fd) as found:
            for item in found:
                name = os.fsencode(item.name)
                if not self._may_show(name):
                    continue
                try:
                    if item.is_symlink() and not self._stays_inside((*names, name)):
                        continue
                    status = item.stat()
                except OSError:  # it went away meanwhile, or is a link to nothing
                    continue
                if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
                    is_folder = stat.S_ISDIR(status.st_mode)
                    yield Entry(name, is_folder, status.st_size, status.st_mtime)

    def _may_show(self, name: bytes) -> bool:
        if not name or b"/" in name or b"\0" in name or name in (b".", b".."):
            return False
        return self._dotfiles or not name.startswith(b".")

    def _descend(self, names: Sequence[bytes]) -> int:
        if self._follow_symlinks:
            return os.open(os.path.join(self._path, *names), _OPEN)
        try:
            return _walk(self._path, names)
        except OSError as error:
            # O_NOFOLLOW tells a link by ELOOP, and together with O_DIRECTORY by ENOTDIR.
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
        # There is a link on the way.  The resolved path has none, so walking it again without
        # following any stays inside even when somebody swaps a folder for a link right now.
        root = os.path.realpath(self._path)
        target = os.path.realpath(os.path.join(self._path, *names))
        if not _is_below(root, target):
            raise Absent
        below = os.path.relpath(target, root)
        return _walk(root, [] if below == b"." else below.split(b"/"))

    def _stays_inside(self, names: Sequence[bytes]) -> bool:
        if self._follow_symlinks:
            return True
        target = os.path.realpath(os.path.join(self._path, *names))
        return _is_below(os.path.realpath(self._path), target)


def _is_below(root: bytes, path: bytes) -> bool:
    return os.path.commonpath((root, path)) == root


def _walk(root: bytes, names: Sequence[bytes]) -> int:
    """Open `names` below `root` one after the other, following no symbolic link."""
    if not names:
        return os.open(root, _OPEN)
    here = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names[:-1]:
            step = os.open(name, _STEP, dir_fd=here)
            os.close(here)
            here = step
        return os.open(names[-1], _OPEN | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)
