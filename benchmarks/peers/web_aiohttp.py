"""A web server of aiohttp: a text, JSON made for each request, and the files of a folder."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from aiohttp import web


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="Hello, world!\n")


async def as_json(request: web.Request) -> web.Response:
    return web.json_response({"message": "Hello, world!", "path": request.path})


def application(files: Path | None) -> web.Application:
    """The files are below /files."""
    made = web.Application()
    made.router.add_get("/hello", hello)
    made.router.add_get("/json", as_json)
    if files is not None:
        made.router.add_static("/files", files)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    loop = asyncio.new_event_loop()
    if options.uvloop:
        import uvloop

        loop = uvloop.new_event_loop()
    web.run_app(application(options.files), host="127.0.0.1", port=options.port, loop=loop)


if __name__ == "__main__":
    main()
