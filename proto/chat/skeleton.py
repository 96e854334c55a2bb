"""Which strings look alike: the skeletons of Unicode's UTS 39, section 4.

Two strings are confusable when their skeletons are equal.  The table is the one that the package
confusable-homoglyphs ships, read when it is first needed.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from unicodedata import normalize

_MARK = "\u200e"
"""The left-to-right mark that Unicode's file, and so the package's, wraps right-to-left text in."""


_HIDDEN_DOT = re.compile("(?<=[ij\u0131\u0237\u0456\u0458])\u0307+", re.IGNORECASE)
"""A dot above a letter that has one already: most fonts show one."""


def skeleton(text: str) -> str:
    """The string with every character replaced by the prototype that it looks like."""
    prototypes = _prototypes()
    decomposed = _HIDDEN_DOT.sub("", normalize("NFD", text))
    return normalize("NFD", "".join(prototypes.get(char, char) for char in decomposed))


@cache
def _prototypes() -> dict[str, str]:
    """One character -> the string it looks like.

    The package tells each confusable pair in both directions and drops which one is the
    prototype.  It is found again by shape: a prototype may be longer than one character and may
    have many look-alikes, a source is one character and has one prototype.  Of two characters
    that only look like each other either may stand for both.
    """
    data = resources.files("confusable_homoglyphs").joinpath("confusables.json")
    alike: dict[str, set[str]] = {}
    for char, others in json.loads(data.read_text("utf-8")).items():
        found = alike.setdefault(char.strip(_MARK), set())
        found.update(other["c"].strip(_MARK) for other in others)
    direct = {
        char: prototype
        for char, others in alike.items()
        if len(char) == 1 and len(others) == 1
        for prototype in others
        if len(prototype) > 1 or len(alike[prototype]) > 1 or prototype < char
    }
    return {
        char: "".join(direct.get(part, part) for part in normalize("NFD", prototype))
        for char, prototype in direct.items()
    }
