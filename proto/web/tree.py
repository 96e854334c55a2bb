"""The URL map.  Read this first.

    what was registered          handlers, in their order; /hello/<name> among them
    /health  /health/live  /health/ready
    /metrics                     unless it is served on a port of its own
    everything else              the files below --path

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
from proto.web.choosing import INDEX_NAMES
from proto.web.handlers import Handlers
from proto.web.mime import DEFAULT_TYPE, MediaTypes
from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.web.static import build_files
from proto.web.status import Counters, Health, Ready
from proto.web.visits import Visits


class Tree(Resource):
    """The root: registered handlers first, then children, then files if there are any."""

    def __init__(self, handlers: Handlers, files: IResource | None) -> None:
        super().__init__()
        self._handlers = handlers
        self._files = files

    # Twisted calls these with the first segment of the path.
    def getChildWithDefault(self, path: bytes, request: WebRequest) -> IResource:
        request.handlers = self._handlers
        found = self._handlers.find(request)
        if found is not None:
            return found
        child: IResource = super().getChildWithDefault(path, request)
        return child

    def getChild(self, path: bytes, request: WebRequest) -> IResource:
        if self._files is None:
            raise HTTPError(404)
        return self._files


def build_tree(
    path: Path | None,
    clock: IReactorTime,
    *,
    files: IResource | None = None,
    index: Sequence[str] = INDEX_NAMES,
    mime_types: Mapping[str, str] | None = None,
    default_type: str = DEFAULT_TYPE,
    ignore_ext: Sequence[str] = (),
    dotfiles: bool = False,
    follow_symlinks: bool = False,
    listing: bool = True,
    visits: Visits | None = None,
    handlers: Handlers | None = None,
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
    tree = Tree(Handlers() if handlers is None else handlers, files)
    if ready is not None:
        tree.putChild(b"health", Health(ready))
    if metrics is not None:
        tree.putChild(b"metrics", Counters(metrics))
    return tree


def standard_handlers() -> Handlers:
    """The handlers that every web service of this project has."""
    handlers = Handlers()
    handlers.register("/hello/<name>", hello)
    return handlers


_GREETING: Final = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>Hello, NAME!</title>\n</head>\n<body>\n<h1>Hello, NAME!</h1>\n"
    '<p><a href="/">Home</a></p>\n</body>\n</html>\n'
)


def hello(request: WebRequest, name: str) -> Markup:
    """Greet somebody, whatever their name may hold."""
    return Markup(_GREETING.replace("NAME", escape(name)))
