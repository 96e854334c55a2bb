"""What a request to the chat's API asks for: queries, JSON bodies, tokens; or why it is refused."""

from __future__ import annotations

from os import SEEK_END
from typing import Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from proto.chat.jsonwire import Count, Sequence, Words, explain
from proto.chat.names import valid_identifier
from proto.errors import PeerError
from proto.web.request import WebRequest
from proto.web.response import HTTPError

MOST_PARAMETERS: Final = 20
LONGEST_BODY: Final = 1 << 17
"""Bytes; what may be said is shorter, but JSON may take six for one."""

Shape = TypeVar("Shape")


class Wanted(Struct):
    """Which lines: `?before=&after=&count=&words=`."""

    before: Sequence | None = None
    after: Sequence | None = None
    count: Count = 50
    words: Words | None = None


class Wish(Struct):
    """Who wants to say lines: the body of a POST to `sessions`."""

    name: str


class Text(Struct):
    """What is to be said: the body of a POST to `lines`."""

    text: str


class WrongField(HTTPError):
    """A query or a body does not have the shape it should have; `field` names what is wrong."""

    def __init__(self, status: int, text: str, field: str | None) -> None:
        super().__init__(status, text)
        self.field = field


def query_of(request: WebRequest) -> Wanted:
    """The span that a query asks for.  Raises WrongField with status 400."""
    query = request.target.query.decode("latin-1")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError as error:
        raise WrongField(400, f"{error}.", None) from None
    known = {name: value for name, value in pairs if name in Wanted.__struct_fields__}
    try:
        return msgspec.convert(known, Wanted, strict=False)
    except msgspec.ValidationError as error:
        text, field = explain(error)
        raise WrongField(400, text, field) from None


def body_of(request: WebRequest, shape: type[Shape]) -> Shape:
    """The JSON body, of that shape.  Raises HTTPError, 415, 413, 400 or 422."""
    media_type = request.header("Content-Type").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPError(415, "Send application/json.", [("Accept", "application/json")])
    if request.content.seek(0, SEEK_END) > LONGEST_BODY:
        raise HTTPError(413, f"A body may have {LONGEST_BODY} bytes here.")
    request.content.seek(0)
    try:
        return msgspec.json.decode(request.content.read(), type=shape)
    except msgspec.ValidationError as error:
        text, field = explain(error)
        raise WrongField(422, text, field) from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        text, field = explain(error)
        raise WrongField(400, text, field) from None


def token_of(request: WebRequest) -> str:
    """The token of `Authorization: Bearer` (RFC 6750, 2.1).  Raises HTTPError, 401."""
    scheme, _, token = request.header("Authorization").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("Send a token: Authorization: Bearer TOKEN.")
    return token.strip()


def unauthorized(text: str) -> HTTPError:
    """A refusal of whoever has no token, or a wrong one."""
    return HTTPError(401, text, [("WWW-Authenticate", 'Bearer realm="chat"')])


def after_of(request: WebRequest) -> int | None:
    """The last line that whoever asks for events has read: from `Last-Event-ID`, or `?after=`.

    Raises WrongField with status 400.
    """
    told = request.header("Last-Event-ID")
    if not told:
        return query_of(request).after
    try:
        return msgspec.convert(told, Sequence, strict=False)
    except msgspec.ValidationError as error:
        raise WrongField(400, f"{explain(error)[0]}", "Last-Event-ID") from None


def room_name(text: str) -> str:
    """The name of a room as it is written.  Raises HTTPError, 404."""
    try:
        return valid_identifier(text, "room")
    except PeerError as refusal:
        raise HTTPError(404, str(refusal)) from None
