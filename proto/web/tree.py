"""The URL map.  Read this first.

    what was registered          handlers, in their order; /hello/<name> among them
    /health  /health/live  /health/ready
    /metrics                     unless it is served on a port of its own
    what was mounted             programs and other servers, at a path and all below it
    everything else              the files below --path, or what is mounted at /

`build_tree` puts the resources together; `proto.web.site.ProtoSite` serves them.  A request passes
`channel` (bytes), `request` (its target and its answer), this tree, and then one of `handlers`,
`status` or `static`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from markupsafe import Markup, escape
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource, Resource

from proto.metrics import Metrics
from proto.web.aliases import Aliases
from proto.web.choosing import INDEX_NAMES
from proto.web.handlers import Handlers
from proto.web.mime import DEFAULT_TYPE, MediaTypes
from proto.web.mounts import Mounts
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.static import Files, build_files
from proto.web.status import Counters, Health, Ready
from proto.web.visits import Visits


class Tree(Resource):
    """The root: registered handlers, what is mounted, children, then whatever takes the rest."""

    def __init__(
        self, handlers: Handlers, files: Files | Aliases | None, mounts: Mounts | None = None
    ) -> None:
        super().__init__()
        self._handlers = handlers
        self._files = files
        self._mounts = mounts or Mounts()

    def streams(self, request: WebRequest) -> int | None:
        """How many bytes a body may have that is read as it comes; None if it is not.

        The site asks when the head of a request with a body is here.
        """
        limit = self._handlers.streams(request)
        if limit is not None or not self._mounts or not _has_target(request):
            return limit
        return self._mounts.streams(request) if self._handlers.find(request) is None else None

    def body_limit(self, request: WebRequest) -> int | None:
        """How many bytes a body may have that is for a file; None if it is for something else.

        Raises HTTPError for a file that need not come.
        """
        if self._files is None or not _has_target(request):
            return None
        if self._handlers.find(request) is not None or self._mounts.covers(request):
            return None
        is_other = request.target.segments[0] in self.children
        return None if is_other else self._files.body_limit(request)

    # Twisted calls these with the first segment of the path.
    def getChildWithDefault(self, path: bytes, request: WebRequest) -> IResource:
        request.handlers = self._handlers
        found = self._handlers.find(request) or self._mounts.find(request)
        if found is not None:
            return found
        child: IResource = super().getChildWithDefault(path, request)
        return child

    def getChild(self, path: bytes, request: WebRequest) -> IResource:
        found = self._mounts.find_rest(request) or self._files
        if found is None:
            raise HTTPError(404)
        return found


def _has_target(request: WebRequest) -> bool:
    """Whether the target makes sense; if it does not, that is told when the request is whole."""
    try:
        request.find_target()
    except HTTPError:
        return False
    return True


def build_tree(
    path: Path | None,
    clock: IReactorTime,
    *,
    files: Files | Aliases | None = None,
    index: Sequence[str] = INDEX_NAMES,
    mime_types: Mapping[str, str] | None = None,
    default_type: str = DEFAULT_TYPE,
    ignore_ext: Sequence[str] = (),
    dotfiles: bool = False,
    follow_symlinks: bool = False,
    listing: bool = True,
    visits: Visits | None = None,
    handlers: Handlers | None = None,
    mounts: Mounts | None = None,
    metrics: Metrics | None = None,
    ready: Ready | None = None,
) -> Tree:
    """The root resource; a part that is None is not in the tree.

    `mime_types` maps extensions with their dot to media types; `ignore_ext` are extensions with
    their dot that a request may leave out, `*` for any.  `files` is there instead of `path`.
    """
    if path is not None and files is None:
        files = build_files(
            path,
            clock,
            index=index,
            types=MediaTypes(mime_types, default_type),
            ignore_ext=ignore_ext,
            dotfiles=dotfiles,
            follow_symlinks=follow_symlinks,
            list_folders=listing,
            visits=visits,
        )
    tree = Tree(Handlers() if handlers is None else handlers, files, mounts)
    if ready is not None:
        tree.putChild(b"health", Health(ready))
    if metrics is not None:
        tree.putChild(b"metrics", Counters(metrics))
    return tree


def add_greeting(handlers: Handlers) -> None:
    """The handler that every web service of this project has."""
    handlers.register("/hello/<name>", hello)


_GREETING: Final = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>Hello, NAME!</title>\n</head>\n<body>\n<h1>Hello, NAME!</h1>\n"
    '<p><a href="/">Home</a></p>\n</body>\n</html>\n'
)


def hello(request: WebRequest, name: str) -> Markup:
    """Greet somebody, whatever their name may hold."""
    return Markup(_GREETING.replace("NAME", escape(name)))
