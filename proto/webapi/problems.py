"""What a refusal looks like: one shape for all of them, as `application/problem+json` (RFC 9457).

Knows no request, and not why anything is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from proto.web.pages import PROBLEM
from proto.web.response import Headers, HTTPError, Response, phrase_of

Where: TypeAlias = Literal["path", "query", "header", "body"]

NEVER_KEPT: Final = ("Cache-Control", "no-store")


class Detail(Struct, frozen=True, kw_only=True, rename={"where": "in"}):
    """One thing that is wrong with a request, and where."""

    where: Where
    field: str
    """The name of a parameter or header, or the path in the body: `title`; empty is all of it."""
    message: str


class Problem(Struct, frozen=True, kw_only=True):
    """Why a request was refused."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    """The same refusal always has the same code; programs may rely on it."""
    message: str
    details: list[Detail] = []


class Refused(HTTPError):
    """A refusal with a code of its own, and what exactly is wrong."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[Detail] = (),
        headers: Headers = (),
    ) -> None:
        super().__init__(status, message, headers)
        self.code = code
        self.details = tuple(details)


def problem_of(error: HTTPError, headers: Headers = ()) -> Response:
    """The answer for a refusal; one that has no code is called by its status."""
    phrase = phrase_of(error.status)
    own = isinstance(error, Refused)
    problem = Problem(
        title=phrase,
        status=error.status,
        code=error.code if isinstance(error, Refused) else _code(phrase),
        message=str(error),
        details=list(error.details) if own else [],  # type: ignore[attr-defined]
    )
    fields = (NEVER_KEPT, *headers, *error.headers)
    return Response(error.status, msgspec.json.encode(problem), PROBLEM, fields)


def _code(phrase: str) -> str:
    return phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")
