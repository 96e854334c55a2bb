"""A path and everything below it, whatever way a request spells it.  No twisted, no request.

It covers rather too much than too little: empty segments (`//private`), an encoded slash
(`/private%2fx`), a backslash, parameters (`/private;x`), dots and blanks at the end of a segment,
case and the two ways to write an accented letter make no difference.  So whatever stands behind it,
a file system that ignores case, somebody's own resources or another server, cannot be reached by a
second name of the same path.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from proto.web.target import BadTarget, parse_target

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """`/private`: that path and all below it; `/` covers everything."""

    text: str
    parts: Parts

    @classmethod
    def parse(cls, text: str) -> Prefix:
        """A path as it stands in a URL.  Raises ValueError with the reason."""
        if not text.startswith("/"):
            raise ValueError(f"{text!r} does not begin with a slash")
        try:
            target = parse_target(text.encode("utf-8", "surrogateescape"))
        except BadTarget as bad:
            raise ValueError(f"{text!r}: {bad}") from bad
        if target.query or text.endswith("?"):
            raise ValueError(f"{text!r} has a query; write a question mark as %3F")
        return cls(text, parts_of(target.segments))

    def covers(self, parts: Parts) -> bool:
        """Whether a path, as `parts_of` gives it, is this one or below it."""
        return parts[: len(self.parts)] == self.parts


def parts_of(segments: Sequence[bytes]) -> Parts:
    """The decoded segments of a path in the one form in which prefixes are compared."""
    whole = b"/".join(segments).decode("utf-8", "surrogateescape")
    if not whole.isascii():
        # Folding may undo a normal form: this is the Unicode standard's caseless matching (D145).
        whole = unicodedata.normalize("NFD", unicodedata.normalize("NFD", whole).casefold())
    names = whole.casefold().replace("\\", "/").split("/")
    return tuple(filter(None, (name.partition(";")[0].rstrip(". ") for name in names)))
