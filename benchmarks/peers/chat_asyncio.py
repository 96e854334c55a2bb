"""A chat server as tutorials of asyncio's streams write it.

With `--uvloop` it is the faster form: a Protocol, on uvloop.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import cast

clients: set[asyncio.StreamWriter] = set()


async def chat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"Welcome to the party!\r\n")
    clients.add(writer)
    try:
        while line := await reader.readline():
            message = f"127.0.0.1 says {line.decode().rstrip()}\r\n".encode()
            for client in list(clients):
                client.write(message)
                await client.drain()
    except ConnectionError:
        pass  # a client went away
    finally:
        clients.discard(writer)
        writer.close()


class Chat(asyncio.Protocol):
    def __init__(self, transports: set[asyncio.Transport]) -> None:
        self.transports = transports
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(b"Welcome to the party!\r\n")
        self.transports.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            message = f"127.0.0.1 says {line.decode().rstrip()}\r\n".encode()
            for transport in self.transports:
                transport.write(message)


async def serve(port: int, *, protocol: bool) -> None:
    if protocol:
        transports: set[asyncio.Transport] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Chat(transports), "127.0.0.1", port)
    else:
        server = await asyncio.start_server(chat, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    if options.uvloop:
        import uvloop

        uvloop.run(serve(options.port, protocol=True))
    else:
        asyncio.run(serve(options.port, protocol=False))


if __name__ == "__main__":
    main()
