from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from markupsafe import Markup
from twisted.internet.defer import CancelledError, Deferred

from proto.web.handlers import Handlers
from proto.web.request import WebRequest
from proto.web.response import HTTPError, Response
from tests.support import connect
from tests.web.wire import Answer, ask, hang_up, read_answer, request_bytes, site_of


def served(pattern: str = "/", **functions: Callable[..., Any]) -> Handlers:
    handlers = Handlers()
    for method, function in functions.items():
        handlers.register(pattern, function, methods=[method])
    return handlers


def answer_of(handler: Callable[..., Any]) -> Answer:
    return ask(site_of(handlers=served(GET=handler)), "/")


async def later(value: object) -> object:
    return value


def deferred(value: object) -> Deferred[object]:
    waiting: Deferred[object] = Deferred()
    waiting.callback(value)
    return waiting


@pytest.mark.parametrize(
    ("value", "kind", "body"),
    [
        ("<b>", "text/plain; charset=utf-8", b"<b>"),
        (Markup("<b>"), "text/html; charset=utf-8", b"<b>"),
        (b"\0", "application/octet-stream", b"\0"),
        ({"a": 1}, "application/json", b'{"a":1}'),
        (Response(200, b"x", "image/png"), "image/png", b"x"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda value: value, later, deferred])
def test_a_handler_returns_a_value_or_something_to_await(
    value: object, kind: str, body: bytes, wrap: Callable[[object], object]
) -> None:
    answer = answer_of(lambda request: wrap(value))
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, kind, body)


def test_none_is_an_answer_without_content() -> None:
    answer = answer_of(lambda request: None)
    assert (answer.status, answer.body) == (204, b"")
    assert "Content-Length" not in answer.headers


def test_named_segments_are_arguments() -> None:
    handlers = Handlers()
    handlers.register("/t/<int:id>/<name>", lambda request, id, name: {"id": id, "name": name})
    assert json.loads(ask(site_of(handlers=handlers), "/t/7/a%2Fb").body) == {
        "id": 7,
        "name": "a/b",
    }


def test_a_predicate_sees_the_request() -> None:
    handlers = Handlers()
    handlers.register(lambda request: request.header("X-Who") == "me", lambda request: "you")
    site = site_of(handlers=handlers)
    assert ask(site, "/any/thing", X_Who="me").body == b"you"
    assert ask(site, "/any/thing").status == 404


def test_the_first_that_fits_answers() -> None:
    handlers = Handlers()
    handlers.register("/a", lambda request: "fixed")
    handlers.register("/<name>", lambda request, name: name)
    site = site_of(handlers=handlers)
    assert ask(site, "/a").body == b"fixed"
    assert ask(site, "/b").body == b"b"


def test_head_comes_with_get() -> None:
    answer = ask(site_of(handlers=served(GET=lambda request: "four")), "/", "HEAD")
    assert (answer.status, answer.headers["Content-Length"], answer.body) == (200, "4", b"")


def test_the_method_chooses_and_the_rest_is_refused() -> None:
    site = site_of(handlers=served(GET=lambda request: "got", POST=lambda request: "posted"))
    assert ask(site, "/", "POST").body == b"posted"
    refused = ask(site, "/", "DELETE")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    options = ask(site, "/", "OPTIONS")
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, POST, OPTIONS")
    assert ask(site, "/", "BREW").status == 501


def test_a_handler_may_have_a_method_that_nobody_knows() -> None:
    assert ask(site_of(handlers=served(BREW=lambda request: "tea")), "/", "BREW").body == b"tea"


def test_the_body_can_be_read() -> None:
    site = site_of(handlers=served(POST=lambda request: request.content.read()))
    assert ask(site, "/", "POST", b"abc").body == b"abc"


def test_a_refusal_is_its_page_wherever_it_is_raised() -> None:
    def refuse(request: WebRequest) -> str:
        raise HTTPError(409, "Taken.", [("X-Why", "1")])

    async def refuse_later(request: WebRequest) -> str:
        await deferred(None)
        return refuse(request)

    for handler in (refuse, refuse_later):
        answer = answer_of(handler)
        assert (answer.status, answer.headers["X-Why"]) == (409, "1")
        assert b"Taken." in answer.body


def test_a_mistake_is_500_and_gives_nothing_away() -> None:
    answer = answer_of(lambda request: {"secret": object()})
    assert answer.status == 500
    assert b"Something went wrong here" in answer.body
    assert b"object" not in answer.body


def test_an_answer_may_come_late_and_keeps_its_place() -> None:
    waiting: Deferred[str] = Deferred()
    handlers = served("/slow", GET=lambda request: waiting)
    handlers.register("/fast", lambda request: "fast")
    protocol, wire = connect(site_of(handlers=handlers))
    protocol.dataReceived(request_bytes("/slow", "GET", {}, b"") * 1)
    protocol.dataReceived(request_bytes("/fast", "GET", {}, b""))
    assert wire.value() == b""
    waiting.callback("slow")
    first, _ = read_answer(wire)
    assert first.body == b"slow"
    assert wire.value().endswith(b"fast")


def test_a_handler_is_cancelled_when_its_peer_leaves() -> None:
    cancelled: list[Deferred[Any]] = []
    waiting: Deferred[str] = Deferred(cancelled.append)
    protocol, wire = connect(site_of(handlers=served(GET=lambda request: waiting)))
    protocol.dataReceived(request_bytes("/", "GET", {}, b""))
    hang_up(protocol)
    assert cancelled == [waiting]
    assert wire.value() == b""


def test_a_handler_that_swallows_its_cancelling_harms_nobody() -> None:
    waiting: Deferred[str] = Deferred()

    async def stubborn(request: WebRequest) -> str:
        try:
            return await waiting
        except CancelledError:
            return "too late"

    protocol, wire = connect(site_of(handlers=served(GET=stubborn)))
    protocol.dataReceived(request_bytes("/", "GET", {}, b""))
    hang_up(protocol)
    assert wire.value() == b""


def test_middleware_is_a_function_around_a_handler() -> None:
    order = []

    def named(name: str) -> Callable[[Any], Any]:
        def middleware(handler: Callable[..., Awaitable[Response]]) -> Any:
            async def wrapped(request: WebRequest, **values: Any) -> Response:
                order.append(name)
                response = await handler(request, **values)
                order.append(f"/{name}")
                return Response(response.status, response.body + name.encode())

            return wrapped

        return middleware

    handlers = served("/<x>", GET=lambda request, x: x)
    handlers.use(named("outer"))
    handlers.use(named("inner"))
    assert ask(site_of(handlers=handlers), "/a").body == b"ainnerouter"
    assert order == ["outer", "inner", "/inner", "/outer"]


def test_a_page_of_ones_own_for_what_is_not_there() -> None:
    handlers = served("/x", GET=lambda request: Response(404, b"mine"))
    handlers.not_found(lambda request: Markup("<p>Lost at {}</p>").format(request.target.path))
    site = site_of(handlers=handlers)
    answer = ask(site, "/nowhere")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert b"Lost at " in answer.body
    assert ask(site, "/x").body == b"mine"
    assert b"Lost" not in ask(site, "/x", "POST").body


def test_a_page_of_ones_own_that_fails_is_an_ordinary_error() -> None:
    def broken(request: WebRequest) -> str:
        raise HTTPError(404, "Not even that.")

    handlers = Handlers()
    handlers.not_found(broken)
    answer = ask(site_of(handlers=handlers), "/nowhere")
    assert answer.status == 404
    assert b"Not even that." in answer.body


def test_a_pattern_that_makes_no_sense_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="must begin with a slash"):
        Handlers().register("x", lambda request: "")


@pytest.mark.parametrize(
    ("pattern", "handler", "why"),
    [
        ("/a", 1, "is no function: 1"),
        ("/a/<name>", lambda request: "", "called with the request, name: got an unexpected"),
        ("/a", lambda: "", "called with the request: too many"),
        ("/a", lambda request, more: "", "called with the request: missing"),
        (lambda request: True, lambda: "", "called with the request: too many"),
    ],
)
def test_a_handler_that_cannot_be_called_is_told_when_it_is_registered(
    pattern: Any, handler: Any, why: str
) -> None:
    with pytest.raises(TypeError, match=why):
        Handlers().register(pattern, handler)


def test_a_handler_may_take_whatever_comes() -> None:
    def anything(*given: object, **named: object) -> str:
        return ""

    Handlers().register("/a/<name>/<int:number>", anything)
    Handlers().register("/a", dict)
