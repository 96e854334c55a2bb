"""Ping-pong on many connections, and bulk on one."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass

from benchmarks.figures import Sample
from benchmarks.load import Target
from benchmarks.load.meter import Meter
from benchmarks.load.sockets import CHUNK, Connections, LoadFailed, send_whole


@dataclass(frozen=True, slots=True)
class PingPong:
    """Each connection sends a message and, when it is back whole, the next one.

    The first message on each connection is not measured.
    """

    connections: int
    size: int = 64

    def __call__(self, target: Target, seconds: float) -> Sample:
        message = bytes(ord("a") + at % 26 for at in range(self.size))
        with Connections(target.port, self.connections) as connections:
            sent_at = dict.fromkeys(connections.by_number, 0.0)
            missing = dict.fromkeys(connections.by_number, self.size)
            latencies: list[float] = []
            for connection in connections:
                send_whole(connection, message)
                connections.wait_for(connection)
                if connection.recv(CHUNK) != message:
                    raise LoadFailed("what came back is not what was sent")
            meter = Meter(target)
            now = meter.began
            end = now + seconds
            for connection in connections:
                sent_at[connection.fileno()] = time.perf_counter()
                send_whole(connection, message)
            while now < end:
                for number, _ in connections.ready(end):
                    connection = connections.by_number[number]
                    data = connection.recv(CHUNK)
                    if not data or data not in message:
                        raise LoadFailed("what came back is not what was sent")
                    missing[number] -= len(data)
                    now = time.perf_counter()
                    if not missing[number]:
                        latencies.append(now - sent_at[number])
                        missing[number] = self.size
                        sent_at[number] = now
                        send_whole(connection, message)
                now = time.perf_counter()
            return meter.sample(len(latencies), latencies)


@dataclass(frozen=True, slots=True)
class Bulk:
    """One connection that writes blocks as fast as they come back; the rate is in MiB a second.

    At most `window` bytes are on their way, so that a server which buffers without bound is not
    driven out of memory.
    """

    block: int = 65536
    window: int = 1 << 20

    def __call__(self, target: Target, seconds: float) -> Sample:
        data = memoryview(bytes(self.block))
        buffer = bytearray(4 * CHUNK)
        sent = received = 0
        with Connections(target.port, 1) as connections:
            (connection,) = connections
            connections.watch_writing(connection, too=True)
            meter = Meter(target)
            now = meter.began
            end = now + seconds
            writing = True
            while now < end:
                for _, events in connections.ready(end):
                    if events & select.EPOLLIN:
                        count = connection.recv_into(buffer)
                        if not count:
                            raise LoadFailed("the server closed the connection")
                        received += count
                    if events & select.EPOLLOUT:
                        sent += connection.send(data[sent % self.block :])
                room = sent - received < self.window
                if room != writing:
                    connections.watch_writing(connection, too=room)
                    writing = room
                now = time.perf_counter()
            return meter.sample(received / 2**20)
