"""reverse-lines: every line comes back reversed, and the connection stays.

A line ends at LF, with or without a CR before it, and its reply ends the same way.
"""

from __future__ import annotations

from proto.echo.reversal import by_byte, by_character
from proto.echo.reverse import MAX_REQUEST
from proto.echo.service import BoundedPeer, ServiceFactory
from proto.errors import PeerError
from proto.metrics import Metrics


class LineTooLong(PeerError):
    """The peer sent more than one line may hold."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"line longer than {limit} bytes")


class ReverseLines(BoundedPeer):
    """Answers line by line; a line that is too long gets an error line and is dropped."""

    factory: ReverseLinesFactory

    def __init__(self) -> None:
        self._line = bytearray()
        self._dropping = False

    # Twisted calls these.
    def connectionMade(self) -> None:
        self.bound()

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        replies: list[bytes] = []
        first, *others = data.split(b"\n")
        self._take(first, replies)
        for piece in others:
            self._end_line(replies)
            self._take(piece, replies)
        if replies:
            self.send(b"".join(replies))

    def readConnectionLost(self) -> None:
        if self._line:
            self.send(self.factory.reverse(bytes(self._line)))
        super().readConnectionLost()

    def _take(self, piece: bytes, replies: list[bytes]) -> None:
        """Add to the line, unless it is or becomes too long."""
        if self._dropping:
            return
        line = self._line
        line += piece
        if len(line) - line.endswith(b"\r") > self.factory.max_request:
            replies.append(self.factory.refusal(LineTooLong(self.factory.max_request)))
            line.clear()
            self._dropping = True

    def _end_line(self, replies: list[bytes]) -> None:
        """The line is whole: answer it, unless its beginning has been dropped."""
        if self._dropping:
            self._dropping = False
            return
        line, ending = bytes(self._line), b"\n"
        self._line.clear()
        if line.endswith(b"\r"):
            line, ending = line[:-1], b"\r\n"
        replies += self.factory.reverse(line), ending


class ReverseLinesFactory(ServiceFactory):
    """The line reversing service."""

    service = "reverse-lines"
    protocol = ReverseLines

    def __init__(
        self,
        *,
        text: bool = False,
        max_request: int = MAX_REQUEST,
        metrics: Metrics | None = None,
    ) -> None:
        """`max_request` is in bytes, for each line; with `text` characters are reversed."""
        super().__init__(metrics)
        self.max_request = max_request
        self.reverse = by_character if text else by_byte
