"""Path templates: `/api/v1/tasks/<int:id>` against the decoded segments of a path."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Value = str | int

_PARAMETER: Final = re.compile(r"<(?:(?P<kind>[a-z]+):)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)>")
_INTEGER: Final = re.compile(rb"[0-9]{1,18}")


def _whole_number(segment: bytes) -> int | None:
    return int(segment) if _INTEGER.fullmatch(segment) else None


def _text(segment: bytes) -> str | None:
    try:
        return segment.decode("utf-8") or None
    except UnicodeDecodeError:
        return None


_KINDS: Final[dict[str, Callable[[bytes], Value | None]]] = {"str": _text, "int": _whole_number}


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    read: Callable[[bytes], Value | None]


class PathTemplate:
    """`/hello/<name>`: fixed segments, and named ones that hold text or, as `<int:id>`, a number.

    A named segment is never empty; text is UTF-8, a number has at most 18 digits.
    """

    def __init__(self, template: str) -> None:
        if not template.startswith("/"):
            raise ValueError(f"the path template {template!r} must begin with a slash")
        self._parts = [_part(segment, template) for segment in template[1:].split("/")]
        self.names = [part.name for part in self._parts if isinstance(part, _Parameter)]
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"a name occurs twice in the path template {template!r}")

    def match(self, segments: Sequence[bytes]) -> dict[str, Value] | None:
        """The named segments of a path, or None if it is another path."""
        if len(segments) != len(self._parts):
            return None
        values: dict[str, Value] = {}
        for part, segment in zip(self._parts, segments, strict=True):
            if isinstance(part, _Parameter):
                value = part.read(segment)
                if value is None:
                    return None
                values[part.name] = value
            elif part != segment:
                return None
        return values


def _part(segment: str, template: str) -> bytes | _Parameter:
    found = _PARAMETER.fullmatch(segment)
    if found is not None:
        kind = found["kind"] or "str"
        if kind not in _KINDS:
            raise ValueError(f"{kind!r} in {template!r} is none of {', '.join(_KINDS)}")
        return _Parameter(found["name"], _KINDS[kind])
    if "<" in segment or ">" in segment:
        raise ValueError(f"{segment!r} in {template!r} is neither fixed nor <name> nor <int:name>")
    return segment.encode("utf-8")
