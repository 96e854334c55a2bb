"""One file that only grows.  Knows short writes and full disks; knows no peers and no time."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from pathlib import Path
from typing import Final, Protocol

from twisted.logger import Logger

from proto.errors import StartError

MODE: Final = 0o640
"""Logs hold what people and programs sent: readable for a group such as adm, not for everybody."""

# O_RDWR, for the last byte is read to find a torn line, and a FIFO then opens without a reader.
# O_NONBLOCK means nothing to a regular file; a full FIFO answers EAGAIN instead of stopping us.
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK

_FULL: Final = "the disk is full; free some space"
_REMEDIES: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "the disk quota is used up; raise it or free some space",
    errno.EFBIG: "the file may not grow further; raise the limit (ulimit -f) or move the file away",
    errno.EIO: "the disk reports an error; look at dmesg and replace the disk",
    errno.EROFS: "the file system is read-only; remount it or choose another file",
}


def remedy(error: OSError) -> str:
    """What is wrong with the file and what to do about it, in one line."""
    known = _REMEDIES.get(error.errno or 0)
    return known or f"{error.strerror or error}; choose another file"


class File(Protocol):
    """What a segment writes to: it may take less than it was given, or raise OSError."""

    def write(self, data: memoryview, /) -> int: ...
    def close(self) -> None: ...


class Segment:
    """Records appended to one file, whole and in order.

    What the file did not take is held here, first in line for the next `append`.
    """

    log = Logger()

    def __init__(self, file: File) -> None:
        self._file = file
        self._begun = b""
        self._rest = b""
        self.taken = 0
        """How many bytes the file took so far."""

    @classmethod
    def open(cls, path: Path) -> Segment:
        """Append to `path`, made if it is not there; a `StartError` says why that cannot be.

        A crash may have left half a line at the end.  It is ended, so that the next record begins a
        line of its own.
        """
        file = _open(path)
        segment = cls(file)
        try:
            if file.ends_torn():
                segment.append(b"\n")
                cls.log.warn("{path} ended in half a line; ended it", path=str(path))
        except OSError as error:
            file.close()
            raise StartError(f"{path}: {remedy(error)}") from error
        return segment

    @property
    def unwritten(self) -> bytes:
        """The records that the file does not have, or has only in part; they begin at a line."""
        return self._begun + self._rest

    def append(self, records: bytes) -> None:
        """Write what is held and then `records`; on OSError what was not written is held."""
        data = self._rest + records if self._rest else records
        done = 0
        try:
            with memoryview(data) as view:
                while done < len(view):
                    taken = self._file.write(view[done:])
                    if not taken:
                        raise OSError(errno.EIO, "a write took nothing")
                    done += taken
        finally:
            self.taken += done
            if done == len(data):
                self._begun = self._rest = b""
            else:
                written = self._begun + data[:done]
                self._begun = written[written.rfind(b"\n") + 1 :]
                self._rest = data[done:]

    def close(self) -> None:
        """Close the file; what is still `unwritten` stays for the caller to look at."""
        self._file.close()


class _Descriptor:
    """A file descriptor as a `File`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: memoryview, /) -> int:
        return os.write(self._descriptor, data)

    def close(self) -> None:
        os.close(self._descriptor)

    def ends_torn(self) -> bool:
        """Whether the last line has no end; only a regular file can be asked."""
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            return False
        return os.pread(self._descriptor, 1, status.st_size - 1) != b"\n"


def _open(path: Path) -> _Descriptor:
    try:
        try:
            # Without O_CREAT first: with it, fs.protected_fifos and fs.protected_regular refuse
            # a file that is there already, in /tmp, when somebody else owns it.
            return _Descriptor(os.open(path, _FLAGS))
        except FileNotFoundError:
            return _Descriptor(os.open(path, _FLAGS | os.O_CREAT, MODE))
    except OSError as error:
        raise StartError(why_not(path, error)) from error
    except ValueError as error:  # a NUL in the name
        raise StartError(f"{str(path)!r}: {error}; choose another file") from error


def why_not(path: Path, error: OSError) -> str:
    """Why `path` cannot be opened, in one line that names the remedy."""
    folder = os.path.dirname(os.path.realpath(path))
    match error.errno:
        case errno.ENOENT:
            reason = f"no such folder; create it: mkdir -p {shlex.quote(folder)}"
        case errno.EISDIR:
            reason = f"it is a folder; name a file in it, such as {path / 'log.txt'}"
        case errno.ENOTDIR:
            reason = "a part of that path is a file, not a folder; choose another file"
        case errno.EACCES | errno.EPERM:
            reason = (
                f"no permission; let user {os.geteuid()} read and write it and its folder {folder},"
                " or choose another file"
            )
        case errno.ENXIO:
            reason = "it is a socket or a device that is not there; choose another file"
        case _:
            reason = remedy(error)
    return f"{path}: {reason}"
