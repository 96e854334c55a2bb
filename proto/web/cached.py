"""Opening a file only if the kernel finds it without asking a disk (openat2, Linux 5.12).

Python's os has no openat2(2), so it is called by its number.  Where the kernel, a sandbox or the
file system does not go along, `NotInMemory` is raised, and the file is opened in another way.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Sequence
from typing import Final

_OPENAT2: Final = 437  # the same number on every architecture but alpha
_AT_FDCWD: Final = -100
_NO_XDEV: Final = 0x01
_NO_SYMLINKS: Final = 0x04
_BENEATH: Final = 0x08
_CACHED: Final = 0x20

# File systems whose open does not wait for another machine or another program (statfs(2)).
_LOCAL: Final = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # XFS
        0x9123683E,  # btrfs
        0x01021994,  # tmpfs
        0x858458F6,  # ramfs
        0x794C7630,  # overlayfs
        0xF2F52010,  # F2FS
        0x2FC12FC1,  # ZFS
        0xCA451A4E,  # bcachefs
        0x73717368,  # squashfs
        0xE0F5E1E2,  # EROFS
    }
)
# What the kernel says when it had to ask, left the file system, met a link, or knows no openat2.
_ELSEWHERE: Final = frozenset(
    {
        errno.EAGAIN,
        errno.EXDEV,
        errno.ELOOP,
        errno.ENOSYS,
        errno.EPERM,
        errno.EINVAL,
        errno.EACCES,
    }
)


class NotInMemory(Exception):
    """It cannot be told at once whether the file is there."""


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_libc: Final = ctypes.CDLL(None, use_errno=True)
_syscall: Final = _libc.syscall
_syscall.restype = ctypes.c_long
_HOW_SIZE: Final = ctypes.c_size_t(ctypes.sizeof(_How))


def open_cached(root: bytes, names: Sequence[bytes], flags: int, device: int) -> int:
    """Open what `names` lead to below the folder `root`, following no link and crossing no mount.

    Raises:
        NotInMemory: the disk has to be asked, there is a link or a mount on the way, or something
            that is not on `device` was mounted over the root.
        OSError: it is certain that it cannot be opened, ENOENT for instance.
    """
    folder = _openat2(_AT_FDCWD, root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, _CACHED)
    try:
        if os.fstat(folder).st_dev != device:
            raise NotInMemory
        below = b"/".join(names) or b"."
        return _openat2(folder, below, flags, _CACHED | _BENEATH | _NO_SYMLINKS | _NO_XDEV)
    finally:
        os.close(folder)


def local_device(path: bytes) -> int | None:
    """The device of a folder if `open_cached` waits for nobody there; asks the disk."""
    told = ctypes.create_string_buffer(512)  # larger than any struct statfs
    if _libc.statfs(ctypes.c_char_p(path), told):
        return None
    kind = ctypes.c_long.from_buffer(told).value & 0xFFFFFFFF
    return os.stat(path).st_dev if kind in _LOCAL else None


def _openat2(folder: int, path: bytes, flags: int, resolve: int) -> int:
    how = _How(flags, 0, resolve)
    fd: int = _syscall(
        ctypes.c_long(_OPENAT2),
        ctypes.c_long(folder),
        ctypes.c_char_p(path),
        ctypes.byref(how),
        _HOW_SIZE,
    )
    if fd >= 0:
        return fd
    number = ctypes.get_errno()
    if number in _ELSEWHERE:
        raise NotInMemory
    raise OSError(number, os.strerror(number))
