"""Our ends of the pipes to a script: read when somebody wants bytes, written as they are taken.

So a script waits when nobody reads it, and whoever writes to it waits when it does not read.  Knows
no processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

AT_ONCE: Final = 64 * 1024
"""Bytes that are read with one call: as many as a pipe of Linux holds."""


class NotRead(Exception):
    """Whoever had the other end has closed it."""


class Descriptor(Protocol):
    """An open file, unbuffered."""

    def fileno(self) -> int: ...
    def close(self) -> None: ...


class _End:
    """One end of a pipe, and who waits at it."""

    def __init__(self, file: Descriptor, reactor: Any) -> None:
        os.set_blocking(file.fileno(), False)
        self._file: Descriptor | None = file
        self._reactor = reactor
        self._waiting: Deferred[Any] | None = None
        self._is_watched = False  # the reactor looks at it

    # The reactor calls these.
    def fileno(self) -> int:
        return -1 if self._file is None else self._file.fileno()

    def logPrefix(self) -> str:
        return "cgi"

    def _wait(self, look: Callable[[Any], object]) -> Deferred[Any]:
        if self._waiting is not None:
            raise RuntimeError("one waits at this end already")
        self._waiting = Deferred(self._forget)
        self._is_watched = True
        look(self)
        return self._waiting

    def _wake(self, result: Any) -> None:
        self._rest()
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(result)

    def _forget(self, _: Deferred[Any]) -> None:
        """Whoever waited was cancelled."""
        self._waiting = None
        self._rest()

    def _rest(self) -> None:
        """Nobody waits: the reactor need not look."""
        if self._is_watched:
            self._is_watched = False
            self._ignore()

    def _ignore(self) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        self._rest()
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


@implementer(IReadDescriptor)
class Source(_End):
    """What comes out of a pipe; for one reader."""

    def __init__(self, file: Descriptor, reactor: Any) -> None:
        super().__init__(file, reactor)
        self.is_over = False
        """No more will come."""

    async def read(self) -> bytes:
        """What comes next, at most 64 KiB; nothing at the end.

        One turn of the reactor reads once, so that others have theirs.
        """
        if self.is_over:
            return b""
        data: bytes = await self._wait(self._reactor.addReader)
        return data

    def rest(self) -> bytes:
        """What is in the pipe just now, at most 64 KiB."""
        if self._file is None:
            return b""
        try:
            return os.read(self._file.fileno(), AT_ONCE)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Take no more; whoever waits is told that this is the end."""
        self.is_over = True
        self._close()
        self._wake(b"")

    # The reactor calls these.
    def doRead(self) -> None:
        if self._file is None:
            return
        try:
            data = os.read(self._file.fileno(), AT_ONCE)
        except BlockingIOError:
            return
        self.is_over = not data
        self._wake(data)

    def connectionLost(self, reason: Failure) -> None:
        """Nobody has the other end any more, and nothing is in the pipe."""
        self.is_over = True
        self._wake(b"")

    def _ignore(self) -> None:
        self._reactor.removeReader(self)


@implementer(IWriteDescriptor)
class Sink(_End):
    """What goes into a pipe; for one writer."""

    async def write(self, data: bytes) -> None:
        """Wait until the other side, or the pipe, has taken all of it.

        Raises:
            NotRead: nobody will read it.
        """
        left = memoryview(data)
        while left:
            if self._file is None:
                raise NotRead
            try:
                left = left[os.write(self._file.fileno(), left) :]
            except BlockingIOError:
                await self._wait(self._reactor.addWriter)
            except BrokenPipeError:
                self.close()

    def close(self) -> None:
        """Nothing more will be written."""
        self._close()
        self._wake(None)

    # The reactor calls these.
    def doWrite(self) -> None:
        self._wake(None)

    def connectionLost(self, reason: Failure) -> None:
        """Nobody has the other end any more."""
        self.close()

    def _ignore(self) -> None:
        self._reactor.removeWriter(self)
