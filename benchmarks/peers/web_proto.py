"""Functions registered with our web server: a text, and JSON made for each request.

Not a program: `twistd web --class benchmarks.peers.web_proto.Root` serves them.
"""

from __future__ import annotations

from proto.web.handlers import Handlers
from proto.web.request import WebRequest
from proto.web.tree import Tree


def hello(request: WebRequest) -> str:
    return "Hello, world!\n"


def as_json(request: WebRequest) -> dict[str, str]:
    return {"message": "Hello, world!", "path": request.path.decode("ascii")}


class Root(Tree):
    def __init__(self) -> None:
        handlers = Handlers()
        handlers.register("/hello", hello)
        handlers.register("/json", as_json)
        super().__init__(handlers, files=None)
