"""How long an answer may be kept, by its media type: `--expires 'image/*=30d'`.  No twisted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_RULE: Final = re.compile(
    r"(\*/\*|[\w.+-]+/(?:\*|[\w.+-]+))=(?:(\d{1,9})([smhdwy]?)|(no-cache|no-store))", re.ASCII
)

Rule = tuple[str, str]


def parse_rule(text: str) -> Rule:
    """A media type or range, and the value of Cache-Control for it.

    Raises:
        ValueError: it is no such rule.
    """
    found = _RULE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no rule")
    kind, amount, unit, word = found.groups()
    if word:
        return kind.lower(), word
    return kind.lower(), f"max-age={int(amount) * _UNITS[unit or 's']}"


class Expires:
    """The rules; the most specific counts, and of two that are alike the later one."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = dict(rules)

    def of(self, content_type: str) -> str:
        """The value of Cache-Control for a Content-Type; empty where no rule says anything."""
        if not self._rules:
            return ""
        kind = content_type.partition(";")[0].strip().lower()
        for name in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
            if name in self._rules:
                return self._rules[name]
        return ""
