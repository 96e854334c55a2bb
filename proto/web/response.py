"""An answer as a plain value, and the refusal that becomes one.  No twisted, no request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec
from markupsafe import Markup

from proto.errors import PeerError

Headers = Sequence[tuple[str, str]]

HTML: Final = "text/html; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"

# RFC 9110 section 9 and PATCH (RFC 5789): any other method is one we never heard of.
KNOWN_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; `content_type` is left out of the head when empty."""

    status: int = 200
    body: bytes = b""
    content_type: str = ""
    headers: Headers = ()


class HTTPError(PeerError):
    """A refusal with a status; raised anywhere below a request it becomes that page."""

    def __init__(self, status: int, detail: str = "", headers: Headers = ()) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"an HTTPError has a status from 400 to 599, not {status}")
        super().__init__(detail or phrase_of(status))
        self.status = status
        self.detail = detail
        self.headers = tuple(headers)


def phrase_of(status: int) -> str:
    """The name of a status: `Not Found`."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error" if status >= 400 else "Answer"


def refusal_of(method: str, allowed: Sequence[str]) -> HTTPError:
    """What to say to a method that is not among the allowed: 405, or 501 when it is unknown."""
    if method not in KNOWN_METHODS:
        return HTTPError(501, f"This server does not know the method {method[:32]}.")
    listed = ", ".join(allowed)
    return HTTPError(405, f"Here you can use {listed}.", [("Allow", listed)])


def allowed_methods(allowed: Sequence[str]) -> Response:
    """The answer to OPTIONS."""
    return Response(204, headers=[("Allow", ", ".join(allowed))])


def response_of(value: object) -> Response:
    """Make a response of what a handler returned.

    Text is sent as plain text and `markupsafe.Markup` as HTML: what was not escaped is never
    read as markup.  None is 204, and whatever else msgspec can encode is JSON.

    Raises:
        TypeError: msgspec cannot encode the value.
    """
    match value:
        case Response():
            return value
        case None:
            return Response(204)
        case Markup():
            return Response(200, str(value).encode("utf-8", "replace"), HTML)
        case str():
            return Response(200, value.encode("utf-8", "replace"), TEXT)
        case bytes():
            return Response(200, value, BINARY)
        case _:
            return Response(200, msgspec.json.encode(value), JSON)
