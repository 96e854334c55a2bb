"""Lines that are gathered to be said as one, up to a lone dot.  No sockets."""

from __future__ import annotations

from proto.chat.talk import LONGEST_PASTE, MOST_LINES, TooLong


class Paste:
    """What somebody pastes, until the dot.

    What is too much is dropped up to the dot, so that it is not said line by line; its sender is
    told so once.
    """

    __slots__ = ("_dropping", "_lines", "_size")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0
        self._dropping = False

    def add(self, line: str) -> bool:
        """Take one more line; whether it was the dot.  Raises `TooLong`."""
        if line.rstrip() == ".":
            return True
        if not self._dropping:
            self._size += len(line.encode("utf-8", "replace")) + 1
            self._lines.append(line)
            if self._size > LONGEST_PASTE or len(self._lines) > MOST_LINES:
                self._dropping = True
                self._lines.clear()
                raise TooLong(
                    f"That is too much at once; {LONGEST_PASTE} bytes and {MOST_LINES} lines are "
                    "the most. Nothing up to the dot will be said."
                )
        return False

    @property
    def text(self) -> str:
        """The lines, joined by line feeds."""
        return "\n".join(self._lines)

    @property
    def is_dropped(self) -> bool:
        """Whether it was too much, and its sender knows."""
        return self._dropping
