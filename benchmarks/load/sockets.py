"""What every load shares: connections, and waiting for them with a deadline."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Iterator
from typing import Final, Self

PATIENCE: Final = 20.0
"""Seconds that a server may let us wait for anything."""
CHUNK: Final = 65_536
"""Bytes read at a time: more of them, and malloc maps and unmaps memory for each read, which takes
five times as long as a small read does."""


class LoadFailed(Exception):
    """The server did not do what the load is about; the text is for people."""


def connect(port: int, *, receive_buffer: int = 0) -> socket.socket:
    """A non-blocking connection; `receive_buffer` bytes in the kernel, 0 leaves it to the kernel.

    Raises OSError.
    """
    connection = socket.socket()
    try:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
    except BaseException:
        connection.close()
        raise
    return connection


class Connections:
    """Connections and the epoll that watches them; all are closed with the `with` block."""

    def __init__(self, port: int, count: int = 0) -> None:
        self.port = port
        self.by_number: dict[int, socket.socket] = {}
        self._epoll = select.epoll()
        for _ in range(count):
            self.add()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._epoll.close()
        for connection in self.by_number.values():
            connection.close()

    def __iter__(self) -> Iterator[socket.socket]:
        return iter(self.by_number.values())

    def fileno(self) -> int:
        """The descriptor of the epoll."""
        return self._epoll.fileno()

    def add(self, *, receive_buffer: int = 0) -> socket.socket:
        """One more."""
        connection = connect(self.port, receive_buffer=receive_buffer)
        self.by_number[connection.fileno()] = connection
        self._epoll.register(connection, select.EPOLLIN)
        return connection

    def watch_writing(self, connection: socket.socket, *, too: bool) -> None:
        """Whether `ready` also tells that it takes more."""
        self._epoll.modify(connection, select.EPOLLIN | (select.EPOLLOUT if too else 0))

    def forget(self, connection: socket.socket) -> None:
        """Close one now."""
        del self.by_number[connection.fileno()]
        connection.close()

    def ignore(self, connections: Iterable[socket.socket]) -> None:
        """Never look at these again."""
        for connection in connections:
            self._epoll.unregister(connection)

    def wait_for(self, connection: socket.socket) -> None:
        """Return when something has come on this one; raises LoadFailed if nothing does."""
        if not select.select([connection], [], [], PATIENCE)[0]:
            raise LoadFailed(f"nothing came for {PATIENCE:.0f} s")

    def ready(self, until: float) -> list[tuple[int, int]]:
        """Descriptors and events, waiting for them at most until then; raises LoadFailed if there
        are none for so long that the server must be stuck."""
        seconds = min(PATIENCE, max(0.0, until - time.perf_counter()))
        events = self._epoll.poll(seconds)
        if not events and seconds == PATIENCE:
            raise LoadFailed(f"nothing came for {PATIENCE:.0f} s")
        return events


def send_whole(connection: socket.socket, data: bytes) -> None:
    """Send something small that the kernel has room for; raises LoadFailed if it has none."""
    try:
        sent = connection.send(data)
    except BlockingIOError:
        sent = 0
    if sent != len(data):
        raise LoadFailed(f"the server reads nothing: {sent} of {len(data)} bytes could be sent")
