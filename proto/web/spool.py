"""Where the bodies of requests wait until they are whole: in memory, then in files without a name.

All of them together have bounds.  What a resource gets is an ordinary binary file; closing it, or
forgetting it, gives its room back.  Knows no requests.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedRandom, BytesIO, FileIO
from pathlib import Path
from typing import Final

from proto.web.response import HTTPError
from proto.web.shares import Shares

IN_MEMORY: Final = 64 * 1024
"""Bytes of one body that wait in memory."""
MEMORY: Final = 64 * 1024 * 1024
"""Bytes of all bodies that wait in memory."""
FILES: Final = 200
AGAIN_SECONDS: Final = 5


@dataclass(slots=True)
class _Use:
    files: Shares
    memory: int = 0


class Spools:
    """The room that the bodies share."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        in_memory: int = IN_MEMORY,
        memory: int = MEMORY,
        files: int = FILES,
    ) -> None:
        """`folder` is the system's when it is None; at most `files` files are open in it."""
        self._folder = folder
        self._in_memory = in_memory
        self._most_memory = memory
        self._use = _Use(Shares(files))

    @property
    def memory(self) -> int:
        """Bytes in memory now."""
        return self._use.memory

    @property
    def files(self) -> int:
        """Files open now."""
        return self._use.files.all

    def open(self, length: int | None = None, group: str = "") -> Spool:
        """Room for a body of so many bytes; None when nobody knows how many.

        It has a file when it needs one: who announces much and sends little takes none.  Of the
        files one `group` of addresses has half at most.

        Raises:
            HTTPError: 503 when there is none now.
        """
        if length is not None and length > self._in_memory:
            self.check_files(group)
        return Spool(self, group)

    # A spool calls these.
    def fits(self, size: int, more: int) -> bool:
        """Whether a body of so many bytes in memory may have so many more there."""
        fits_all = self._use.memory + more <= self._most_memory
        return fits_all and size + more <= self._in_memory

    def check_files(self, group: str) -> None:
        """Raises HTTPError, 503, when there may be no more of them."""
        if not self._use.files.fits(group):
            raise _no_room("Too many large requests are on their way")

    def in_memory(self) -> _InMemory:
        """An empty body."""
        return _InMemory(self._use)

    def in_file(self, group: str) -> _InFile:
        """An empty file.  Raises HTTPError, 503."""
        self.check_files(group)
        try:
            fd = _nameless(self._folder)
        except OSError as error:
            raise _no_room("There is no place for the request now") from error
        return _InFile(fd, self._use.files, group)


class Spool:
    """One body that is being received."""

    def __init__(self, owner: Spools, group: str) -> None:
        self._owner = owner
        self._group = group
        self._memory: _InMemory | None = owner.in_memory()
        self._file: _InFile | None = None

    @property
    def content(self) -> _InMemory | _InFile:
        """What has come, as a file; closing it is closing the spool."""
        kept = self._file or self._memory
        assert kept is not None
        return kept

    def write(self, data: bytes) -> None:
        """Keep more.  Raises HTTPError, 503, when there is no room; it is closed then."""
        if self._memory is not None:
            if self._owner.fits(self._memory.size, len(data)):
                self._memory.append(data)
                return
            self.move_to_file()
        assert self._file is not None
        try:
            self._file.write(data)
        except OSError as error:
            self.close()
            raise _no_room("There is no place for the request now") from error

    def rewind(self) -> _InMemory | _InFile:
        """All of it has come: the file, at its beginning.  Raises HTTPError, 503."""
        try:
            self.content.seek(0)  # which writes what is buffered
        except OSError as error:
            self.close()
            raise _no_room("There is no place for the request now") from error
        return self.content

    def move_to_file(self) -> None:
        """From now on it waits in a file.  Raises HTTPError, 503; it is closed then."""
        memory = self._memory
        assert memory is not None
        try:
            self._file = self._owner.in_file(self._group)
        except HTTPError:
            self.close()
            raise
        self._memory = None
        so_far = memory.getvalue()
        memory.close()
        if so_far:
            self.write(so_far)

    def close(self) -> None:
        """Forget it."""
        if self._memory is not None:
            self._memory.close()
        if self._file is not None:
            self._file.close()


class _InMemory(BytesIO):
    """A body in memory, which is counted until it is closed."""

    def __init__(self, use: _Use) -> None:
        super().__init__()
        self._use = use
        self.size = 0

    def append(self, data: bytes) -> None:
        """Keep more of the body."""
        self.write(data)
        self.size += len(data)
        self._use.memory += len(data)

    def close(self) -> None:
        self._use.memory -= self.size
        self.size = 0
        super().close()


class _InFile(BufferedRandom):
    """A body in a file, which is counted until it is closed."""

    def __init__(self, fd: int, files: Shares, group: str) -> None:
        super().__init__(FileIO(fd, "r+b"))
        self._files = files
        self._group = group
        self._is_counted = True
        files.take(group)

    def close(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._files.give(self._group)
        with suppress(OSError):  # what is buffered need not get to a disk that is full
            super().close()

    def __del__(self) -> None:
        """Twisted forgets bodies now and then; Python would warn of it, and count nothing."""
        self.close()


def _nameless(folder: Path | None) -> int:
    fd, name = tempfile.mkstemp(prefix="proto-body-", dir=folder)
    os.unlink(name)
    return fd


def _no_room(why: str) -> HTTPError:
    again = str(AGAIN_SECONDS)
    return HTTPError(503, f"{why}; try again in {again} s.", [("Retry-After", again)])
