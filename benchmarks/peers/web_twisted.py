"""Plain resources of twisted.web: a text, and JSON made for each request.

Not a program: `twistd twisted-web --class benchmarks.peers.web_twisted.Root` serves them on stock
Twisted, and our `twistd web --class ...` serves the very same ones.
"""

from __future__ import annotations

import json

from twisted.web.resource import Resource
from twisted.web.server import Request


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return b"Hello, world!\n"


class Json(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", b"application/json")
        value = {"message": "Hello, world!", "path": request.path.decode("ascii")}
        return json.dumps(value).encode()


class Root(Resource):
    def __init__(self) -> None:
        super().__init__()
        self.putChild(b"hello", Hello())
        self.putChild(b"json", Json())
