"""Bytes backwards, and text backwards.  Values in, values out."""

from __future__ import annotations

from wcwidth import iter_graphemes


def by_byte(data: bytes) -> bytes:
    """The bytes, last one first."""
    return data[::-1]


def by_character(data: bytes) -> bytes:
    """The characters of UTF-8 text, last one first, each as a reader sees it.

    A character is a grapheme cluster (Unicode Standard Annex 29): an accent stays on its letter, a
    flag or a family stays one picture, CRLF stays a line end.  A byte that is no UTF-8 is a
    character of its own, so no byte is lost or changed.
    """
    characters = list(iter_graphemes(data.decode("utf-8", "surrogateescape")))
    return "".join(reversed(characters)).encode("utf-8", "surrogateescape")
