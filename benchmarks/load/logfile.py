"""Lines on many connections, as fast as the server takes them."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import Sample
from benchmarks.load import Target
from benchmarks.load.meter import Meter
from benchmarks.load.sockets import PATIENCE, Connections, LoadFailed

LINE_BYTES: Final = 100
"""Of one line, its line feed included."""
BLOCK_LINES: Final = 640
"""Lines in one block of about 64 KiB; only whole blocks are sent."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Everybody sends for so many seconds, or until `most` lines are sent in all; then all end
    their side and wait until the server, which has read everything then, ends its own."""

    connections: int
    most: int

    def __call__(self, target: Target, seconds: float) -> Sample:
        block = memoryview(_block())
        with Connections(target.port, self.connections) as connections:
            for connection in connections:
                connections.watch_writing(connection, too=True)
            sent = dict.fromkeys(connections.by_number, 0)
            blocks_left = max(self.connections, self.most // BLOCK_LINES)
            meter = Meter(target)
            end = meter.began + seconds
            deadline = end + PATIENCE
            open_ones = set(connections.by_number)
            while open_ones:
                for number, events in connections.ready(deadline):
                    connection = connections.by_number[number]
                    if events & (select.EPOLLHUP | select.EPOLLERR):
                        _finish(connections, connection, open_ones)
                    elif events & select.EPOLLIN:
                        if connection.recv(4096):
                            raise LoadFailed("the server answered")
                        _finish(connections, connection, open_ones)
                    elif at := sent[number] % len(block):
                        sent[number] += connection.send(block[at:])
                    elif blocks_left and time.perf_counter() < end:
                        blocks_left -= 1
                        sent[number] += connection.send(block)
                    else:
                        connections.watch_writing(connection, too=False)
                        connection.shutdown(socket.SHUT_WR)
                if time.perf_counter() > deadline:
                    raise LoadFailed(f"{len(open_ones)} connections do not end")
            return meter.sample(sum(sent.values()) // LINE_BYTES)


def verify(folder: Path, lines: float) -> str:
    """What is wrong with the file log.txt in that folder, if anything."""
    feeds = size = 0
    with (folder / "log.txt").open("rb") as file:
        while chunk := file.read(1 << 20):
            feeds += chunk.count(b"\n")
            size += len(chunk)
    if (feeds, size) == (lines, lines * LINE_BYTES):
        return ""
    return f"{lines:,.0f} lines were sent, the file has {feeds:,} and {size:,} bytes"


def _block() -> bytes:
    lines = (b"line %05d of a block, " % at for at in range(BLOCK_LINES))
    return b"".join(line.ljust(LINE_BYTES - 1, b".") + b"\n" for line in lines)


def _finish(connections: Connections, connection: socket.socket, open_ones: set[int]) -> None:
    """The server has ended its side."""
    open_ones.discard(connection.fileno())
    connections.ignore([connection])
