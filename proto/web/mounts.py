"""What answers for a path and for all that is below it: programs, other servers, folders.

A handler answers one path; a mounted resource sees the rest of the path in `request.postpath`.  Of
several the longest path wins.  Knows nothing of what is mounted.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.web.resource import IResource

from proto.web.request import WebRequest
from proto.web.target import BadTarget, parse_target
from proto.web.tryfiles import Names


@dataclass(frozen=True, slots=True)
class Mount:
    """A resource, a leaf, and where it stands: `(b"app",)` for `/app` and all below it."""

    names: Names
    resource: IResource
    max_body: int | None
    """Bytes of a body that it reads as it comes, 0: as many as the site takes.  None: it is called
    when the body is whole."""


class Mounts:
    """The mounted resources of a tree, the longest paths first."""

    def __init__(self) -> None:
        self._mounts: list[Mount] = []

    def __bool__(self) -> bool:
        return bool(self._mounts)

    @property
    def takes_all(self) -> bool:
        """Something is mounted at `/`."""
        return bool(self._mounts) and not self._mounts[-1].names

    def add(self, path: str, resource: IResource, *, max_body: int | None = None) -> None:
        """Let `resource` answer for `path` and all below it; `/` is everything.

        With `max_body` it is rendered when the head of a request is here: `request.body` is an
        async iterator of what comes, at most so many bytes (0: what the site takes).

        Raises:
            ValueError: the path is none, or something stands there already.
        """
        names = names_of(path)
        if any(mount.names == names for mount in self._mounts):
            raise ValueError(f"{path} is given twice")
        self._mounts.append(Mount(names, resource, max_body))
        self._mounts.sort(key=lambda mount: len(mount.names), reverse=True)

    def find(self, request: WebRequest) -> IResource | None:
        """What answers that request, if anything; it is told where it stands.

        What is mounted at `/` answers only what `find_rest` is asked for.
        """
        mount = self._find(request.target.segments)
        return None if mount is None or not mount.names else _entered(mount, request)

    def find_rest(self, request: WebRequest) -> IResource | None:
        """What answers whatever nobody else does."""
        return _entered(self._mounts[-1], request) if self.takes_all else None

    def covers(self, request: WebRequest) -> bool:
        """Whether something that is mounted answers that request."""
        return self._find(request.target.segments) is not None

    def streams(self, request: WebRequest) -> int | None:
        """How many bytes a body may have that is read as it comes; None if it is not.

        `request.target` is known.
        """
        mount = self._find(request.target.segments)
        if mount is None or mount.max_body is None:
            return None
        return mount.max_body or request.owner.max_body

    def _find(self, segments: Names) -> Mount | None:
        for mount in self._mounts:
            if segments[: len(mount.names)] == mount.names:
                return mount
        return None


def _entered(mount: Mount, request: WebRequest) -> IResource:
    request.prepath = list(mount.names)
    request.postpath = list(request.target.segments[len(mount.names) :])
    return mount.resource


def names_of(path: str) -> Names:
    """The decoded segments of a path as it stands in a URL; of `/`, none.

    Raises:
        ValueError: it is no path of a URL; the message says why.
    """
    if not path.startswith("/"):
        raise ValueError(f"{path!r} does not begin with a slash")
    try:
        target = parse_target(path.encode("utf-8", "surrogateescape"))
    except BadTarget as bad:
        raise ValueError(f"{path!r}: {bad}") from bad
    if target.query or "?" in path:
        raise ValueError(f"{path!r} has a query")
    names = tuple(target.segments)
    if names and not names[-1]:  # `/app/` is `/app`
        names = names[:-1]
    if not all(names):
        raise ValueError(f"{path!r} has an empty part")
    return names
