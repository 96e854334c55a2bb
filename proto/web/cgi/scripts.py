"""Which script a path stands for, below one folder.  Asks the file system, and so may wait for it.

Nothing outside the folder is found, and nothing is listed.  Knows no requests and runs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proto.web.files import Absent, Exhausted, Forbidden, Opened, Root
from proto.web.response import HTTPError

UNPARSED: Final = b"nph-"
"""So begin the names of scripts that speak HTTP themselves (RFC 3875 section 5); none is run."""
_MAY_RUN: Final = 0o111


@dataclass(frozen=True, slots=True)
class Script:
    """A file that is run."""

    path: bytes
    names: tuple[bytes, ...]
    """Where it stands below its folder."""
    path_info: bytes | None
    """What follows its name in the path, decoded; None when nothing does."""

    @property
    def folder(self) -> bytes:
        """Where it is run."""
        return os.path.dirname(self.path)


class Scripts:
    """The scripts of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = os.fsencode(os.path.abspath(folder))
        self._root = Root(folder)

    def find(self, names: Sequence[bytes]) -> Script:
        """The script that the first of these names lead to; the others are its path's rest.

        Raises:
            HTTPError: 404 when there is none that may be asked for, 403 when it may not be run,
                503 when no descriptor is left.
            OSError: the disk failed.
        """
        # In PATH_INFO nobody could tell an encoded slash from another one.
        if any(b"/" in name for name in names):
            raise HTTPError(404)
        try:
            return self._walk(tuple(names))
        except Absent:
            raise HTTPError(404) from None
        except Forbidden:
            raise HTTPError(403, "The server may not read this program.") from None
        except Exhausted:
            again = [("Retry-After", "5")]
            raise HTTPError(503, "Too much is open here just now.", again) from None

    def _walk(self, names: tuple[bytes, ...]) -> Script:
        for count in range(1, len(names) + 1):
            with self._root.open(names[:count]) as opened:
                if opened.is_folder:
                    continue
                self._check(opened, names[count - 1])
            rest = names[count:]
            return Script(
                os.path.join(self.folder, *names[:count]),
                names[:count],
                b"".join(b"/" + name for name in rest) if rest else None,
            )
        raise Absent

    def _check(self, opened: Opened, name: bytes) -> None:
        if name.lower().startswith(UNPARSED):
            raise Absent
        if not opened.status.st_mode & _MAY_RUN:
            raise HTTPError(403, "This file is no program: it is not executable.")
