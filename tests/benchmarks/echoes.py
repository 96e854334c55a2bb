"""Echoes for the tests of the loads: right ones, and some that are wrong in one way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[bytes, int], bytes]
"""What came in one read, and how much had come before -> what to say; empty: hang up."""


class Peers:
    """The connections of an echo, each in a thread of its own."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._threads: list[threading.Thread] = []

    def add(self, peer: socket.socket) -> None:
        """Serve one more."""
        self._threads.append(threading.Thread(target=self._serve, args=[peer]))
        self._threads[-1].start()

    @property
    def open(self) -> int:
        """How many have not gone."""
        return sum(thread.is_alive() for thread in self._threads)

    def all_went(self) -> bool:
        """Wait until they have, some seconds at most."""
        for thread in self._threads:
            thread.join(10)
        return not self.open

    def _serve(self, peer: socket.socket) -> None:
        before = 0
        with peer, suppress(ConnectionError):  # a load that has seen enough just goes
            while data := peer.recv(65536):
                if not (words := self._answer(data, before)):
                    return
                peer.sendall(words)
                before += len(data)


@contextmanager
def listening(answer: Answer = lambda data, before: data) -> Iterator[tuple[int, Peers]]:
    """The port, and whoever comes; they all have gone when it is over."""
    peers = Peers(answer)

    def accept() -> None:
        with suppress(OSError):  # it is closed below
            while True:
                peers.add(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1], peers
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            assert peers.all_went()
