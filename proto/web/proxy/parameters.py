"""Words such as `weight=3` and `backup` that stand behind a URL: what each may say.  Pure.

Knows no names of its own; those who have such words say what there is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Read = Callable[[str], Any]
"""The value of what stands behind the `=`.  Raises ValueError with what it should have been."""

_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_SECONDS: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|)", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_DAY: Final = 86_400.0


def whole(low: int, high: int) -> Read:
    """A whole number from `low` to `high`."""

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(f"is no whole number from {low} to {high}")
        return int(text)

    return read


def seconds(low: float) -> Read:
    """A time from `low` seconds to a day: `500ms`, `10s`, `5m`, `1h`, or `10` for seconds."""

    def read(text: str) -> float:
        match = _SECONDS.fullmatch(text)
        value = float(match[1]) * _UNITS[match[2]] if match else -1.0
        if not low <= value <= _DAY:
            raise ValueError(f"is no time from {low:g}s to 24h, such as 10s")
        return value

    return read


def read_words(words: Sequence[str], known: Mapping[str, Read | None]) -> dict[str, Any]:
    """The values of the words that are there; one that is known as None stands alone, for True.

    Raises:
        ValueError: a word is unknown, given twice, or says what it may not; the message says why.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        read = known.get(name)
        if name not in known or (read is None) == bool(equals):
            listed = ", ".join(each if how is None else f"{each}=" for each, how in known.items())
            raise ValueError(f"{word!r} is none of {listed}")
        if name in values:
            raise ValueError(f"{name} is given twice")
        try:
            values[name] = True if read is None else read(text)
        except ValueError as error:
            raise ValueError(f"{word} {error}") from error
    return values
