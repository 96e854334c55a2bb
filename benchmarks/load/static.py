"""GET of one file on many connections, one request at a time on each."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Sample
from benchmarks.load import Target
from benchmarks.load.meter import Meter
from benchmarks.load.sockets import CHUNK, Connections, LoadFailed, send_whole

LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Requests:
    """Each connection asks for the file and, when all of it has come, asks again.

    The first answer on each connection is not measured, and comes before the next one is opened:
    http.server's queue of five newcomers would overflow, and each that is lost costs a second.

    A head that comes without all of its body is acknowledged at once.  Otherwise http.server, which
    sends them apart and leaves Nagle's algorithm on, would be measured by the 40 ms for which
    Linux puts an acknowledgement off.

    Without `keep_alive` it connects anew for each request, and connecting is part of the latency.
    """

    path: str
    size: int
    connections: int
    keep_alive: bool = True

    def __call__(self, target: Target, seconds: float) -> Sample:
        request = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n" % self.path.encode()
        request += b"\r\n" if self.keep_alive else b"Connection: close\r\n\r\n"
        with Connections(target.port) as connections:
            answers: dict[int, _Answer] = {}
            for _ in range(self.connections):
                connection = connections.add()
                answers[connection.fileno()] = _Answer(self.size)
                if self.keep_alive:
                    send_whole(connection, request)
                    while not answers[connection.fileno()].comes_whole(connection):
                        connections.wait_for(connection)
            latencies: list[float] = []
            meter = Meter(target)
            now = meter.began
            end = now + seconds
            asked_at = dict.fromkeys(connections.by_number, now)
            for connection in connections:
                send_whole(connection, request)
            while now < end:
                for number, _ in connections.ready(end):
                    connection = connections.by_number[number]
                    if not answers[number].comes_whole(connection):
                        continue
                    now = time.perf_counter()
                    latencies.append(now - asked_at[number])
                    if not self.keep_alive:
                        connections.forget(connection)
                        connection = connections.add()
                        number = connection.fileno()
                        answers[number] = _Answer(self.size)
                    asked_at[number] = now
                    send_whole(connection, request)
                now = time.perf_counter()
            return meter.sample(len(latencies), latencies)


class _Answer:
    """What has come of one connection's present answer."""

    __slots__ = ("_head", "_missing", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._head = b""
        self._missing = -1  # unknown until the head is whole

    def comes_whole(self, connection: socket.socket) -> bool:
        """Read once; whether the answer is whole now.  Then the next one may come."""
        try:
            data = connection.recv(CHUNK)
        except BlockingIOError:
            return False
        if not data:
            raise LoadFailed("the connection ended in the middle of an answer")
        if self._missing >= 0:
            self._missing -= len(data)
        else:
            self._head += data
            if b"\r\n\r\n" not in self._head:
                return False
            self._missing = self._size - len(self._body())
            if self._missing:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if self._missing > 0:
            return False
        self._head, self._missing = b"", -1
        return True

    def _body(self) -> bytes:
        """What has come of the body, now that the head is there."""
        head, _, body = self._head.partition(b"\r\n\r\n")
        length = LENGTH.search(head + b"\r\n")
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")) or length is None:
            raise LoadFailed(f"the answer was {head[:80]!r}")
        if int(length[1]) != self._size:
            raise LoadFailed(f"{int(length[1])} bytes are announced, the file has {self._size}")
        return body
