"""What an operation of an API is: one declaration for who answers it and for who reads about it.

No request and no answer is known here; `resource` obeys the declarations, `openapi` tells them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from proto.web.patterns import PathTemplate, Value
from proto.web.response import JSON

MERGE_PATCH: Final = "application/merge-patch+json"
"""RFC 7396: what is not named stays as it is."""
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Match = Literal["no", "read", "may", "must"]
"""What an operation makes of preconditions: nothing, an answer 304, or a change that may, or has
to, name the version that it is meant for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that an operation may give when nothing is wrong."""

    status: int
    says: str
    shape: Any = None
    """The type of its JSON body; None where it has no body, or none that is JSON."""
    kind: str = JSON
    headers: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    """Operations that take the `id` of this body."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A method and a path template, what is taken there, and what is answered."""

    name: str
    method: str
    path: str
    tag: str
    summary: str
    replies: tuple[Reply, ...]
    says: str = ""
    query: Any = None
    """A Struct whose fields are the parameters of the query."""
    body: Any = None
    """The type of the JSON body; None where none is taken."""
    kinds: tuple[str, ...] = (JSON,)
    """Media types that the body may have."""
    match: Match = "no"
    refusals: tuple[int, ...] = ()
    """Statuses that it refuses with besides those that follow from the rest."""

    @property
    def is_safe(self) -> bool:
        """It changes nothing."""
        return self.method in SAFE

    @property
    def has_id(self) -> bool:
        """A segment of the path names one of many."""
        return "<" in self.path


def refusals_of(operation: Operation, *, tokens: bool) -> tuple[int, ...]:
    """Every status that the operation may refuse with, smallest first."""
    found = {406, 500, 503, *operation.refusals}
    if tokens:
        found |= {401, 429}
    if not operation.is_safe:
        found.add(403)
    if operation.query is not None:
        found |= {400, 422}
    if operation.body is not None:
        found |= {400, 413, 415, 422}
    if operation.has_id:
        found.add(404)
    if operation.match in ("may", "must"):
        found.add(412)
    if operation.match == "must":
        found.add(428)
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Place:
    """A path that something answers for: what its segments hold, and what can be done there."""

    values: Mapping[str, Value]
    operations: Mapping[str, Operation]
    """By method; HEAD is there where GET is."""

    @property
    def allowed(self) -> tuple[str, ...]:
        """The methods, as Allow lists them."""
        return (*self.operations, "OPTIONS")


class Places:
    """Finds the operations of a path."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        found: dict[str, dict[str, Operation]] = {}
        for each in operations:
            methods = found.setdefault(each.path, {})
            if each.method in methods:
                raise ValueError(f"{each.method} {each.path} is declared twice")
            methods[each.method] = each
            if each.method == "GET":
                methods["HEAD"] = each
        self._places = [(PathTemplate(path), methods) for path, methods in found.items()]

    def find(self, segments: Sequence[bytes]) -> Place | None:
        """What is at the path with these decoded segments."""
        for template, methods in self._places:
            values = template.match(segments)
            if values is not None:
                return Place(values, methods)
        return None
