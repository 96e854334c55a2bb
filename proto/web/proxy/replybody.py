"""The body of an answer while it comes, for whoever passes it on.

Knows no HTTP: a connection puts bytes in at one end.
"""

from __future__ import annotations

from typing import Protocol

from proto.web.incoming import IncomingBody


class Source(Protocol):
    """Where the body comes from."""

    def hold(self) -> None:
        """Read no more now."""
        ...

    def go_on(self) -> None:
        """Read again."""
        ...

    def give_up(self) -> None:
        """Nobody wants the rest."""
        ...


class ReplyBody(IncomingBody):
    """The body of an answer, for one reader; it may be closed before its end."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.hold, source.go_on)
        self._source: Source | None = source

    # Whoever reads calls these.
    @property
    def is_whole(self) -> bool:
        """All of it is here, or was."""
        return self.done and self._failure is None

    def take(self) -> bytes:
        """What is here, at once."""
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._size = 0
        if self._is_held and not self.done:
            self._is_held = False
            self._go_on()
        return data

    def close(self) -> None:
        """Nobody wants the rest."""
        source, self._source = self._source, None
        if source is not None and not self.done:
            self.done = True
            source.give_up()

    # The connection calls this.
    def put_last(self, data: bytes) -> None:
        """These bytes, if any, are the last."""
        self._source = None
        self.done = True
        if data:
            self.put(data)
        else:
            self._wake()
