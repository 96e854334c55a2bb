"""Which files hold one log: the one that grows, and what it was rotated to.  Reads no records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Final

from proto.logfile.filesystem import File, Folder
from proto.logfile.keeping import Name, names_of

GROWING: Final = 10**18
"""The number of the file that grows: above those of all segments."""
_ENDINGS: Final = ("", ".gz", ".zst")


@dataclass(frozen=True, slots=True)
class Segment:
    """One of the files, as it was found."""

    name: str
    """What it is called now."""
    number: int = GROWING
    """Its place among the others, newer ones are greater."""
    packing: str = ""
    """How it is compressed: `.gz`, `.zst` or not at all."""
    ended: float = inf
    """When it was rotated, in seconds since the epoch: none of its lines is from later."""
    began: float = -inf
    """When the one before it was rotated."""

    @property
    def is_growing(self) -> bool:
        return self.number == GROWING

    @property
    def base(self) -> str:
        """What it is called before and after it is compressed; the file that grows, as that."""
        return self.name.removesuffix(self.packing) if self.packing else self.name


def segments_of(folder: Folder, log: str) -> list[Segment]:
    """The files of the log of that name, newest first; the one that grows need not be there.

    Raises:
        OSError: the folder cannot be read.
    """
    # While one is compressed it is there twice; the form that needs no work counts.
    found: dict[int, Name] = {}
    for name in names_of(folder, log):
        if name.ending in _ENDINGS:
            found.setdefault(name.number, name)
    segments, began = [], -inf
    for number, name in found.items():
        segments.append(Segment(name.text, number, name.ending, name.ended, began))
        began = name.ended
    return [Segment(log, began=began), *reversed(segments)]


@contextmanager
def opened(folder: Folder, name: str) -> Iterator[File | None]:
    """The file, to be read; None when it is not there, or no ordinary file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        # Whoever opens a FIFO takes part in it.
        file = folder.read_from(name) if folder.status(name).regular else None
    except FileNotFoundError:
        file = None
    try:
        yield file
    finally:
        if file is not None:
            file.close()
