"""What waits to be sent on one socket: bytes and portions of files, in order and uncopied.

Knows a socket and the kernel's calls; nothing of reactors, of producers, of closing.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from itertools import islice
from typing import Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

CHUNKS_AT_ONCE: Final = 512
"""Pieces given to one sendmsg; Linux takes 1,024 (IOV_MAX)."""
CALLS_AT_ONCE: Final = 8
"""Calls of the kernel for one connection in a turn, if it takes everything each time."""
FILE_AT_ONCE: Final = 256 * 1024
"""Bytes of a file that are sent in one turn: so long the others wait, and so much is read of a
disk."""
CONNECTION_ERRORS: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ETIMEDOUT,
    }
)
"""Of sendfile(2)'s errors those that are the socket's; any other is the file's."""


class CannotSendFile(Exception):
    """This transport can send no file: it is closing, or a TLS layer is above it."""


class FileTooShort(Exception):
    """A file ended before as much was sent as was asked for; `sent` bytes were."""

    def __init__(self, sent: int) -> None:
        super().__init__(f"the file ended after {sent} bytes")
        self.sent = sent


class Portion:
    """A part of a file that is to be sent, and who waits for that."""

    __slots__ = ("_offset", "_sent", "count", "deferred", "descriptor", "failure")

    def __init__(self, descriptor: int, offset: int, count: int, deferred: Deferred[int]) -> None:
        self.descriptor = descriptor
        self.count = count
        self.deferred = deferred
        self.failure: Failure | None = None
        self._offset = offset
        self._sent = 0

    @property
    def begun(self) -> bool:
        """Whether any of it has left."""
        return self._sent > 0

    def send(self, skt: socket.socket) -> bool:
        """Send what the kernel takes, within limits.  Whether the portion is done with.

        Raises OSError if the connection is broken.
        """
        wanted = min(self.count - self._sent, FILE_AT_ONCE)
        if not wanted:
            return True
        try:
            sent = os.sendfile(skt.fileno(), self.descriptor, self._offset + self._sent, wanted)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in CONNECTION_ERRORS:
                raise
            self.failure = Failure(error)
            return True
        self._sent += sent
        if not sent:
            self.failure = Failure(FileTooShort(self._sent))
        return not sent or self._sent == self.count

    def tell(self) -> None:
        """Fire the Deferred, when the portion is done with."""
        deferred = self.deferred
        if deferred.called:  # cancelled
            return
        if self.failure is None:
            deferred.callback(self.count)
        else:
            deferred.errback(self.failure)


class Backlog:
    """What waits, the oldest first.  `unsent` counts its bytes; those of files are not in memory
    and do not count.  Who adds to `pieces` adds to `unsent`."""

    __slots__ = ("pieces", "unsent")

    def __init__(self, *pieces: bytes | memoryview) -> None:
        self.pieces: deque[bytes | memoryview | Portion] = deque(pieces)
        self.unsent = sum(map(len, pieces))

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self.pieces

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        self.pieces.append(data)
        self.unsent += len(data)

    def append_file(self, portion: Portion) -> None:
        """Add a part of a file at the end."""
        self.pieces.append(portion)

    def remove_file(self, portion: Portion) -> None:
        """Take back a part of a file of which nothing was sent."""
        self.pieces.remove(portion)

    def send(self, skt: socket.socket) -> Portion | None:
        """Send what the kernel takes now, until a file is done with: that one is the result.

        Raises OSError if the connection is broken.
        """
        pieces = self.pieces
        for _ in range(CALLS_AT_ONCE):
            if not pieces:
                break
            head = pieces[0]
            if isinstance(head, Portion):
                if not head.send(skt):
                    return None
                pieces.popleft()
                return head
            if not self._send_bytes(skt):
                break
        return None

    def portions(self) -> list[Portion]:
        """Forget everything; the result is the files that were not sent."""
        left = [piece for piece in self.pieces if isinstance(piece, Portion)]
        self.pieces.clear()
        self.unsent = 0
        return left

    def _send_bytes(self, skt: socket.socket) -> bool:
        """Offer the first pieces to the kernel.  Whether it took them all."""
        pieces = self.pieces
        batch: list[bytes | memoryview] = []
        flags = 0
        for piece in islice(pieces, CHUNKS_AT_ONCE):
            if isinstance(piece, Portion):
                flags = socket.MSG_MORE  # a file's first bytes go into the same packet
                break
            batch.append(piece)
        try:
            one = len(batch) == 1
            sent = skt.send(batch[0], flags) if one else skt.sendmsg(batch, (), flags)
        except BlockingIOError:
            return False
        self.unsent -= sent
        for piece in batch:
            if sent < len(piece):
                if sent:
                    pieces[0] = memoryview(piece)[sent:]
                return False
            sent -= len(piece)
            pieces.popleft()
        return True
