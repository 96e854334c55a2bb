"""A log in a folder, rotated and compressed as the writer does it; what it holds is known."""

from __future__ import annotations

import gzip
import importlib
from pathlib import Path

from proto.logfile.filesystem import REAL
from proto.logfile.keeping import segment_name
from proto.weblog.cursor import decode
from proto.weblog.finding import Wanted
from proto.weblog.looking import Answer, Effort, Looking, Memory
from proto.weblog.reading import Stamp
from tests.system.programs import DEADLINE

BEGAN = 1_700_000_000.0
"""When the first segment is ended; each next one is ended a minute later."""


class Files:
    """The log and its segments."""

    def __init__(self, folder: Path, stamp: Stamp | None = None) -> None:
        self.folder = folder
        self.path = folder / "log.txt"
        self.path.write_bytes(b"")
        self.lines: list[bytes] = []
        self.looking = Looking(lambda: REAL.folder(folder), "log.txt", stamp, Memory())
        self.segments: list[str] = []

    def write(self, *lines: bytes) -> None:
        with self.path.open("ab") as file:
            file.writelines(line + b"\n" for line in lines)
        self.lines += lines

    def rotate(self) -> str:
        """The file that grows becomes a segment; the result is its name."""
        number = len(self.segments)
        name = segment_name("log.txt", BEGAN + 60 * number, number + 1)
        self.segments.append(name)
        self.path.rename(self.folder / name)
        self.path.write_bytes(b"")
        return name

    def compress(self, name: str, ending: str = ".gz") -> None:
        """A segment is made smaller, if it was not yet."""
        path = self.folder / name
        if not path.exists():
            return
        text = path.read_bytes()
        packed = (
            gzip.compress(text)
            if ending == ".gz"
            else importlib.import_module("zstandard").compress(text)
        )
        (self.folder / (name + ending)).write_bytes(packed)
        path.unlink()

    def look(
        self, wanted: Wanted, cursor: str | None = None, effort: Effort | None = None
    ) -> Answer:
        """One answer; whatever the machine does meanwhile, its seconds do not run out."""
        place = decode(cursor) if cursor else None
        return self.looking.look(wanted, place, effort or Effort(seconds=DEADLINE))

    def texts(self, wanted: Wanted) -> list[str]:
        """The lines of one answer."""
        return [line["text"] for line in self.look(wanted).lines]
