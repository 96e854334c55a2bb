"""A chat server as tutorials of asyncio's streams write it."""

from __future__ import annotations

import argparse
import asyncio

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


async def serve(port: int) -> None:
    server = await asyncio.start_server(chat, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.port))


if __name__ == "__main__":
    main()
