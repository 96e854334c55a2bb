"""Lines that were read and are not acknowledged: on their way, or still to be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

MOST_LINES: Final = 1024
"""Lines that may be without an acknowledgement."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes that may be."""


class Window:
    """All that would be lost if this process ended now."""

    def __init__(self, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> None:
        self.most_lines = most_lines
        self.most_bytes = most_bytes
        self._sent: deque[bytes] = deque()
        self._unsent: deque[bytes] = deque()
        self._size_sent = self._size = 0
        self.acknowledged = 0
        """Lines that are on the server's disk."""
        self.told = 0
        """Lines that were sent at least once."""

    @property
    def sent(self) -> int:
        """Lines on their way."""
        return len(self._sent)

    @property
    def empty(self) -> bool:
        """Whether everything that was read is acknowledged."""
        return not self._sent and not self._unsent

    @property
    def wants(self) -> bool:
        """Whether more should be read; one read may go beyond the bounds."""
        held = len(self._sent) + len(self._unsent)
        return held < self.most_lines and self._size < self.most_bytes

    def add(self, lines: Iterable[bytes]) -> None:
        """These were read."""
        for line in lines:
            self._unsent.append(line)
            self._size += len(line)

    def take(self, most_bytes: int = MOST_BYTES) -> list[bytes]:
        """The next lines to send, as many as the bounds allow; they are on their way now.

        When none is, the next one may go however long it is.
        """
        lines = self.most_lines - len(self._sent)
        room = min(self.most_bytes, most_bytes) - self._size_sent
        taken: list[bytes] = []
        while self._unsent and len(taken) < lines:
            size = len(self._unsent[0])
            if size > room and (taken or self._sent):
                break
            room -= size
            self._size_sent += size
            taken.append(self._unsent.popleft())
        self._sent += taken
        self.told = max(self.told, self.acknowledged + len(self._sent))
        return taken

    def acknowledge(self, count: int) -> None:
        """The oldest so many are on the server's disk."""
        assert count <= len(self._sent)
        size = sum(map(len, islice(self._sent, count)))
        for _ in range(count):
            self._sent.popleft()
        self._size_sent -= size
        self._size -= size
        self.acknowledged += count

    def narrow(self) -> None:
        """What is on its way was too much at once: from now on half as much goes."""
        self.most_lines = max(1, len(self._sent) // 2)
        self.most_bytes = max(1, self._size_sent // 2)
        self.rewind()

    def rewind(self) -> None:
        """What is on its way may be lost: all of it is to be sent again."""
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()
        self._size_sent = 0
