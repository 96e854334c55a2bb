"""Where a log lives: its folder, the names in it, and how one file takes the place of another.

Each step leaves the folder so that the next start finds every line once: a process may be killed
between any two of them.  Knows no rules and no records.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from proto.errors import StartError
from proto.logfile.filesystem import File, FileSystem, Folder, Status
from proto.logfile.keeping import FRESH, PART, UNSYNCED, names_of, remove, segment_name
from proto.logfile.segment import Segment, remedy, set_tail_aside

# NFS locks a folder only if it is open for writing, and none can be.
_CANNOT_LOCK: Final = frozenset(
    {errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
)
# FAT and some network and user space file systems give a file only one name.
_CANNOT_LINK: Final = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK})
_TRIES: Final = 100

_log: Final = Logger()


def locked(files: FileSystem, path: Path, folder_path: Path) -> Folder:
    """Open the folder of the log `path` for nobody else to write logs into; OSError.

    Raises:
        StartError: somebody does already.
    """
    folder = files.folder(folder_path)
    try:
        folder.lock()
    except BlockingIOError as error:
        folder.close()
        raise StartError(
            f"{path}: another log receiver writes into {folder_path}; stop it, or name a file in"
            " another folder"
        ) from error
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:
            folder.close()
            raise
        _log.warn(
            "{folder} cannot be locked ({why}); see to it that nobody else writes logs there",
            folder=str(folder_path),
            why=error.strerror,
        )
    return folder


class Place:
    """The name of one log in its folder."""

    def __init__(self, folder: Folder, name: str) -> None:
        self.folder = folder
        self.name = name
        self._fresh = name + FRESH
        self.number = 0
        """Of the last segment."""
        self._left = ""
        """A second name of the log that could not be removed."""

    def status(self) -> Status | None:
        """Of whatever bears the name now; None if nothing does; OSError."""
        try:
            return self.folder.status(self.name)
        except FileNotFoundError:
            return None

    def open(self) -> tuple[File, int]:
        """Open the log, made if it is not there, at the end of its last whole line.

        The second result is how many bytes of a torn line were set aside.  Raises OSError; so it
        does for what is no regular file, and for a symbolic link.
        """
        self._drop_second_name()
        try:
            # Without O_CREAT first: with it, fs.protected_fifos and fs.protected_regular refuse
            # a file that is there already, in /tmp, when somebody else owns it.
            file = self.folder.append_to(self.name)
        except FileNotFoundError:
            file = self.folder.create(self.name, exclusive=False)
        try:
            if not file.status().regular:
                raise OSError(errno.EINVAL, "it is no regular file")
            # Always: who made it, or put it in its place, may have been killed before this.
            self.folder.sync()
            return file, set_tail_aside(self.folder, self.name, file)
        except OSError:
            file.close()
            raise

    def tidy(self) -> None:
        """Finish or undo what a killed process left half done; `open` syncs it; OSError.

        A fresh file becomes the log if the log was moved already, and is removed if it was not:
        what it holds is then in the log too.  A second name of the log is removed, and so is a name
        that was only reserved, and what was compressed in part.
        """
        ours = self.status()
        gone = [self._fresh] if self._fresh in self.folder.names() else []
        if gone and ours is None:
            self.folder.rename(self._fresh, self.name)
            gone = []
            ours = self.status()
        names = names_of(self.folder, self.name)
        self.number = max((name.number for name in names), default=0)
        for name in names:
            status = self.folder.status(name.text)
            is_second_name = ours is not None and status.is_same_file(ours)
            is_reserved = name.ending in ("", UNSYNCED) and status.regular and not status.size
            if is_second_name or is_reserved or name.ending.endswith(PART):
                gone.append(name.text)
        remove(self.folder, gone)

    def swap(
        self, ours: Status, now: float, records: bytes = b"", ending: str = ""
    ) -> tuple[File, str]:
        """Put a fresh file in the place of the log, which becomes the segment whose name is told.

        `ours` is the log as it is now and must be synced, unless `records` hold what of it is not:
        they are on the disk in the fresh file before it becomes the log.  On OSError all is as it
        was.
        """
        self._drop_second_name()
        if self._left:
            raise OSError(errno.EIO, f"{self._left} cannot be removed")
        fresh = self._begin(ours)
        try:
            if records:
                Segment(fresh).append(records)
                fresh.sync()
            number, name = self._shelve(ours, now, ending)
            try:
                self.folder.rename(self._fresh, self.name)
                self.folder.sync()
            except OSError:
                self._take_back(name)
                raise
        except OSError:
            self._drop(self._fresh)
            self._sync_after_all()
            fresh.close()
            raise
        self.number = number
        return fresh, name

    def _begin(self, like: Status) -> File:
        try:
            fresh = self.folder.create(self._fresh)
        except FileExistsError:  # it could not be removed last time
            self.folder.unlink(self._fresh)
            fresh = self.folder.create(self._fresh)
        try:
            fresh.take_after(like)
        except OSError:
            self._drop(self._fresh)
            fresh.close()
            raise
        return fresh

    def _shelve(self, ours: Status, now: float, ending: str) -> tuple[int, str]:
        """Give the log the name of a segment that nothing has; on OSError it has none more."""
        others = names_of(self.folder, self.name)
        first = 1 + max([self.number, *(name.number for name in others)])
        for number in range(first, first + _TRIES):
            name_ = segment_name(self.name, now, number, ending)
            try:
                self._name_also(name_)
            except FileExistsError:
                continue
            if not self.folder.status(name_).is_same_file(ours):
                self._take_back(name_)
                raise OSError(errno.ESTALE, "it was moved away just now")
            return number, name_
        raise FileExistsError(errno.EEXIST, "the names of the next segments are taken")

    def _name_also(self, name: str) -> None:
        """Two names for the log at once, or where there are no links the new one only; OSError."""
        try:
            self.folder.link(self.name, name)
        except OSError as error:
            if error.errno not in _CANNOT_LINK:
                raise
            reserved = self.folder.create(name)
            try:
                reserved.close()
                self.folder.rename(self.name, name)
            except OSError:
                self._drop(name)
                raise

    def _take_back(self, name: str) -> None:
        """Let the log have only its old name again.

        If that fails the log is found moved when it is tended next.
        """
        try:
            # Nothing happens if both are names of one file (rename(2)).
            self.folder.rename(name, self.name)
        except OSError as error:
            self._say(error)
        self._left = name
        self._drop_second_name()

    def _drop_second_name(self) -> None:
        """Before the log gets another name, for from then on there would be two copies of it."""
        if not self._left:
            return
        try:
            # The only name is no second one: then the log did not get its old name back.
            if self.folder.status(self._left).links > 1:
                self.folder.unlink(self._left)
        except FileNotFoundError:
            pass
        except OSError as error:
            self._say(error)
            return
        self._left = ""

    def _sync_after_all(self) -> None:
        # Else a power cut might end the log where its next line has just begun.
        try:
            self.folder.sync()
        except OSError as error:
            self._say(error)

    def _drop(self, name: str) -> None:
        try:
            remove(self.folder, [name])
        except OSError as error:
            self._say(error)

    def _say(self, error: OSError) -> None:
        _log.error(
            "{folder}/{name} could not be put back as it was: {why}",
            folder=str(self.folder.path),
            name=self.name,
            why=remedy(error),
        )
