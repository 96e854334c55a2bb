"""A web server of Starlette on uvicorn: a text, JSON made for each request, the files of a folder.

uvicorn takes uvloop and httptools by itself where they are installed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles


async def hello(request: Request) -> Response:
    return PlainTextResponse("Hello, world!\n")


async def as_json(request: Request) -> Response:
    return JSONResponse({"message": "Hello, world!", "path": request.url.path})


def application(files: Path | None) -> Starlette:
    """The files are below /files."""
    routes: list[BaseRoute] = [Route("/hello", hello), Route("/json", as_json)]
    if files is not None:
        routes.append(Mount("/files", StaticFiles(directory=files)))
    return Starlette(routes=routes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--files", type=Path)
    options = parser.parse_args()
    uvicorn.run(application(options.files), host="127.0.0.1", port=options.port)


if __name__ == "__main__":
    main()
