"""A WSGI application without a framework, for granian: a text, and JSON made for each request.

Files are granian's own affair (`--static-path-mount`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What a WSGI server calls for each request (PEP 3333)."""
    status, path = "200 OK", environ["PATH_INFO"]
    if path == "/hello":
        kind, body = "text/plain; charset=utf-8", b"Hello, world!\n"
    elif path == "/json":
        kind = "application/json"
        body = json.dumps({"message": "Hello, world!", "path": path}).encode()
    else:
        status, kind, body = "404 Not Found", "text/plain", b"There is nothing here.\n"
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
