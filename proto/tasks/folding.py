"""A text without its case, so that every database finds and sorts it alike.  Knows no database."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """Full case folding; a letter and its mark are one character where there is such a one.

    Unicode's canonical caseless matching (The Unicode Standard, D145), composed afterwards.
    """
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFC", apart)
