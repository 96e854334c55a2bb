"""What a way of sending lines offers to the delivery, and how it says that it goes no further.

Knows no sockets.
"""

from __future__ import annotations

from typing import Protocol


class Trouble(Exception):
    """This connection is of no use any more; the text is one line, and another one may do."""

    def __init__(self, text: str, *, after: float | None = None, refused: bool = False) -> None:
        """`after` is how many seconds the server asks for; `refused` means the oldest line."""
        super().__init__(text)
        self.after = after
        self.refused = refused


class Hopeless(Exception):
    """No connection will do; the text is one line."""


class LineRefused(Hopeless):
    """The server will never take the oldest line."""


class Wire(Protocol):
    """One connection's bytes, and the window whose lines they carry."""

    def begin(self) -> bytes:
        """What is said first."""
        ...

    def pack(self) -> bytes:
        """Lines that may go now, as bytes; they are taken from the window."""
        ...

    def feed(self, data: bytes) -> None:
        """What the server said; acknowledged lines leave the window.

        Raises Trouble or Hopeless.
        """
        ...

    def end(self) -> bytes:
        """What is said last, whereupon the server hangs up; empty if nothing need be said."""
        ...
