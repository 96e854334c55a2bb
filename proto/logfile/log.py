"""One log: the file that grows, and the segments it was.  Knows no peers and no lines' contents.

Used by one thread.  What it cannot do now it says once, and tries again; records that are not on
the disk are never given up, but the caller is told.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from proto.errors import StartError
from proto.logfile.compressing import Compressor
from proto.logfile.filesystem import REAL, FileSystem, Folder, Status
from proto.logfile.folder import Place, locked
from proto.logfile.keeping import TORN, UNSYNCED, Rules, prune
from proto.logfile.segment import Segment, remedy, why_not

RETRY_SECONDS: Final = 5.0
"""After a rotation failed."""

_ROTATE: Final = "begin a new file"
_REOPEN: Final = "open the file of that name, for the old one was moved or removed"
_PRUNE: Final = "remove old segments"


class Log:
    """Records appended to one file, whole and in order, through all that happens to that file."""

    log = Logger()

    def __init__(
        self,
        path: Path,
        segment: Segment,
        rules: Rules,
        place: Place | None,
        *,
        now: Callable[[], float] = time.time,
        compressor: Compressor | None = None,
    ) -> None:
        """Without a `place` it is a FIFO or a device: never synced, rotated or moved."""
        self.path = path
        self.torn_lines = 0
        self.torn_bytes = 0
        self._segment = segment
        self._rules = rules
        self._place = place
        self._now = now
        self._compressor = compressor
        self._ours: Status | None = None
        self._remembered: list[bytes] = []
        self._dirty = False
        """Whether something was given since the last good sync."""
        self._bad = False
        """Whether a sync of this file failed: never again, for the next one would say all is well
        while the kernel has dropped what it could not write (fsync(2), fsyncgate)."""
        self._homeless = False
        """Whether the file has no name and there is no other: what is written is gone with us."""
        self._period = 0
        self._asked = False
        self._failed_at: float | None = None
        self._uncompressed = compressor is not None
        self._told: dict[str, int] = {}
        self._belongings: list[Callable[[], object]] = []

    @classmethod
    def open(
        cls,
        path: Path,
        rules: Rules,
        fs: FileSystem = REAL,
        *,
        now: Callable[[], float] = time.time,
    ) -> Log:
        """Append to `path`, made if it is not there; a `StartError` says why that cannot be.

        Symbolic links are followed once, here: the segments lie beside the file itself.
        """
        try:
            return cls._open(path, rules, fs, now)
        except OSError as error:
            raise StartError(why_not(path, error)) from error
        except ValueError as error:  # a NUL in the name
            raise StartError(f"{str(path)!r}: {error}; choose another file") from error

    @classmethod
    def _open(cls, path: Path, rules: Rules, fs: FileSystem, now: Callable[[], float]) -> Log:
        compressor = Compressor(rules.compress) if rules.compress else None
        real = fs.real(path)
        there: Status | None = None
        with suppress(FileNotFoundError):
            file = fs.append_to(path)
            there = file.status()
            if not there.regular:
                return cls(path, Segment(file), rules, None, now=now)
            file.close()
        folder = locked(fs, path, real.parent)
        try:
            named = Place(folder, real.name).status()
            if there and not (named and named.is_same_file(there)):  # /dev/stdout can be so
                raise StartError(f"{path}: the file has no name any more; choose another file")
            log = cls.inside(folder, real.name, rules, path=path, now=now, compressor=compressor)
        except (OSError, StartError):
            folder.close()
            raise
        log._belongings = [compressor.close, folder.close] if compressor else [folder.close]
        return log

    @classmethod
    def inside(
        cls,
        folder: Folder,
        name: str,
        rules: Rules,
        *,
        path: Path | None = None,
        now: Callable[[], float] = time.time,
        compressor: Compressor | None = None,
    ) -> Log:
        """Append to a file in a folder that is locked, made if it is not there.

        Raises:
            OSError: it cannot be opened, or is a symbolic link or no regular file.
        """
        place = Place(folder, name)
        place.tidy()
        file, torn = place.open()
        log = cls(
            path or folder.path / name,
            Segment(file, inherited=True),
            rules,
            place,
            now=now,
            compressor=compressor,
        )
        log._move_into(file.status(), torn)
        log._dirty = True  # who wrote to it before may have been killed before a sync
        log._prune(place)
        return log

    @property
    def unwritten(self) -> bytes:
        """The records that the file does not have, or has only in part; they begin at a line."""
        return self._segment.unwritten

    def write(self, records: bytes) -> None:
        """Write what is held and then `records`; on OSError what was not written is held."""
        if records:
            self._dirty = True
            if self._rules.retains and self._place is not None:
                self._remembered.append(records)
        if self._homeless and self._place is not None:
            self._segment.hold(records)
            records = b""
            self._reopen(self._place)
        self._segment.append(records)

    def sync(self) -> None:
        """Wait until all that was ever given to `write` is on the disk.

        OSError if that cannot be now; after it nothing is lost, and this may be called again.  If
        the disk dropped something, what was not synced is written to a fresh file, and the old one
        is left aside as NAME.<UTC>.<number>.unsynced.
        """
        if self._homeless or not self._segment.is_whole:
            self.write(b"")
        if self._place is None or not self._dirty:
            return
        if not self._bad:
            with suppress(OSError):  # it was said, and there is another way
                self._sync_file()
                self._settle()
                return
        self._replace(self._place)
        self._settle()

    def tend(self) -> None:
        """Look whether the file was moved or removed, and whether a new one is due; both are done.

        To be called before each batch.  What fails is said once, and the old file goes on.
        """
        if self._place is None:
            return
        doing = _REOPEN
        try:
            status = self._place.status()
            if not self._is_ours(status):
                self._reopen(self._place)
            elif status is not None and self._is_due(status):
                doing = _ROTATE
                self._rotate(self._place)
        except OSError as error:
            self._say(doing, error)
        else:
            self._say(_REOPEN, None)
            if self._failed_at is None:
                self._say(_ROTATE, None)
        if self._uncompressed and self._compressor is not None:
            self._uncompressed = False
            self._compressor.put(self._place.folder, self._place.name, self._place.number)

    def rotate(self) -> None:
        """As `tend`, but a file that holds anything is ended now, or as soon as that can be."""
        self._asked = True
        self._failed_at = None
        self.tend()

    def close(self) -> None:
        """Close the file, without a sync; what is still `unwritten` stays for the caller to see.

        Raises:
            OSError: a network file system tells only now that an earlier write failed.
        """
        belongings, self._belongings = self._belongings, []
        try:
            self._segment.close()
        finally:
            for close in belongings:
                close()

    def _is_ours(self, status: Status | None) -> bool:
        return status is not None and self._ours is not None and status.is_same_file(self._ours)

    def _is_due(self, status: Status) -> bool:
        if not status.size:
            self._period = self._period_of(self._now())
            self._asked = False
        if not status.size or not self._segment.is_whole:
            return False
        if self._failed_at is not None and abs(self._now() - self._failed_at) < RETRY_SECONDS:
            return False
        large = self._rules.rotate_bytes is not None and status.size >= self._rules.rotate_bytes
        return self._asked or large or self._period_of(self._now()) > self._period

    def _period_of(self, seconds: float) -> int:
        return int(seconds // self._rules.rotate_seconds) if self._rules.rotate_seconds else 0

    def _rotate(self, place: Place) -> None:
        self._failed_at = self._now()
        before = self._segment
        self.sync()
        if self._segment is before:
            self._swap(place, b"", "")
        self._failed_at = None
        self._prune(place)

    def _replace(self, place: Place) -> None:
        """Have all that is not synced in another file, and that one synced; OSError."""
        if not self._is_ours(place.status()):
            self._reopen(place)
            self._segment.append(b"")
            self._sync_file()
            return
        name = self._swap(place, b"".join(self._remembered), UNSYNCED)
        self.log.error(
            "{path}: what was not on the disk yet is in a fresh file now; the old one is {name}."
            " Look at dmesg and at that file, and remove it when nothing in it is needed",
            path=str(self.path),
            name=name,
        )

    def _swap(self, place: Place, records: bytes, ending: str) -> str:
        status = place.status()
        if status is None or not self._is_ours(status):
            raise OSError(errno.ESTALE, "it was moved or removed just now")
        file, name = place.swap(status, self._now(), records, ending)
        self._uncompressed = True
        self._go_on_in(Segment(file), file.status())
        return name

    def _reopen(self, place: Place) -> None:
        """Go on in the file that bears our name now, made if there is none; OSError."""
        carried = self._carried()
        try:
            try:
                file, torn = place.open()
            except FileNotFoundError:  # the folder was removed too, and may be there again
                place.folder.renew()
                file, torn = place.open()
        except OSError:
            self._homeless = self._segment.is_removed()
            raise
        self._go_on_in(Segment(file, carried, inherited=True), file.status(), torn)
        self._remembered = [carried] if carried and self._rules.retains else []
        self._asked = False
        self.log.info("{path} was moved or removed; going on in a new file", path=str(self.path))
        with suppress(OSError):  # it is held, and the next write says why
            self._segment.append(b"")

    def _carried(self) -> bytes:
        """What has to be written to the next file, for this one does not have it for certain."""
        old = self._segment
        removed = old.is_removed()
        if self._dirty and not removed and not self._bad:
            with suppress(OSError):  # it was said, and what it may have lost is carried
                self._sync_file()
                self._settle()
        if (removed or self._bad) and self._rules.retains:
            return b"".join(self._remembered)
        with suppress(OSError):  # then half a record stays in a file that is not ours any more
            old.cut_begun()
        return old.unwritten

    def _go_on_in(self, segment: Segment, status: Status, torn: int = 0) -> None:
        old, self._segment = self._segment, segment
        self._bad = self._homeless = False
        self._asked = False
        self._failed_at = None
        self._move_into(status, torn)
        try:
            old.close()
        except OSError as error:
            # All of it was synced or is in the new file.
            self.log.error("{path}: closing: {why}", path=str(self.path), why=remedy(error))

    def _move_into(self, status: Status, torn: int) -> None:
        self._ours = status
        self._period = self._period_of(status.modified if status.size else self._now())
        if torn:
            self.torn_lines += 1
            self.torn_bytes += torn
            self.log.warn(
                "{path} ended in half a line; its {bytes} bytes are in {torn} now",
                path=str(self.path),
                bytes=torn,
                torn=f"{self.path}{TORN}",
            )

    def _settle(self) -> None:
        left = self._segment.unwritten
        self._remembered = [left] if left and self._rules.retains else []
        self._dirty = bool(left)

    def _sync_file(self) -> None:
        try:
            self._segment.sync()
        except OSError as error:
            self._bad = True
            self.log.error("{path} was not synced: {why}", path=str(self.path), why=remedy(error))
            if not self._rules.retains:
                self.log.error(
                    "{path}: what came since the last sync may be lost, for nothing else has it",
                    path=str(self.path),
                )
            raise

    def _prune(self, place: Place) -> None:
        try:
            prune(place.folder, place.name, self._rules, self._now())
        except OSError as error:
            self._say(_PRUNE, error)
        else:
            self._say(_PRUNE, None)

    def _say(self, doing: str, error: OSError | None) -> None:
        """Say what cannot be done, and that it can be again; each once."""
        number = 0 if error is None else error.errno or -1
        if number == self._told.get(doing, 0):
            return
        self._told[doing] = number
        if error is None:
            self.log.info("{path}: can {doing} again", path=str(self.path), doing=doing)
        else:
            self.log.error(
                "{path}: cannot {doing}: {why}",
                path=str(self.path),
                doing=doing,
                why=remedy(error),
            )
