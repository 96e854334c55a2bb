"""Functions that answer requests: what `register(pattern, handler)` takes, and how it is called.

A handler is called with the request and what the pattern's named segments hold.  It returns
text, bytes, a value that can be JSON, a Response, or something to await that gives one of these;
it raises HTTPError to refuse.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from types import coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from proto.web.incoming import IncomingBody
from proto.web.patterns import PathTemplate, Value
from proto.web.request import WebRequest
from proto.web.response import (
    HTTPError,
    Response,
    allowed_methods,
    refusal_of,
    response_of,
)

Handler = Callable[..., Any]
Answer = Callable[..., Coroutine[Any, Any, Response]]
Middleware = Callable[[Answer], Answer]
Predicate = Callable[[WebRequest], bool]


@dataclass(frozen=True, slots=True)
class _Route:
    template: PathTemplate | None
    predicate: Predicate | None
    methods: tuple[str, ...]
    answer: Answer
    max_body: int | None = None  # for a handler that reads the body as it comes

    def match(self, request: WebRequest) -> dict[str, Value] | None:
        if self.template is not None:
            return self.template.match(request.target.segments)
        return {} if self.predicate is not None and self.predicate(request) else None


class Handlers:
    """The handlers of a tree, asked in the order in which they were registered."""

    def __init__(self) -> None:
        self._routes: list[_Route] = []
        self._middleware: list[Middleware] = []
        self.missing: Answer | None = None

    def register(
        self,
        pattern: str | Predicate,
        handler: Handler,
        methods: Sequence[str] = ("GET",),
        *,
        streaming: bool = False,
        max_body: int = 0,
    ) -> None:
        """Let `handler` answer what fits `pattern`: a path template, or a test of the request.

        GET includes HEAD; OPTIONS is answered unless it is among the methods.  With `streaming`
        it is called when the head of a request is here, and `request.body` is an async iterator of
        what comes: at most `max_body` bytes, or as many as the site takes when that is 0.

        Raises:
            ValueError: the path template makes no sense.
            TypeError: the handler cannot be called with the request and the named segments.
        """
        names = dict.fromkeys(methods)
        if "GET" in names:
            names["HEAD"] = None
        is_path = isinstance(pattern, str)
        _check_signature(pattern, handler)
        self._routes.append(
            _Route(
                PathTemplate(pattern) if isinstance(pattern, str) else None,
                None if is_path else pattern,  # type: ignore[arg-type]
                tuple(names),
                _whole_answer(_with_body(handler) if streaming else handler),
                max_body if streaming else None,
            )
        )

    def use(self, middleware: Middleware) -> None:
        """Put a function around every handler; the first one used is the outermost.

        It takes a coroutine function that gives a Response, whatever the handler returns, and
        gives another such function.
        """
        self._middleware.append(middleware)

    def not_found(self, handler: Handler) -> None:
        """Let `handler(request)` make the page for every 404; its own status becomes 404."""
        self.missing = _whole_answer(handler)

    def find(self, request: WebRequest) -> HandlerResource | None:
        """The resource for a request; None when no pattern fits its path."""
        allowed: dict[str, None] = {}
        for route in self._routes:
            values = route.match(request)
            if values is None:
                continue
            if request.verb in route.methods:
                return HandlerResource(self._wrapped(route.answer), values)
            allowed.update(dict.fromkeys(route.methods))
        return HandlerResource(_other_method(tuple(allowed)), {}) if allowed else None

    def streams(self, request: WebRequest) -> int | None:
        """How many bytes a body may have that is read as it comes; None if it is not.

        The site asks when the head of a request with a body is here.
        """
        if all(route.max_body is None for route in self._routes):
            return None
        try:
            request.find_target()
        except HTTPError:  # which is told when the request is whole
            return None
        for route in self._routes:
            if route.match(request) is not None and request.verb in route.methods:
                return None if route.max_body is None else route.max_body or request.owner.max_body
        return None

    def answer_missing(self, request: WebRequest, error: HTTPError) -> None:
        """Answer a 404 with the page that was given to `not_found`."""
        assert self.missing is not None

        async def answer() -> Response:
            page = await self.missing(request)  # type: ignore[misc]
            return Response(404, page.body, page.content_type, (*error.headers, *page.headers))

        _run(request, answer())

    def _wrapped(self, answer: Answer) -> Answer:
        for middleware in reversed(self._middleware):
            answer = middleware(answer)
        return answer


def _check_signature(pattern: str | Predicate, handler: Handler) -> None:
    if not callable(handler):
        raise TypeError(f"the handler of {pattern!r} is no function: {handler!r}")
    try:
        signature = inspect.signature(handler)
    except ValueError:  # some that are written in C do not tell
        return
    named = PathTemplate(pattern).names if isinstance(pattern, str) else ()
    try:
        signature.bind(None, **dict.fromkeys(named))
    except TypeError as error:
        given = ", ".join(("the request", *named))
        raise TypeError(f"the handler of {pattern!r} is called with {given}: {error}") from error


class HandlerResource(Resource):
    """A handler as a leaf of the tree."""

    isLeaf = True

    def __init__(self, answer: Answer, values: dict[str, Value]) -> None:
        super().__init__()
        self._answer = answer
        self._values = values

    # Twisted calls this.
    def render(self, request: WebRequest) -> int:
        _run(request, self._answer(request, **self._values))
        return NOT_DONE_YET


def _run(request: WebRequest, answer: Coroutine[Any, Any, Response]) -> None:
    """Send what the coroutine gives; it is cancelled when the peer leaves."""

    def failed(failure: Failure) -> None:
        # A peer that left needs no answer, and its going is nobody's mistake.
        if not (request.is_over and failure.check(CancelledError)):
            request.fail(failure)

    context = copy_context()
    try:
        waits_for = context.run(answer.send, None)
    except StopIteration as done:  # most handlers have nothing to wait for
        _respond(request, done.value)
        return
    except Exception:
        failed(Failure())
        return
    rest = _going_on(answer, waits_for)
    running: Deferred[Response] = context.run(Deferred.fromCoroutine, rest)
    running.addCallback(request.respond).addErrback(failed)
    if not request.is_over:
        request.when_over().addErrback(lambda _: running.cancel())


def _respond(request: WebRequest, response: Response) -> None:
    try:
        request.respond(response)
    except Exception:
        request.fail(Failure())


@coroutine
def _going_on(answer: Coroutine[Any, Any, Response], waits_for: object) -> Generator[Any, Any, Any]:
    """The rest of a coroutine that has begun, and now waits for this."""
    result, failure = None, None
    while True:
        try:
            result = yield waits_for
        except GeneratorExit:  # nobody will ever know what it waits for
            answer.close()
            raise
        except BaseException as error:
            failure = error
        try:
            waits_for = answer.send(result) if failure is None else answer.throw(failure)
        except StopIteration as done:
            return done.value
        finally:
            result, failure = None, None  # or the failure and this frame would hold each other


def _with_body(handler: Handler) -> Handler:
    """The handler, for requests that have no body too."""

    def answer(request: WebRequest, **values: Value) -> Any:
        if request.body is None:
            request.body = IncomingBody.empty()
        return handler(request, **values)

    return answer


def _whole_answer(handler: Handler) -> Answer:
    """The handler as a coroutine function that gives a Response."""

    async def answer(request: WebRequest, **values: Value) -> Response:
        result = handler(request, **values)
        if inspect.isawaitable(result):
            result = await result
        return response_of(result)

    return answer


def _other_method(allowed: Sequence[str]) -> Answer:
    listed = (*allowed, "OPTIONS")

    async def answer(request: WebRequest) -> Response:
        if request.verb == "OPTIONS":
            return allowed_methods(listed)
        raise refusal_of(request.verb, listed)

    return answer
