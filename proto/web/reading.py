"""Reading parts of files: at once what is in memory, and what is not where waiting hurts nobody.

Knows descriptors; nothing of threads and of requests.
"""

from __future__ import annotations

import errno
import os
from typing import Final

CHUNK: Final = 64 * 1024
# The kernel reads ahead in such pieces where nobody has told it otherwise.
_STRIDE: Final = 128 * 1024
# Some file systems cannot tell (EOPNOTSUPP); they are asked where they may take their time.
_CANNOT_TELL: Final = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


def read_cached(fd: int, start: int, length: int) -> bytes | None:
    """Up to `length` bytes, if the first of them are in memory; none at the end of the file.

    None when the disk has to be asked.  Raises OSError when it cannot be read.
    """
    room = bytearray(length)
    try:
        found = os.preadv(fd, [room], start, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in _CANNOT_TELL:
            return None
        raise
    return bytes(room) if found == length else bytes(memoryview(room)[:found])


def is_cached(fd: int, start: int, length: int) -> bool:
    """Whether this part of a file seems to be in memory: one byte in so many is asked for."""
    byte = bytearray(1)
    try:
        for place in range(start, start + length, _STRIDE):
            os.preadv(fd, [byte], place, os.RWF_NOWAIT)
        os.preadv(fd, [byte], start + length - 1, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in _CANNOT_TELL:
            return False
        raise
    return True


def read_ahead(fd: int, start: int, length: int) -> None:
    """Bring this part of a file into memory; waits for the disk."""
    end = start + length
    while start < end and (chunk := os.pread(fd, min(CHUNK, end - start), start)):
        start += len(chunk)


def read_whole(fd: int, length: int) -> bytes:
    """The first `length` bytes; fewer when the file has been cut meanwhile.  Waits for the disk."""
    chunks: list[bytes] = []
    done = 0
    while done < length and (chunk := os.pread(fd, length - done, done)):
        chunks.append(chunk)
        done += len(chunk)
    return b"".join(chunks)


def read_from_disk(fd: int, start: int, length: int) -> bytes:
    """Up to `length` bytes; none at the end of the file.  Waits for the disk."""
    return os.pread(fd, length, start)
