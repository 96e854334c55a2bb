"""Small questions at a steady pace while something else goes on in the same process."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Sample, percentile
from benchmarks.load import Target
from benchmarks.load.generator import Followed, Generator, Sent
from benchmarks.load.logfile import FILE
from benchmarks.load.sockets import PATIENCE, LoadFailed

PORT_FILE: Final = "logfile.port"
"""In the server's folder: the port on which it takes lines, while `port` is that of its echo."""
QUESTION: Final = bytes(range(97, 123)) + b"\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """One who asks the echo every `pause` seconds, whether the last answer was late or not, while
    as many lines come on `connections` as are taken; none on none.

    A question that has to wait for the answer before it counts from when it was due.
    `most` is the bytes of lines that may be sent at most.
    """

    connections: int
    size: int
    most: int
    pause: float = 0.01
    stretch: float = 1.0

    def __call__(self, target: Target, seconds: float) -> Sample:
        seconds *= self.stretch
        worked, began = target.worked(), time.perf_counter()
        loaded = time.process_time()
        with self._lines(target, seconds) as sent:
            latencies = list(self._answers(target.port, seconds))
        return Sample(
            amount=len(latencies),
            seconds=time.perf_counter() - began,
            worked=target.worked() - worked,
            memory=target.memory(),
            p50=percentile(latencies, 0.50),
            p99=percentile(latencies, 0.99),
            loaded=time.process_time() - loaded + sum(each.cpu for each in sent),
            longest=max(latencies),
        )

    def _answers(self, port: int, seconds: float) -> Iterator[float]:
        """The seconds that each one took."""
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            due = time.perf_counter()
            end = due + seconds
            while due < end:
                time.sleep(max(0.0, due - time.perf_counter()))
                connection.sendall(QUESTION)
                answer = b""
                while len(answer) < len(QUESTION):
                    if not (data := connection.recv(len(QUESTION))):
                        raise LoadFailed("the echo hung up")
                    answer += data
                yield time.perf_counter() - due
                due += self.pause

    @contextmanager
    def _lines(self, target: Target, seconds: float) -> Iterator[list[Sent]]:
        """Lines come meanwhile; in the end they are all in the file, and what was sent is told."""
        told: list[Sent] = []
        if not self.connections:
            yield told
            return
        with Generator(
            int((target.folder / PORT_FILE).read_text()),
            connections=self.connections,
            size=self.size,
            lines=self.most // self.size,
            seconds=seconds,
        ) as generator:
            yield told
            told.append(generator.result())
            Followed(target.folder / FILE).wait_for(told[0].lines)
