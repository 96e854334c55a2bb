"""The echo server of asyncio's documentation: with a Protocol, or with `--streams`.

`--uvloop` has it run on uvloop, which sets TCP_NODELAY as asyncio does.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import cast


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: what uvloop has is none of asyncio's classes.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # the client went away
    finally:
        writer.close()


async def serve(port: int, *, streams: bool) -> None:
    if streams:
        server = await asyncio.start_server(echo, "127.0.0.1", port)
    else:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


def loop_factory(*, uvloop: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not uvloop:
        return None
    from uvloop import new_event_loop  # it may not be installed where nobody asks for it

    return new_event_loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--streams", action="store_true")
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=loop_factory(uvloop=options.uvloop)) as runner:
        runner.run(serve(options.port, streams=options.streams))


if __name__ == "__main__":
    main()
