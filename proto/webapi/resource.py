"""Where the API stands in the web's tree, below /api: every request there is answered by it.

It finds the operation, lets pass who may, has the request checked and answered, and tells every
refusal in one shape.  Knows no task and no user.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.web.resource import IResource, Resource

from proto.errors import PeerError
from proto.metrics import Metrics
from proto.web.handlers import HandlerResource, Handlers
from proto.web.incoming import BodyLost
from proto.web.request import WebRequest
from proto.web.response import Headers, HTTPError, Response, allowed_methods
from proto.webapi.answers import Answering
from proto.webapi.asking import asked_of, caller_of, conditions_of
from proto.webapi.declared import Operation, Place, Places
from proto.webapi.origins import Caller, Origins
from proto.webapi.page import Pages
from proto.webapi.problems import Refused, problem_of
from proto.webapi.refusals import refused

PATH: Final = "/api"
ANY_LENGTH: Final = 1 << 62
"""Of a body the site refuses nothing: it is this that refuses, in its own shape."""

Check = Callable[[WebRequest], Awaitable[None]]


class ApiResource(Resource):
    """All that is below /api, but for what others put there."""

    log = Logger()

    def __init__(
        self,
        operations: Iterable[Operation],
        answers: Mapping[str, Answering],
        pages: Pages,
        origins: Origins,
        metrics: Metrics,
        *,
        check: Check | None = None,
    ) -> None:
        """`check` lets pass who may use the operations, and raises HTTPError; None is everybody."""
        super().__init__()
        operations = tuple(operations)
        self._places = Places(operations)
        self._answers = {each.name: answers[each.name] for each in operations}
        self._pages = pages
        self._origins = origins
        self._metrics = metrics
        self._check = check
        self._beyond: Resource | None = None

    # The tree's builder calls this.
    def adopt(self, root: Resource, handlers: Handlers) -> None:
        """What others have put below /api of that tree stays where it is."""
        self._beyond = root.getStaticEntity(PATH.strip("/").encode())

    # Twisted calls these.
    def getChildWithDefault(self, path: bytes, request: WebRequest) -> IResource:
        beyond = self._of_others(request)
        if beyond is not None:
            child: IResource = beyond.getChildWithDefault(path, request)
            return child
        return HandlerResource(self._answer, {})

    def render(self, request: WebRequest) -> int:
        return HandlerResource(self._answer, {}).render(request)

    def _of_others(self, request: WebRequest) -> Resource | None:
        """What stands at /api for others, if the path leads to something of theirs."""
        found = self._beyond
        for segment in request.target.segments[1:3]:
            if found is None:
                return None
            found = found.getStaticEntity(segment)
        return None if found is None else self._beyond

    async def _answer(self, request: WebRequest) -> Response:
        caller = caller_of(request)
        place = self._places.find(request.target.segments)
        operation = place.operations.get(request.verb) if place is not None else None
        try:
            response = await self._obey(request, caller, place, operation)
        except (CancelledError, BodyLost):
            raise  # nobody waits for an answer
        except HTTPError as error:
            response = problem_of(error)
        except PeerError as error:
            response = problem_of(refused(error))
        except Exception:
            response = self._failed(request)
        self._count(operation, response.status)
        return _with(response, self._origins.headers(caller))

    async def _obey(
        self,
        request: WebRequest,
        caller: Caller,
        place: Place | None,
        operation: Operation | None,
    ) -> Response:
        if place is None:
            return self._shown(request)
        if operation is None:
            return self._other_method(request, caller, place.allowed)
        if not operation.is_safe:
            self._origins.check(caller)
        if self._check is not None:
            await self._check(request)
        asked = await asked_of(request, operation, place)
        return await self._answers[operation.name](asked)

    def _shown(self, request: WebRequest) -> Response:
        """A page, or what it is made of.  Raises Refused."""
        page = self._pages.find(request.target.segments[1:])
        if page is None:
            raise Refused(404, "not_found", "There is nothing here; /api/ tells what there is.")
        if request.verb not in ("GET", "HEAD"):
            return self._other_method(request, Caller(), ("GET", "HEAD", "OPTIONS"))
        return page.answer(conditions_of(request))

    def _other_method(
        self, request: WebRequest, caller: Caller, allowed: tuple[str, ...]
    ) -> Response:
        """The answer to OPTIONS.  Raises Refused, 405, for another method."""
        if request.verb == "OPTIONS":
            asks = bool(request.field("Access-Control-Request-Method"))
            more = self._origins.preflight(caller, allowed) if asks else ()
            return _with(allowed_methods(allowed), more)
        listed = ", ".join(allowed)
        why = f"Here you can use {listed}."
        raise Refused(405, "method_not_allowed", why, (), [("Allow", listed)])

    def _failed(self, request: WebRequest) -> Response:
        incident = secrets.token_hex(8)
        self.log.failure(
            "API request {incident} from {peer} failed: {method} {uri}",
            incident=incident,
            peer=str(request.client),
            method=ascii(request.verb),
            uri=ascii(request.uri),
        )
        why = f"Something went wrong here. It is in the log as {incident}."
        return problem_of(Refused(500, "internal_error", why))

    def _count(self, operation: Operation | None, status: int) -> None:
        self._metrics.tally(
            "api_requests",
            "Answered requests below /api",
            operation="none" if operation is None else operation.name,
            status=f"{status // 100}xx",
        ).value += 1


def _with(response: Response, headers: Headers) -> Response:
    if not headers:
        return response
    fields = (*response.headers, *headers)
    return Response(response.status, response.body, response.content_type, fields)
