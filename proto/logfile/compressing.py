"""Segments made smaller, in a thread of their own.  Knows neither the file that grows nor rules.

What is compressed is on the disk under its final name before the original is removed.
"""

from __future__ import annotations

import importlib
import threading
import zlib
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, Protocol, cast

from twisted.logger import Logger

from proto.errors import StartError
from proto.logfile.filesystem import File, Folder
from proto.logfile.keeping import PART, remove, segments
from proto.logfile.segment import Segment, remedy

_PIECE: Final = 256 * 1024
_WAITING: Final = 1024
"""Logs that wait; one that finds no room is looked at again when it is rotated next."""
_CLOSE_SECONDS: Final = 5.0
_GZIP: Final = 31
"""The greatest window, and the header and trailer of gzip (zlib's manual, deflateInit2)."""

Kind = Literal["gzip", "zstd"]


class Stream(Protocol):
    """One file being compressed."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def streams(kind: Kind) -> tuple[Callable[[], Stream], str]:
    """What begins to compress a file, and how its name then ends.

    Raises:
        StartError: the package for it is not installed.
    """
    if kind == "gzip":
        return lambda: zlib.compressobj(wbits=_GZIP), ".gz"
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError as error:
        raise StartError(
            "zstd needs the package zstandard; pip install 'proto[compress]', or choose gzip"
        ) from error
    return lambda: cast(Stream, zstandard.ZstdCompressor().compressobj()), ".zst"


def compress(
    folder: Folder,
    name: str,
    begin: Callable[[], Stream],
    ending: str,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Replace a file by NAME + `ending`; False if it was `stopped` before, or the file is gone.

    On OSError the original is there as before.
    """
    try:
        original = folder.read_from(name)
    except FileNotFoundError:
        return False
    part = name + ending + PART
    try:
        remove(folder, [part])
        done = _pack(original, folder.create(part), begin(), stopped)
        if not done or name not in folder.names():  # it is not kept any more
            remove(folder, [part])
            return False
        folder.rename(part, name + ending)
    except OSError:
        remove(folder, [part])
        raise
    finally:
        original.close()
    folder.sync()
    remove(folder, [name])
    return True


def _pack(original: File, target: File, stream: Stream, stopped: Callable[[], bool]) -> bool:
    try:
        target.take_after(original.status())
        if not _copy(original, Segment(target), stream, stopped):
            return False
        target.sync()
        return True
    finally:
        target.close()


def _copy(original: File, target: Segment, stream: Stream, stopped: Callable[[], bool]) -> bool:
    position = 0
    while piece := original.read(_PIECE, position):
        if stopped():
            return False
        position += len(piece)
        target.append(stream.compress(piece))
    target.append(stream.flush())
    return True


class Compressor:
    """A thread that lives as long as there is something to compress.

    It is begun by whoever rotates, thus never before a fork that came earlier.
    """

    log = Logger()

    def __init__(self, kind: Kind) -> None:
        """`StartError` if that kind is not installed."""
        self._begin, self._ending = streams(kind)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Folder, str, int]] = deque()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._told: dict[str, int] = {}

    def put(self, folder: Folder, log: str, last: int) -> None:
        """Compress the segments of that log up to number `last`, soon; never waits.

        A later one may be about to become the growing file again, for its rotation failed.
        """
        with self._lock:
            full = len(self._waiting) >= _WAITING
            if self._stopped.is_set() or full:
                return
            self._waiting.append((folder, log, last))
            if self._thread is None:
                # A disk that never answers must not keep the process from ending.
                self._thread = threading.Thread(target=self._run, name="compress logs", daemon=True)
                self._thread.start()

    def close(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Stop at the next piece and leave the rest as it is; True if that was within the time."""
        self._stopped.set()
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
            return not thread.is_alive()
        return True

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._stopped.is_set() or not self._waiting:
                    self._thread = None
                    return
                job = self._waiting.popleft()
            try:
                self.compress_all(*job)
            except Exception:  # a bug, and no reason to compress nothing any more
                self.log.failure("compressing {name}", name=job[1])

    def compress_all(self, folder: Folder, log: str, last: int) -> None:
        """Compress the segments of one log, oldest first; what fails is said once."""
        number = 0
        try:
            for kept in segments(folder, log):
                if kept.name.ending or kept.name.number > last or self._stopped.is_set():
                    continue
                compress(folder, kept.name.text, self._begin, self._ending, self._stopped.is_set)
        except OSError as error:
            number = error.errno or -1
            if number != self._told.get(log, 0):
                self.log.error(
                    "{folder}/{name}: cannot compress old segments: {why}",
                    folder=str(folder.path),
                    name=log,
                    why=remedy(error),
                )
        if number and len(self._told) < _WAITING:
            self._told[log] = number
        else:
            self._told.pop(log, None)
