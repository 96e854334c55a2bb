"""Which file a path stands for: itself, an index, a name with another extension, or a fallback.

Asks the file system, and so may wait for a disk.  Knows nothing of requests, and not what is sent.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from proto.web.cached import NotInMemory
from proto.web.files import Absent, Forbidden, Opened, Root
from proto.web.tryfiles import Names, TryFiles

INDEX_NAMES: Final = ("index.html", "index.htm")
ANY_EXTENSION: Final = b"*"


class What(enum.Enum):
    """What was found."""

    FILE = "a regular file"
    FOLDER = "a folder that has no index"
    BARE = "a folder, asked for without the slash at its end"


@dataclass(frozen=True, slots=True)
class Found:
    """What a path stands for, opened; who gets it closes it."""

    what: What
    opened: Opened
    names: Names


class NotThere(Exception):
    """None of the paths that were to be tried is there; `status` is what to answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Choosing:
    """How a path is understood below one root.

    `index` names are tried in a folder; `ignore_ext` are extensions with their dot that may be
    left out, `*` for any; `try_files` replaces the path by what is there of its patterns.
    """

    def __init__(
        self,
        root: Root,
        *,
        index: Sequence[str] = INDEX_NAMES,
        ignore_ext: Sequence[str] = (),
        try_files: TryFiles | None = None,
    ) -> None:
        self._root = root
        self._index = tuple(map(os.fsencode, index))
        self._ignore_ext = tuple(map(os.fsencode, ignore_ext))
        self._try_files = try_files

    def find(self, names: Names, slash: bool, *, at_once: bool = False) -> Found:
        """Open what these names, with a slash at the end or without, stand for.

        Raises:
            Absent, Forbidden, Exhausted, NotThere: there is nothing to show.
            NotInMemory: `at_once` was asked for, and the disk has to be asked.
            OSError: the disk failed.
        """
        if self._try_files is None:
            opened, names = self._open_or_extend(names, at_once)
            return self._settle(opened, names, slash, at_once)
        for place in self._try_files.places(names, slash):
            try:
                opened = self._root.open(place.names, at_once=at_once)
            except Absent:
                continue
            if opened.is_folder == place.is_folder:
                # A fallback is no address of its own, so it is never redirected to.
                fits = slash or place.names != names
                return self._settle(opened, place.names, place.is_folder and fits, at_once)
            opened.close()
        raise NotThere(self._try_files.status)

    def _settle(self, opened: Opened, names: Names, slash: bool, at_once: bool) -> Found:
        if opened.is_file:
            if slash:
                opened.close()
                raise Absent
            return Found(What.FILE, opened, names)
        if not slash:
            return Found(What.BARE, opened, names)
        try:
            index = self._index_of(names, at_once)
        except BaseException:
            opened.close()
            raise
        if index is None:
            return Found(What.FOLDER, opened, names)
        opened.close()
        return index

    def _index_of(self, names: Names, at_once: bool) -> Found | None:
        for name in self._index:
            try:
                index = self._root.open((*names, name), at_once=at_once)
            except Absent:
                continue
            if index.is_file:
                return Found(What.FILE, index, (*names, name))
            index.close()
        return None

    def _open_or_extend(self, names: Names, at_once: bool) -> tuple[Opened, Names]:
        """Open what the names say, or else what they may stand for."""
        try:
            return self._root.open(names, at_once=at_once), names
        except Absent:
            if not names or not self._ignore_ext:
                raise
        for extended in self._extended(names, at_once):
            with suppress(Absent, Forbidden):
                return self._root.open(extended, at_once=at_once), extended
        raise Absent

    def _extended(self, names: Names, at_once: bool) -> Iterator[Names]:
        *folder, stem = names
        for extension in self._ignore_ext:
            if extension != ANY_EXTENSION:
                yield *folder, stem + extension
                continue
            if at_once:
                raise NotInMemory  # a folder is not read without asking the disk
            with self._root.open(tuple(folder)) as opened:
                found = self._root.names(opened) if opened.is_folder else []
            for name in found:
                if name.startswith(stem + b"."):
                    yield *folder, name
