"""A log receiver on asyncio's streams: every line is one write to a buffered file."""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import BinaryIO


async def serve(port: int, file: BinaryIO) -> None:
    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                file.write(line)
        except ConnectionError:
            pass  # the client went away
        finally:
            writer.close()

    await asyncio.start_server(receive, "127.0.0.1", port)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", required=True)
    options = parser.parse_args()
    with open(options.file, "ab") as file:
        asyncio.run(serve(options.port, file))


if __name__ == "__main__":
    main()
