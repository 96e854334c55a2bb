"""Several folders in one tree: `--alias /media=DIR` beside `--path`, the longest prefix wins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from twisted.web.resource import Resource

from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.static import Files
from proto.web.tryfiles import Names

T = TypeVar("T")


class Prefixes(Generic[T]):
    """Values by the segments with which an address begins."""

    def __init__(self, values: Iterable[tuple[Names, T]]) -> None:
        self._values = sorted(values, key=lambda pair: len(pair[0]), reverse=True)

    def find(self, segments: Names) -> tuple[Names, T] | None:
        """The longest prefix of these segments, and its value."""
        for prefix, value in self._values:
            if segments[: len(prefix)] == prefix:
                return prefix, value
        return None


class Aliases(Resource):
    """Gives a request to the files whose prefix it begins with."""

    isLeaf = True

    def __init__(self, folders: Iterable[Files]) -> None:
        super().__init__()
        self._folders = Prefixes((files.base, files) for files in folders)

    def body_limit(self, request: WebRequest) -> int | None:
        """The bytes of a body that brings files; None for others.  Raises HTTPError."""
        found = self._folders.find(request.target.segments)
        return None if found is None else found[1].body_limit(request)

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        found = self._folders.find(request.target.segments)
        if found is None:
            raise HTTPError(404)
        return found[1].render(request)
