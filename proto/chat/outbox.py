"""What waits to be sent to one client, counted in bytes."""

from __future__ import annotations

from collections import deque


class Outbox:
    """A queue of byte strings that are shared with other clients and joined only when sent."""

    __slots__ = ("_pieces", "size")

    def __init__(self) -> None:
        self.size = 0
        self._pieces: deque[bytes] = deque()

    def put(self, data: bytes) -> None:
        """Queue these bytes; they are not copied."""
        self._pieces.append(data)
        self.size += len(data)

    def take(self, enough: int) -> bytes:
        """Everything if it is no more than `enough` bytes, or else the first pieces up to that.

        At least one piece is taken, so a piece longer than `enough` comes whole.
        """
        if self.size <= enough:
            taken = b"".join(self._pieces)
            self.clear()
            return taken
        pieces = [self._pieces.popleft()]
        length = len(pieces[0])
        while self._pieces and length + len(self._pieces[0]) <= enough:
            pieces.append(self._pieces.popleft())
            length += len(pieces[-1])
        self.size -= length
        return b"".join(pieces)

    def clear(self) -> None:
        """Forget what waits."""
        self._pieces.clear()
        self.size = 0
