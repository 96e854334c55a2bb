"""The page at /api/ that shows the document, and what it is made of; nothing comes from elsewhere.

It is made once, of the document, and needs a script only to try what it shows.  Knows no request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, StrictUndefined

from proto.web.response import HTML, JSON, Headers, Response
from proto.webapi.conditions import Preconditions, is_known, tag_of_bytes

EVENTS: Final = "text/event-stream"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HERE: Final = Path(__file__).parent
_environment: Final = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class Page:
    """What stands at a path and changes only with the process."""

    body: bytes
    kind: str
    status: int = 200
    headers: Headers = ()

    def answer(self, asked: Preconditions) -> Response:
        """The page, or 304 to who has it."""
        etag = tag_of_bytes(self.body)
        headers = (("ETag", etag), ("Cache-Control", "no-cache"), *self.headers)
        if self.status == 200 and is_known(asked, etag):
            return Response(304, headers=headers)
        return Response(self.status, self.body, self.kind, headers)


class Pages:
    """The page, its style and script, and the document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        page = Page(
            rendered(document).encode(), HTML, headers=[("Content-Security-Policy", POLICY)]
        )
        away = Page(b"", "", 308, [("Location", "/api/")])
        self._pages: dict[tuple[bytes, ...], Page] = {
            (): away,
            (b"",): page,
            (b"docs",): away,
            (b"page.css",): Page(_asset("page.css"), "text/css; charset=utf-8"),
            (b"page.js",): Page(_asset("page.js"), "text/javascript; charset=utf-8"),
            (b"openapi.json",): Page(msgspec.json.encode(document), JSON),
        }

    def find(self, segments: Sequence[bytes]) -> Page | None:
        """What stands at these segments below /api."""
        return self._pages.get(tuple(segments))


def rendered(document: Mapping[str, Any]) -> str:
    """The page as HTML."""
    template = _environment.from_string(_asset("page.html").decode())
    shown = [_shown(document, *each) for each in _operations(document)]
    return template.render(
        title=document["info"]["title"],
        tags=[
            (tag, [each for each in shown if each["tag"] == tag["name"]])
            for tag in document["tags"]
        ],
        tokens="securitySchemes" in document["components"],
    )


def _operations(document: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [
        (path, method, operation)
        for path, place in document["paths"].items()
        for method, operation in place.items()
    ]


def _shown(
    document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    kinds = operation.get("requestBody", {}).get("content", {})
    kind = next(iter(kinds), "")
    replies = operation["responses"].values()
    return {
        "name": operation["operationId"],
        "tag": operation["tags"][0],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "says": operation.get("description", ""),
        "parameters": [_parameter(each) for each in operation.get("parameters", ())],
        "kind": kind,
        "body": _indented(example_of(kinds[kind]["schema"], schemas)) if kind else "",
        "answers": [
            (status, reply["description"]) for status, reply in operation["responses"].items()
        ],
        "is_endless": any(EVENTS in reply.get("content", {}) for reply in replies),
    }


def _parameter(told: Mapping[str, Any]) -> dict[str, Any]:
    schema = told["schema"]
    bounds = [
        f"{name} {schema[key]}"
        for key, name in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"))
        if key in schema
    ]
    unit = " characters" if "maxLength" in schema else ""
    default = f"{schema['default']}" if schema.get("default") not in (None, "") else ""
    return {
        "name": told["name"],
        "place": told["in"],
        "required": told.get("required", False),
        "says": told.get("description", ""),
        "kind": " ".join([schema["type"], *bounds]) + unit,
        "default": default,
        "choices": ["true", "false"] if schema["type"] == "boolean" else [],
    }


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    """A value of that schema, for people to change."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        return None if {"type": "null"} in schema["anyOf"] else example_of(schema["anyOf"][0], {})
    match schema["type"]:
        case "object":
            fields = schema["properties"].items()
            return {name: example_of(each, schemas) for name, each in fields}
        case "boolean":
            return True
        case "integer":
            return schema.get("minimum", 1)
        case _:
            return "text"


def _indented(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _asset(name: str) -> bytes:
    return (_HERE / name).read_bytes()
