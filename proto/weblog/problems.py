"""Refusals as `application/problem+json` (RFC 9457), whatever the client accepts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import msgspec

from proto.web.pages import PROBLEM
from proto.web.response import JSON, HTTPError, Response, phrase_of

Ask = Callable[..., Coroutine[Any, Any, Response]]


class WrongField(HTTPError):
    """A query is not as it should be; `field` names what is wrong, if it is one field."""

    def __init__(self, text: str, field: str | None = None) -> None:
        super().__init__(400, text)
        self.field = field


def problems(ask: Ask) -> Ask:
    """The same function, but that it returns what it would have raised."""

    @wraps(ask)
    async def answer(*args: Any, **named: Any) -> Response:
        try:
            return await ask(*args, **named)
        except HTTPError as error:
            told = {
                "type": "about:blank",
                "title": phrase_of(error.status),
                "status": error.status,
                "detail": error.detail,
            }
            if isinstance(error, WrongField) and error.field is not None:
                told["field"] = error.field
            return Response(error.status, msgspec.json.encode(told), PROBLEM, error.headers)

    return answer


def json_of(value: object) -> Response:
    """An answer that nobody keeps."""
    always = ("Cache-Control", "no-store")
    return Response(200, msgspec.json.encode(value), JSON, (always,))
