"""`--try-files '$uri $uri/ /index.html'`: what a path may stand for, in order.  No twisted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

URI: Final = b"$uri"
_STATUS: Final = re.compile(r"=(4\d\d|5\d\d)")

Names = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Something that may be there: a folder if `is_folder`, or else a file."""

    names: Names
    is_folder: bool


@dataclass(frozen=True, slots=True)
class TryFiles:
    """Patterns of paths; `status` is the answer when none of them is there."""

    patterns: tuple[bytes, ...]
    status: int = 404

    def places(self, names: Sequence[bytes], slash: bool) -> Iterator[Place]:
        """What to look for when these names are asked for, with a slash at the end or without.

        A name that no file can have is put into no pattern.
        """
        path = b"".join(b"/" + name for name in names)
        is_fit = not any(not name or b"/" in name or b"\0" in name for name in names)
        for pattern in self.patterns:
            if URI in pattern:
                if not is_fit:
                    continue
                whole = path + b"/" if slash and pattern.endswith(URI) else path
                pattern = pattern.replace(URI, whole)
            parts = tuple(part for part in pattern.split(b"/") if part)
            yield Place(parts, pattern.endswith(b"/") or not parts)


def parse_try_files(text: str) -> TryFiles:
    """Paths with `$uri` in them, separated by spaces; the last may be `=404`.

    Raises:
        ValueError: a word is neither a path nor, as the last one, a status.
    """
    words = text.split()
    status = 404
    if words and (found := _STATUS.fullmatch(words[-1])):
        status = int(found[1])
        words.pop()
    if not words:
        raise ValueError("there is no path to try")
    for word in words:
        rest = word.replace("$uri", "")
        if not word.startswith(("/", "$uri")) or "$" in rest or "\0" in rest:
            raise ValueError(f"{word!r} is no path that begins with / or $uri")
        if any(part in (".", "..") for part in word.split("/")):
            raise ValueError(f"{word!r} has dots for a folder")
    return TryFiles(tuple(os.fsencode(word) for word in words), status)
