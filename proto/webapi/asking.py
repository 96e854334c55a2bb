"""A request -> what it asks for, checked against the declaration of its operation."""

from __future__ import annotations

import re
from typing import Final

from proto.web.request import WebRequest
from proto.web.response import JSON
from proto.webapi.answers import Asked
from proto.webapi.bodies import read_body
from proto.webapi.conditions import ANYTHING, Preconditions
from proto.webapi.declared import Operation, Place
from proto.webapi.origins import Caller
from proto.webapi.problems import Detail, Refused
from proto.webapi.queries import read_query

_QUALITY: Final = re.compile(r"q[ \t]*=[ \t]*0(?:\.0{0,3})?", re.IGNORECASE)


async def asked_of(request: WebRequest, operation: Operation, place: Place) -> Asked:
    """What is asked for.

    Raises:
        Refused: 406, 428, 400, 422, 413 or 415, each as `declared.refusals_of` tells it.
    """
    check_accept(request.header("Accept"))
    conditions = _conditions(request, operation)
    query = None
    if operation.query is not None:
        query = read_query(request.target.query, operation.query)
    body = None
    if operation.body is not None:
        body = await read_body(request, operation.body, operation.kinds)
    target = request.target
    return Asked(
        target.path.decode("ascii"),
        target.query.decode("ascii", "replace"),
        place.values,
        query,
        body,
        conditions,
    )


def check_accept(header: str) -> None:
    """Raises Refused, 406, where JSON is nothing that the client wants."""
    if not header.strip():
        return
    found: dict[str, bool] = {}
    for item in header.split(","):
        media, *parameters = (part.strip(" \t").lower() for part in item.split(";"))
        refused = any(_QUALITY.fullmatch(each) for each in parameters)
        found[media] = found.get(media, False) or not refused
    for media in (JSON, "application/*", "*/*"):  # the most specific one counts
        if media in found:
            if found[media]:
                return
            break
    detail = Detail(where="header", field="Accept", message=f"Expected {JSON} among it.")
    raise Refused(406, "not_acceptable", f"Here is only {JSON}.", [detail])


def caller_of(request: WebRequest) -> Caller:
    """What the browser tells of the page that asks, if it is one."""
    if not request.field("Origin") and not request.field("Sec-Fetch-Site"):
        return Caller()
    lines = request.requestHeaders.getRawHeaders(b"Origin", [])
    return Caller(
        tuple(each.decode("latin-1") for each in lines),
        request.header("Sec-Fetch-Site").strip(" \t").lower(),
        request.header("Host"),
        request.isSecure(),
    )


def conditions_of(request: WebRequest) -> Preconditions:
    """Which versions it is about."""
    return Preconditions(_value(request, "If-Match"), _value(request, "If-None-Match"))


def _value(request: WebRequest, name: str) -> str | None:
    """A header, be it empty; None if there is none."""
    value = request.header(name)
    is_there = bool(value) or request.requestHeaders.hasHeader(name.encode("ascii"))
    return value if is_there else None


def _conditions(request: WebRequest, operation: Operation) -> Preconditions:
    """Raises Refused, 428, for a change that has to tell which version it is meant for."""
    if operation.match == "no":
        return ANYTHING
    conditions = conditions_of(request)
    if operation.match == "must" and conditions.if_match is None:
        why = 'Send If-Match with the entity tag that you have read, as If-Match: "3", or with *.'
        detail = Detail(where="header", field="If-Match", message="Expected an entity tag.")
        raise Refused(428, "match_required", why, [detail])
    return conditions
