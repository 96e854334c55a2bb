"""How often pages were visited: counted, kept over a restart, and told at the foot of each page.

The number is written at most once a second, to a file beside the real one that is then renamed
over it.  So whatever ends the process leaves a whole number, and `kill -9` loses at most the
visits of the last second.  Only the last write, when the site stops, waits for the disk; after a
power failure the number may be older than that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from proto.errors import StartError

WRITE_INTERVAL_SECONDS: Final = 1.0
# Pages longer than this go out as they are: a counted page is put together in memory.
MAX_PAGE: Final = 4 * 1024 * 1024

_END_OF_BODY: Final = b"</body>"
_MAX_DIGITS: Final = 18


class Visits:
    """The number of visits, and the file that remembers it."""

    log = Logger()

    def __init__(self, path: Path, clock: IReactorTime) -> None:
        """Raises StartError when the file cannot be read, cannot be written or is no number."""
        self.count = 0
        self._path = path
        self._clock = clock
        self._next_write: IDelayedCall | None = None
        self._load()

    def visit(self) -> int:
        """Count one visit and return the number of visits, this one included."""
        self.count += 1
        if self._next_write is None:
            self._next_write = self._clock.callLater(WRITE_INTERVAL_SECONDS, self._write_soon)
        return self.count

    def close(self) -> None:
        """Write what is not written yet, and wait for the disk."""
        if self._next_write is not None:
            self._next_write.cancel()
            self._next_write = None
            self._write(durably=True)

    def _load(self) -> None:
        try:
            text = self._path.read_bytes().strip() if self._path.exists() else b"0"
        except OSError as error:
            raise StartError(
                f"--visits {self._path} cannot be read ({error.strerror}): name a file of your own"
            ) from error
        if not text:  # what a file system without data journalling leaves after a power failure
            self.log.warn("{path} is empty: visits are counted from 0", path=str(self._path))
            text = b"0"
        if not text.isdigit() or len(text) > _MAX_DIGITS:
            raise StartError(
                f"--visits {self._path} does not hold a number: name another file, or remove it"
            )
        self.count = int(text)
        try:
            self._replace(durably=False)
        except OSError as error:
            raise StartError(
                f"--visits {self._path} cannot be written ({error.strerror}): "
                "name a file in a folder that is there and writable"
            ) from error

    def _write_soon(self) -> None:
        self._next_write = None
        self._write(durably=False)

    def _write(self, *, durably: bool) -> None:
        try:
            self._replace(durably=durably)
        except OSError as error:
            self.log.error(
                "cannot write {path}: {reason}; the next visit tries again",
                path=str(self._path),
                reason=error.strerror,
            )

    def _replace(self, *, durably: bool) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        with open(fresh, "wb") as file:
            file.write(b"%d\n" % self.count)
            if durably:
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, self._path)


def with_footer(page: bytes, count: int) -> bytes:
    """The page with `<footer>Visits: N</footer>` before its last `</body>`, if it has one."""
    end = page.lower().rfind(_END_OF_BODY)
    if end < 0:
        return page
    return b"%b<footer>Visits: %d</footer>%b" % (page[:end], count, page[end:])
