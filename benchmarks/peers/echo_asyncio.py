"""The echo server of asyncio's documentation: with a Protocol, or with `--streams`."""

from __future__ import annotations

import argparse
import asyncio


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--streams", action="store_true")
    options = parser.parse_args()
    asyncio.run(serve(options.port, streams=options.streams))


if __name__ == "__main__":
    main()
