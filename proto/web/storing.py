"""A file that is put into a folder: whole or not at all, on the disk when it is said to be there.

It is written under another name in the same folder, synced, and only then gets its name.  Asks the
file system, and so may wait for a disk; knows nothing of requests.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from proto.web.files import Absent, Exhausted, Forbidden, Opened, Root
from proto.web.response import HTTPError

TEMPORARY: Final = b".upload-"

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

# Is told the status of what has the name already, or None; raises HTTPError if it may not be so.
Allow = Callable[[os.stat_result | None], None]


def store(
    root: Root, names: Sequence[bytes], chunks: Iterator[bytes], limit: int, allow: Allow
) -> tuple[os.stat_result, bool]:
    """Put a file of at most `limit` bytes where these names say; its status, and if it is new.

    Raises:
        HTTPError: 400 or 403 for the name, 409 without a folder for it or where something else
            is, 413 if it is too large, 507 if the disk is full, and what `allow` raises.
        OSError: the disk failed.
    """
    _check_names(names)
    *folder, name = names
    with _folder(root, folder) as opened:
        try:
            allow(_present(opened, name))
            return _write(opened, name, chunks, limit, allow)
        except OSError as error:
            raise _refusal(error) from error


def _check_names(names: Sequence[bytes]) -> None:
    if any(name.startswith(b".") for name in names):
        raise HTTPError(403, "Names that begin with a dot are not taken.")
    name = names[-1]
    if not name or b"/" in name or len(name) > 255 or any(c < 32 or c == 127 for c in name):
        raise HTTPError(400, "This is no name for a file.")


@contextmanager
def _folder(root: Root, names: Sequence[bytes]) -> Iterator[Opened]:
    try:
        opened = root.open(names)
    except Absent:
        raise HTTPError(409, "There is no such folder.") from None
    except Forbidden:
        raise HTTPError(403) from None
    except Exhausted:
        raise HTTPError(503, "Too many files are open.", [("Retry-After", "5")]) from None
    with opened:
        if not opened.is_folder:
            raise HTTPError(409, "There is no such folder.")
        yield opened


def _present(folder: Opened, name: bytes) -> os.stat_result | None:
    """What has that name now.  Raises HTTPError, 409, if it is no regular file."""
    try:
        status = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise HTTPError(409, "There is something else of that name.")
    return status


def _write(
    folder: Opened, name: bytes, chunks: Iterator[bytes], limit: int, allow: Allow
) -> tuple[os.stat_result, bool]:
    temporary = TEMPORARY + secrets.token_hex(8).encode()
    fd = os.open(temporary, _CREATE, 0o666, dir_fd=folder.fd)
    try:
        _write_all(fd, chunks, limit)
        os.fsync(fd)
        # Between what `allow` sees and what is done about it nobody else may come.
        with _locked(folder):
            before = _present(folder, name)
            allow(before)
            if before is None:
                _name_new(folder, temporary, name)
            else:
                os.fchmod(fd, stat.S_IMODE(before.st_mode))
                os.rename(temporary, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
        os.fsync(folder.fd)
        return os.fstat(fd), before is None
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):  # it has been renamed
            os.unlink(temporary, dir_fd=folder.fd)


def _name_new(folder: Opened, temporary: bytes, name: bytes) -> None:
    """Give a file a name that nobody has; raises FileExistsError if somebody does."""
    try:
        # A link is never made over a file that came from elsewhere just now.
        os.link(temporary, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # As on FAT: an empty file keeps the name meanwhile.
        os.close(os.open(name, _CREATE, 0o666, dir_fd=folder.fd))
        os.rename(temporary, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)


def _write_all(fd: int, chunks: Iterator[bytes], limit: int) -> None:
    written = 0
    for chunk in chunks:
        written += len(chunk)
        if written > limit:
            raise HTTPError(413, f"A file may have {limit} bytes here.")
        left = memoryview(chunk)
        while left:
            left = left[os.write(fd, left) :]


@contextmanager
def _locked(folder: Opened) -> Iterator[None]:
    """Keep out whoever else stores a file in this folder, in other processes too."""
    # Where there are no locks on folders, two who replace the same file at once may both succeed.
    with suppress(OSError):
        fcntl.flock(folder.fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(folder.fd, fcntl.LOCK_UN)


def _refusal(error: OSError) -> Exception:
    if error.errno in _FULL:
        return HTTPError(507, "The disk is full.")
    if error.errno in _REFUSED:
        return HTTPError(403, "The server may not write there.")
    if error.errno == errno.EEXIST:
        return HTTPError(409, "There is a file of that name now.")
    if error.errno == errno.EFBIG:
        return HTTPError(413, "The disk takes no file that large.")
    return error
