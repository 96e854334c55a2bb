"""The JSON body of a request -> a value of the declared type, or why it is refused.

It is read as it comes, so that one that is too long, or nobody's JSON, is never held.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message
from typing import Any, Final

import msgspec

from proto.web.request import WebRequest
from proto.web.response import HTTPError
from proto.webapi.problems import Detail, Refused
from proto.webapi.queries import said

MOST: Final = 64 * 1024
"""Bytes of a body."""


async def read_body(request: WebRequest, shape: Any, kinds: Sequence[str]) -> Any:
    """The body as a value of that type; `kinds` are the media types that it may have.

    Raises:
        Refused: 415, 413, 400 for what is no JSON, 422 for JSON of another shape.
    """
    check_type(request.header("Content-Type"), request.header("Content-Encoding"), kinds)
    return decoded(await _whole(request), shape)


def check_type(media_type: str, coding: str, kinds: Sequence[str]) -> None:
    """Raises Refused, 415, for a body that is called something else, or is compressed."""
    if coding.strip().lower() not in ("", "identity"):
        raise Refused(
            415,
            "unsupported_coding",
            "Send the body as it is, not compressed.",
            [Detail(where="header", field="Content-Encoding", message="Expected none.")],
            [("Accept-Encoding", "identity")],
        )
    if media_type in kinds:
        return
    told = Message()
    told["Content-Type"] = media_type
    charset = told.get_param("charset", "utf-8")
    is_utf8 = isinstance(charset, str) and charset.lower() in ("utf-8", "utf8")
    if is_utf8 and media_type.partition(";")[0].strip().lower() in kinds:
        return
    wanted = " or ".join(kinds)
    raise Refused(
        415,
        "unsupported_type",
        f"Send {wanted} in UTF-8.",
        [Detail(where="header", field="Content-Type", message=f"Expected {wanted}.")],
        [("Accept", ", ".join(kinds))],
    )


def decoded(data: bytes, shape: Any) -> Any:
    """The value that JSON stands for.  Raises Refused, 400 or 422."""
    try:
        try:
            return msgspec.json.decode(data, type=shape)
        except msgspec.ValidationError:
            # To JSON Schema, as to JavaScript, 3.0 is a whole number (2020-12, section 4.2.2).
            return msgspec.convert(_whole_numbers(msgspec.json.decode(data)), shape)
    except msgspec.ValidationError as error:
        detail = Detail(where="body", field=field_of(error), message=said(error))
        why = "The body has not the shape that it should have."
        raise Refused(422, "invalid_body", why, [detail]) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        why = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        detail = Detail(where="body", field="", message=f"{why}.")
        raise Refused(400, "malformed_json", "The body is no JSON.", [detail]) from error


def field_of(error: Exception) -> str:
    """The path of the field in which msgspec found something wrong; empty for all of it."""
    said, _, path = str(error).rpartition(" - at `$")
    field = path.rstrip("`").lstrip(".") if said else ""
    for mark in ("missing required field `", "contains unknown field `"):
        _, found, name = (said or str(error)).partition(mark)
        if found:
            name = name.rstrip("`")
            return f"{field}.{name}" if field else name
    return field


def _whole_numbers(value: Any) -> Any:
    """The value with 3 for 3.0, in the fields of an object: ours have no objects in them."""
    if not isinstance(value, dict):
        return value
    return {
        name: int(each) if isinstance(each, float) and each.is_integer() else each
        for name, each in value.items()
    }


async def _whole(request: WebRequest) -> bytes:
    length = request.header("Content-Length")
    if length.isdigit() and int(length) > MOST:
        raise _too_large()
    if request.body is None:
        return b""
    chunks, size = [], 0
    async for chunk in request.body:
        size += len(chunk)
        if size > MOST:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> HTTPError:
    return Refused(413, "too_large", f"A body may have {MOST} bytes here.")
