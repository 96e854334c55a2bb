"""The logs there are: one for all, or one for each client.  Knows neither clients nor lines."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from twisted.logger import Logger

from proto.errors import StartError
from proto.logfile.compressing import Compressor
from proto.logfile.filesystem import REAL, FileSystem, Folder
from proto.logfile.folder import locked
from proto.logfile.keeping import Rules
from proto.logfile.log import Log
from proto.logfile.segment import remedy, why_not

AT_MOST: Final = 256
"""Files of clients that are open at once."""
_LONGEST: Final = 100
_HEAD: Final = 60

_OUTSIDE: Final = re.compile(rb"[^A-Za-z0-9._-]|^\.")


class Shelf(Protocol):
    """Where a log is found by its name; one thread only.

    Take the log anew for each batch: one that was not used lately may have been closed.
    """

    @property
    def torn(self) -> tuple[int, int]:
        """Half lines that were found at the end of files and put aside, and their bytes; any
        thread may ask."""

    def log(self, name: str) -> Log:
        """The log of that name, "" for the one there is; OSError when it cannot be opened now."""

    def has(self, name: str) -> bool:
        """Whether the log of that name is open."""

    def open_logs(self) -> Iterable[Log]: ...

    def close(self) -> None:
        """Close them all, without a sync; OSError if one of them could not be."""


class OneLog:
    """One log, whatever name is asked for."""

    def __init__(
        self,
        path: Path,
        rules: Rules,
        fs: FileSystem = REAL,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`StartError` when it cannot be opened."""
        self._log = Log.open(path, rules, fs, now=now)

    def log(self, name: str) -> Log:
        return self._log

    def has(self, name: str) -> bool:
        return True

    def open_logs(self) -> Iterable[Log]:
        return (self._log,)

    @property
    def torn(self) -> tuple[int, int]:
        return self._log.torn_lines, self._log.torn_bytes

    def close(self) -> None:
        self._log.close()


class LogPerClient:
    """A log for each name, all in one folder; those that were not used lately are closed."""

    _say = Logger()

    def __init__(
        self,
        folder: Path,
        rules: Rules,
        at_most: int = AT_MOST,
        fs: FileSystem = REAL,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        """The folder is made if it is missing; `StartError` when it cannot be used."""
        self._rules = rules
        self._at_most = at_most
        self._now = now
        self._logs: OrderedDict[str, Log] = OrderedDict()
        self._torn = (0, 0)
        """Of logs that are closed."""
        self._compressor = Compressor(rules.compress) if rules.compress else None
        self._folder = _folder(fs, folder)

    def log(self, name: str) -> Log:
        """The log of that client, in the file `file_name(name)` + ".log".

        Raises:
            OSError: it cannot be opened, it is a symbolic link or no regular file, or as many as
                may be are open and none of them can be synced and closed.
        """
        file = f"{file_name(name)}.log"
        log = self._logs.get(file)
        if log is None:
            if len(self._logs) >= self._at_most:
                self._make_room()
            log = Log.inside(
                self._folder, file, self._rules, now=self._now, compressor=self._compressor
            )
            self._logs[file] = log
        self._logs.move_to_end(file)
        return log

    def has(self, name: str) -> bool:
        return f"{file_name(name)}.log" in self._logs

    def open_logs(self) -> Iterable[Log]:
        return tuple(self._logs.values())

    @property
    def torn(self) -> tuple[int, int]:
        return _sum(self._torn, tuple(self._logs.values()))

    def close(self) -> None:
        if self._compressor is not None:
            self._compressor.close()
        trouble: OSError | None = None
        for log in self._logs.values():
            try:
                log.close()
            except OSError as error:
                trouble = error
        self._logs.clear()
        self._folder.close()
        if trouble is not None:
            raise trouble

    def _make_room(self) -> None:
        for file, log in self._logs.items():
            log.tend()  # a file that somebody removed is not the one to sync
            try:
                log.sync()
            except OSError:  # its lines wait for it; its writer says why
                continue
            del self._logs[file]
            self._torn = _sum(self._torn, (log,))
            try:
                log.close()
            except OSError as error:
                self._say.error("{path}: closing: {why}", path=str(log.path), why=remedy(error))
            return
        raise OSError(errno.EMFILE, f"{self._at_most} files are open and none can be closed")


def file_name(text: str) -> str:
    """A name for a file that no other text has: letters, digits, `.`, `-`, `_` and escapes.

    Any other character, and a dot that comes first, is `=` and the hexadecimal value of each of
    its bytes; an empty text is `=`.  What is longer than 100 characters then is its beginning, `=`
    and a SHA-256, which is longer than any name that is written out.
    """
    data = text.encode("utf-8", "surrogatepass")
    name = _OUTSIDE.sub(lambda found: b"=%02X" % found[0][0], data).decode("ascii") or "="
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_HEAD]}={hashlib.sha256(data).hexdigest()}"


def _folder(fs: FileSystem, path: Path) -> Folder:
    try:
        real = fs.real(path)
        with suppress(FileExistsError):
            fs.make_folder(real)
        return locked(fs, path, real)
    except OSError as error:
        raise StartError(why_not(path, error)) from error
    except ValueError as error:  # a NUL in the name
        raise StartError(f"{str(path)!r}: {error}; choose another folder") from error


def _sum(torn: tuple[int, int], logs: Iterable[Log]) -> tuple[int, int]:
    lines, size = torn
    for log in logs:
        lines, size = lines + log.torn_lines, size + log.torn_bytes
    return lines, size


def check_place(path: Path, *, folder: bool) -> None:
    """See that a log can be opened there, or a folder of logs; nothing is made or locked.

    Raises StartError.
    """
    try:
        if folder and path.exists():
            REAL.folder(path).close()
            _check_writable(path)
            return
        if not folder:
            with suppress(FileNotFoundError):
                REAL.append_to(path).close()
                return
        _check_writable(REAL.real(path).parent)
    except OSError as error:
        raise StartError(why_not(path, error)) from error
    except ValueError as error:  # a NUL in the name
        raise StartError(f"{str(path)!r}: {error}; choose another place") from error


def _check_writable(folder: Path) -> None:
    REAL.folder(folder).close()
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
