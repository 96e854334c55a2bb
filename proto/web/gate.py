"""Before the tree: what is asked of every request below a path, whatever answers it there.

A handler's middleware stands around handlers.  A gate stands around the whole tree: files, mounted
resources, WebSockets and the page for what is not there are behind it as well.  It knows neither
rates nor passwords; a check is a function that refuses with an HTTPError.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import (
    EncodingResourceWrapper,
    IResource,
    Resource,
    getChildForRequest,
)
from twisted.web.server import NOT_DONE_YET

from proto.web.prefix import Parts, Prefix, parts_of
from proto.web.request import WebRequest

Check = Callable[[WebRequest], Deferred[None] | None]
"""Lets a request pass, now or later; or raises HTTPError, now or later."""


class Gate(Resource):
    """The root in front of another root.

    `every` check whose path covers a request is asked, in their order; of those in `nearest` only
    the one with the longest path.
    """

    def __init__(
        self,
        inner: IResource,
        *,
        every: Sequence[tuple[Prefix, Check]] = (),
        nearest: Sequence[tuple[Prefix, Check]] = (),
    ) -> None:
        super().__init__()
        self._inner = inner
        self._every = tuple(every)
        self._nearest = sorted(nearest, key=lambda each: len(each[0].parts), reverse=True)

    # Twisted calls this with the first segment of the path.
    def getChildWithDefault(self, path: bytes, request: WebRequest) -> IResource:
        assert request.prepath is not None
        assert request.postpath is not None
        request.postpath.insert(0, request.prepath.pop())
        return self._pass(request, self._checks_for(parts_of(request.target.segments)))

    def _checks_for(self, parts: Parts) -> list[Check]:
        checks = [check for prefix, check in self._every if prefix.covers(parts)]
        for prefix, check in self._nearest:
            if prefix.covers(parts):
                return [*checks, check]
        return checks

    def _pass(self, request: WebRequest, checks: Sequence[Check]) -> IResource:
        for asked, check in enumerate(checks, 1):
            request.is_guarded = True
            waiting = check(request)
            if waiting is not None:
                return _Later(waiting.addCallback(self._pass_rest, request, checks[asked:]))
        return self._inner

    def _pass_rest(self, _: object, request: WebRequest, checks: Sequence[Check]) -> IResource:
        return self._pass(request, checks)


class _Later(Resource):
    """The resource that a Deferred will give."""

    isLeaf = True

    def __init__(self, waiting: Deferred[Any]) -> None:
        super().__init__()
        self._waiting = waiting

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        def go_on(resource: IResource) -> None:
            if request.is_over:
                return
            found: IResource = getChildForRequest(resource, request)
            # As twisted.web.server.Request.process does for what it finds at once.
            if isinstance(found, EncodingResourceWrapper):
                request._encoder = found.getEncoder(request)
            request.render(found)

        self._waiting.addCallback(go_on).addErrback(request.fail)
        return NOT_DONE_YET
