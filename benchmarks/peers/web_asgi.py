"""An ASGI application without a framework, for granian: a text, and JSON made for each request.

Files are granian's own affair (`--static-path-mount`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """What an ASGI server calls for each request."""
    if scope["type"] != "http":
        raise ValueError(f"{scope['type']!r} is not served")
    status, path = 200, scope["path"]
    if path == "/hello":
        kind, body = b"text/plain; charset=utf-8", b"Hello, world!\n"
    elif path == "/json":
        kind = b"application/json"
        body = json.dumps({"message": "Hello, world!", "path": path}).encode()
    else:
        status, kind, body = 404, b"text/plain", b"There is nothing here.\n"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
