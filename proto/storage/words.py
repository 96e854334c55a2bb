"""A text -> the words by which it is found, the same for every database.  Knows no database."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from proto.errors import PeerError

LONGEST: Final = 64
"""Characters of a word that count."""
MOST: Final = 4096
"""Different words by which one text is found; a longer text is found by its first ones."""
ASKED: Final = 32
"""Words that one search may have."""

_UNSPACED: Final = r"\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
"""Thai, Lao, Khmer, kana and Han, which write no spaces: each of their letters is a word."""
_WORD: Final = re.compile(rf"(?=[{_UNSPACED}])[^\W_]|(?:(?![{_UNSPACED}])[^\W_])+")
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+")


def words(text: str) -> list[str]:
    """The different words of a text, each only letters and digits, without case and accents."""
    found = _ASCII_WORD.findall(text.lower()) if text.isascii() else _WORD.findall(_folded(text))
    short = dict.fromkeys(word[:LONGEST] for word in found)
    return list(short) if len(short) <= MOST else list(short)[:MOST]


def wanted(text: str) -> list[str]:
    """The words of a search.  Raises PeerError where there is none, or too many."""
    found = words(text)
    if not found:
        raise PeerError("Search for what? Letters or digits are needed.")
    if len(found) > ASKED:
        raise PeerError(f"Search for at most {ASKED} words.")
    return found


def _folded(text: str) -> str:
    """Compatible characters are one (NFKD), marks are gone, and so is case."""
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(each for each in spread if unicodedata.category(each)[0] != "M")
