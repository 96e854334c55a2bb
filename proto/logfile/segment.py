"""One file that only grows.  Knows short writes and full disks; knows no peers and no time."""

from __future__ import annotations

import errno
import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Final

from proto.logfile.filesystem import File, Folder

_SCAN: Final = 64 * 1024
_COPY: Final = 1024 * 1024

_FULL: Final = "the disk is full; free some space"
_REMEDIES: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: "the disk quota is used up; raise it or free some space",
    errno.EFBIG: "the file may not grow further; raise the limit (ulimit -f) or move the file away",
    errno.EIO: "the disk reports an error; look at dmesg and replace the disk",
    errno.EROFS: "the file system is read-only; remount it or choose another file",
    errno.ELOOP: "it is a symbolic link; remove it",
}


def remedy(error: OSError) -> str:
    """What is wrong with the file and what to do about it, in one line."""
    known = _REMEDIES.get(error.errno or 0)
    return known or f"{error.strerror or error}; choose another file"


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


class Segment:
    """Records appended to one file, whole and in order.

    What the file did not take is held here, first in line for the next `append`.
    """

    def __init__(self, file: File, held: bytes = b"", *, inherited: bool = False) -> None:
        """`held` are records that are to be written before all others.

        `inherited`: somebody else may have left the file after a sync that failed.
        """
        self._file = file
        self._inherited = inherited
        self._begun = b""
        self._rest = held

    @property
    def unwritten(self) -> bytes:
        """The records that the file does not have, or has only in part; they begin at a line."""
        return self._begun + self._rest

    @property
    def is_whole(self) -> bool:
        """Whether the file has all that it was given."""
        return not (self._begun or self._rest)

    def hold(self, records: bytes) -> None:
        """Keep them for the next `append`."""
        self._rest = self._rest + records if self._rest else records

    def append(self, records: bytes) -> None:
        """Write what is held and then `records`; on OSError what was not written is held."""
        self.hold(records)
        data = self._rest
        if data and self._inherited:
            self._confirm_end()
            self._inherited = False
        done = 0
        try:
            with memoryview(data) as view:
                while done < len(view):
                    taken = self._file.write(view[done:])
                    if not taken:
                        raise OSError(errno.EIO, "a write took nothing")
                    done += taken
        finally:
            if done == len(data):
                self._begun = self._rest = b""
            elif done:
                written = self._begun + data[:done]
                self._begun = written[written.rfind(b"\n") + 1 :]
                self._rest = data[done:]

    def _confirm_end(self) -> None:
        """Write the last byte over, that the next sync includes it; OSError.

        After a sync that failed the kernel has dropped it: without power there are zeros, up to
        the record that comes next, and no LF before that.
        """
        size = self._file.status().size
        if size:
            with suppress(PermissionError):  # chattr +a: nobody may
                self._file.overwrite(self._file.read(1, size - 1), size - 1)

    def sync(self) -> None:
        """Wait until all that the file took is on the disk; OSError if it is not sure to be."""
        self._file.sync()

    def is_removed(self) -> bool:
        """Whether the file has no name any more: what is written to it is gone with us."""
        return not self._file.status().links

    def cut_begun(self) -> None:
        """Cut off the record that was written only in part; it is to be written elsewhere.

        It stays if somebody else wrote behind it.
        """
        size = self._file.status().size - len(self._begun)
        if self._begun and self._file.read(len(self._begun) + 1, size) == self._begun:
            self._file.truncate(size)
            self._rest, self._begun = self.unwritten, b""

    def close(self) -> None:
        """Close the file; what is still `unwritten` stays for the caller to look at."""
        self._file.close()


def set_tail_aside(folder: Folder, name: str, file: File) -> int:
    """Move what follows the last LF of the log `file` to NAME.torn, as a line of its own.

    Nobody was told that it was stored.  It is on the disk there before it is cut off here: after a
    crash in between it is moved once more.  Returns how many bytes it had.
    """
    size = file.status().size
    end = _end_of_lines(file, size)
    if end == size:
        return 0
    torn = folder.create(f"{name}.torn", exclusive=False)
    try:
        torn_size = torn.status().size
        if torn_size and torn.read(1, torn_size - 1) != b"\n":
            _write(torn, b"\n")
        position = end
        while position < size:
            piece = file.read(min(_COPY, size - position), position)
            if not piece:
                raise OSError(errno.EIO, "it shrinks while it is read")
            _write(torn, piece)
            position += len(piece)
        _write(torn, b"\n")
        torn.sync()
    finally:
        torn.close()
    folder.sync()
    file.truncate(end)
    file.sync()
    return size - end


def _end_of_lines(file: File, size: int) -> int:
    """Where the last whole line ends."""
    end = size
    while end:
        begin = max(0, end - _SCAN)
        found = file.read(end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _write(file: File, data: bytes) -> None:
    Segment(file).append(data)
