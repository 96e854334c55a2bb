"""The declarations of operations as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1).

Plain values; no request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from proto.web.pages import PROBLEM
from proto.web.response import JSON, phrase_of
from proto.webapi.declared import Operation, Reply, refusals_of
from proto.webapi.problems import Problem

VERSION: Final = "3.1.0"
ID_MOST: Final = (1 << 53) - 1
"""Above it a number of JavaScript is not exact."""

_REFERENCE: Final = "#/components/schemas/{name}"
_SEGMENT: Final = re.compile(r"<(?:(int):)?(\w+)>")
_ETAG: Final = {"type": "string", "pattern": '^(W/)?"[!#-~]*"$'}
_HEADERS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "ETag": ("The version, for If-Match and If-None-Match.", _ETAG),
    "Location": ("Where it can be read.", {"type": "string"}),
    "Retry-After": ("When to come again, in seconds.", {"type": "integer", "minimum": 0}),
    "Allow": ("The methods that can be used here.", {"type": "string"}),
    "WWW-Authenticate": ("How to say who one is.", {"type": "string"}),
}
_REFUSAL_HEADERS: Final[Mapping[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
}
_SAYS: Final[Mapping[int, str]] = {
    400: "It is malformed: the query, a header, or the JSON.",
    401: "No token, or one that is not known.",
    403: "A page of another origin asks for a change.",
    404: "There is no such thing.",
    406: "The client takes no JSON.",
    409: "It does not fit what is there: the name is taken, or there is no such user.",
    410: "It is no longer there.",
    412: "It is not the version that If-Match names.",
    413: "The body is too long.",
    415: "The body is of another type.",
    422: "A parameter or a field of the body has not the value that it should have.",
    428: "If-Match is needed.",
    429: "Too much was asked for; Retry-After tells when to come again.",
    500: "Something went wrong here.",
    503: "Not now; Retry-After tells when to come again.",
}


def document(
    operations: Sequence[Operation],
    *,
    title: str,
    version: str,
    tags: Mapping[str, str],
    tokens: bool = False,
    others: Sequence[Operation] = (),
    others_problem: Any = None,
) -> dict[str, Any]:
    """All of it; `tags` tells what each of the tags is, `others` are operations of other parts of
    the process, which ask for no tokens and refuse in the shape `others_problem`."""
    paths: dict[str, dict[str, Any]] = {}
    schemas = _schemas([*operations, *others], others_problem)
    for each in operations:
        place = paths.setdefault(_path(each.path), {})
        place[each.method.lower()] = _operation(each, schemas, Problem, tokens)
    for each in others:
        place = paths.setdefault(_path(each.path), {})
        place[each.method.lower()] = _operation(each, schemas, others_problem, False)
    components: dict[str, Any] = {"schemas": schemas.components}
    if tokens:
        components["securitySchemes"] = {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "NAME.SECRET, as in the file that --api-tokens names.",
            },
            "basic": {"type": "http", "scheme": "basic"},
        }
    used = {each.tag for each in (*operations, *others)}
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": version},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": tags[name]} for name in tags if name in used],
        "paths": paths,
        "components": components,
    }


class _Schemas:
    """The JSON schemas of all types that are mentioned."""

    def __init__(self, types: Sequence[Any]) -> None:
        schemas, self.components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
        self._of = dict(zip(types, schemas, strict=True))

    def of(self, shape: Any) -> dict[str, Any]:
        """A reference to the type's schema."""
        found: dict[str, Any] = self._of[shape]
        return found


def _schemas(operations: Sequence[Operation], others_problem: Any) -> _Schemas:
    types = {Problem: None, **({others_problem: None} if others_problem else {})}
    for each in operations:
        if each.body is not None:
            types[each.body] = None
        types |= {reply.shape: None for reply in each.replies if reply.shape is not None}
    return _Schemas(list(types))


def _path(template: str) -> str:
    return _SEGMENT.sub(lambda found: f"{{{found[2]}}}", template)


def _operation(
    operation: Operation, schemas: _Schemas, problem: Any, tokens: bool
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.says:
        told["description"] = operation.says
    parameters = [*_in_path(operation), *_in_query(operation), *_in_head(operation)]
    if parameters:
        told["parameters"] = parameters
    if operation.body is not None:
        content = {kind: {"schema": schemas.of(operation.body)} for kind in operation.kinds}
        told["requestBody"] = {"required": True, "content": content}
    statuses = (
        operation.refusals if problem is not Problem else refusals_of(operation, tokens=tokens)
    )
    told["responses"] = {
        **{str(each.status): _reply(each, schemas) for each in operation.replies},
        **{str(each): _refusal(each, schemas.of(problem)) for each in statuses},
    }
    if tokens:
        told["security"] = [{"token": []}, {"basic": []}]
    return told


def _in_path(operation: Operation) -> list[dict[str, Any]]:
    whole = {"type": "integer", "minimum": 1, "maximum": ID_MOST}
    text = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": whole if kind else text}
        for kind, name in _SEGMENT.findall(operation.path)
    ]


def _in_query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    _, components = msgspec.json.schema_components([operation.query], ref_template=_REFERENCE)
    told = components[operation.query.__name__]
    found = []
    for name, schema in told["properties"].items():
        schema = dict(schema)
        says = schema.pop("description", "")
        required = name in told.get("required", ())
        parameter = {"name": name, "in": "query", "required": required, "schema": schema}
        found.append({**parameter, "description": says} if says else parameter)
    return found


def _in_head(operation: Operation) -> list[dict[str, Any]]:
    match operation.match:
        case "read":
            names = {"If-None-Match": "Only if it is not of these versions any more: else 304."}
        case "may" | "must":
            names = {"If-Match": "The versions that are meant, or * for any: else 412."}
        case _:
            return []
    return [
        {
            "name": name,
            "in": "header",
            "required": operation.match == "must",
            "description": says,
            "schema": {"type": "string"},
            "example": '"1"',
        }
        for name, says in names.items()
    ]


def _reply(reply: Reply, schemas: _Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {"description": reply.says}
    if reply.headers:
        told["headers"] = {name: _header(name, True) for name in reply.headers}
    if reply.shape is not None:
        told["content"] = {reply.kind: {"schema": schemas.of(reply.shape)}}
    elif reply.kind != JSON:
        told["content"] = {reply.kind: {"schema": {"type": "string"}}}
    if reply.leads:
        told["links"] = {
            name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
            for name in reply.leads
        }
    return told


def _refusal(status: int, schema: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": _SAYS.get(status, phrase_of(status)),
        "content": {PROBLEM: {"schema": schema}},
    }
    if status in _REFUSAL_HEADERS:
        told["headers"] = {name: _header(name, True) for name in _REFUSAL_HEADERS[status]}
    return told


def _header(name: str, required: bool) -> dict[str, Any]:
    says, schema = _HEADERS[name]
    return {"description": says, "required": required, "schema": dict(schema)}
