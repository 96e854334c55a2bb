"""Which of the forms that we can give the peer likes most (Accept, RFC 9110 section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_QUALITY: Final = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def best(header: str, offers: Sequence[str]) -> str:
    """The offered media type that the header likes most; the first one when in doubt.

    Nothing is ever refused as not acceptable: a page in another form is better than none.
    """
    wanted = [_media_range(item) for item in header.split(",")]

    def liking(offer: str) -> float:
        kind = offer.partition("/")[0]
        for name in (offer, f"{kind}/*", "*/*"):  # the most specific range counts
            found = [quality for media, quality in wanted if media == name]
            if found:
                return max(found)
        return 0.0

    return max(offers, key=liking)  # max() keeps the first of equals


def _media_range(item: str) -> tuple[str, float]:
    media, *parameters = (part.strip(" \t").lower() for part in item.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.rstrip() == "q":
            return media, float(value) if _QUALITY.fullmatch(value) else 0.0
    return media, 1.0
