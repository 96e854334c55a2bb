"""Which bytes stand for a file in one answer, and what its head says of them.

A `Representation` is a value that holds no descriptor: whoever keeps an answer keeps it together
with this, and the answer is still right as long as the files have the same versions.
Asks the file system for what lies beside a file; knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from proto.web.conditional import Validators, validators_of
from proto.web.dates import http_date
from proto.web.encodings import (
    EXTENSIONS,
    IDENTITY,
    Maker,
    choose_coding,
    find_makers,
    is_packed,
    is_worth_making,
)
from proto.web.expires import Expires
from proto.web.files import Absent, Forbidden, Opened, Root, Version
from proto.web.mime import MediaTypes
from proto.web.tryfiles import Names

_SECOND: Final = 1_000_000_000


class NotAcceptable(Exception):
    """The request refuses every coding that there is (406)."""


@dataclass(frozen=True, slots=True)
class Representation:
    """What is sent for the file `names` at its version `source`.

    `beside` is the version of the file that has the coding already; without it a coding other than
    IDENTITY is made of the source.  `variant` is what the tag says of the coding.
    """

    names: Names
    source: Version
    content_type: str
    coding: str = IDENTITY
    beside: Version | None = None
    variant: str = ""
    varies: bool = False
    cache_control: str = ""

    @property
    def place(self) -> bytes:
        """What may hang together: the folder or file of the root in which it is."""
        return self.names[0]

    @property
    def is_made(self) -> bool:
        """Whether the bytes are those of no file."""
        return self.coding != IDENTITY and self.beside is None

    def validators(self, now: float) -> Validators:
        """The entity tag and the date of these bytes."""
        version = self.beside or self.source
        return validators_of(version.size, version.mtime_ns, version.inode, now, self.variant)

    def fields(self, have: Validators) -> list[tuple[str, str]]:
        """What the head says in a 200, a 206 and a 304 alike; `have` are its validators now."""
        told = [
            ("ETag", have.etag),
            ("Last-Modified", http_date(have.modified)),
            ("Accept-Ranges", "bytes"),
        ]
        if self.varies:
            told.append(("Vary", "Accept-Encoding"))
        if self.cache_control:
            told.append(("Cache-Control", self.cache_control))
        return told


@dataclass(frozen=True, slots=True)
class Selected:
    """A representation and the open file that its bytes come from; who gets it closes it."""

    representation: Representation
    file: Opened


class Selecting:
    """How one of a file's representations is selected."""

    def __init__(
        self,
        root: Root,
        types: MediaTypes,
        expires: Expires | None = None,
        makers: Mapping[str, Maker] | None = None,
    ) -> None:
        """`makers` are the codings that are made; None stands for all that can be."""
        self._root = root
        self._types = types
        self._expires = expires or Expires()
        self._makers = find_makers() if makers is None else makers

    def type_of(self, names: Names) -> str:
        """The Content-Type of a file."""
        return self._types.of(names[-1])

    def select(
        self, file: Opened, names: Names, accept_encoding: str, *, at_once: bool = False
    ) -> Selected:
        """Select what the request likes best; takes over the file, and closes it on failure.

        Raises:
            NotAcceptable: it likes nothing.
            NotInMemory: `at_once` was asked for, and the disk has to be asked.
            OSError, Exhausted: it cannot be looked beside the file.
        """
        beside: dict[str, Opened] = {}
        chosen = file
        try:
            kind = self.type_of(names)
            if not is_packed(kind):
                self._look_beside(file, names, at_once, beside)
            made = self._makers if is_worth_making(kind, file.status.st_size) else {}
            offers = [*beside, *(coding for coding in made if coding not in beside)]
            coding = choose_coding(accept_encoding, offers)
            if coding is None:
                raise NotAcceptable
            chosen = beside.get(coding, file)
            return Selected(self._describe(names, kind, coding, file, chosen, bool(offers)), chosen)
        except BaseException:
            chosen = file
            file.close()
            raise
        finally:
            for opened in (file, *beside.values()):
                if opened is not chosen:
                    opened.close()

    def _describe(
        self, names: Names, kind: str, coding: str, file: Opened, chosen: Opened, varies: bool
    ) -> Representation:
        variant = "" if coding == IDENTITY else f"-{coding}"
        beside = None if chosen is file else chosen.version
        if coding != IDENTITY and beside is None:
            variant += self._makers[coding].stamp
        return Representation(
            names,
            file.version,
            kind,
            coding,
            beside,
            variant,
            varies,
            self._expires.of(kind),
        )

    def _look_beside(
        self, file: Opened, names: Names, at_once: bool, beside: dict[str, Opened]
    ) -> None:
        """Open those that are no older than the file: an older one is of what it was before."""
        *folder, name = names
        changed = file.status.st_mtime_ns // _SECOND
        for coding, extension in EXTENSIONS.items():
            try:
                found = self._root.open((*folder, name + extension), at_once=at_once)
            except (Absent, Forbidden):
                continue
            if found.is_file and found.status.st_mtime_ns // _SECOND >= changed:
                beside[coding] = found
            else:
                found.close()
