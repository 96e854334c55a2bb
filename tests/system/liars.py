"""A server that is told by the path what to do wrong, and remembers who has left it."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tests.system.programs import DEADLINE

PIECE: Final = bytes(64 * 1024)
MIB: Final = 1024 * 1024


class Liar:
    """Each connection has a thread; what it answers is the function of that name."""

    def __init__(self) -> None:
        self.left = threading.Semaphore(0)
        """Released when somebody has hung up on us in the middle."""
        self.sent = 0
        """Bytes of the last endless body that the kernel took."""
        self.received = 0
        """Bytes of the last body that was read."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)

    def start(self) -> None:
        self._accepting.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(DEADLINE)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(DEADLINE)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(65536)
                if not data:
                    return
                head += data
            head, _, body = head.partition(b"\r\n\r\n")
            name = head.split()[1].decode().strip("/").replace("-", "_")
            getattr(self, f"_{name}")(connection, head, body)

    def _nothing(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        """Hang up."""

    def _copy(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        """No lie: what was asked."""
        while not body.endswith(b"end"):
            body += connection.recv(65536)
        told = head + b"\r\n\r\n" + body
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(told) + told)

    def _short(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    def _double(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")

    def _bare(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc")

    def _endless_head(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        self._until_left(connection, b"X-Secret: abc\r\n")

    def _reset(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        connection.recv(1)  # when the client has that
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _chunks(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nnonsense\r\n"
        connection.sendall(chunk)

    def _silent(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        if not connection.recv(1):
            self.left.release()

    def _endless(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self._until_left(connection, PIECE)

    def _until_left(self, connection: socket.socket, data: bytes) -> None:
        self.sent = 0
        try:
            while True:
                self.sent += connection.send(data)
        except OSError:
            self.left.release()
            raise

    def _large(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        """Take a body of a known length, and give one that is as long."""
        found = re.search(rb"Content-Length: (\d+)", head)
        assert found is not None
        size = int(found[1])
        self.received = len(body)
        while self.received < size:
            self.received += len(connection.recv(len(PIECE)))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(PIECE)):
            connection.sendall(PIECE)


@contextmanager
def liar() -> Iterator[Liar]:
    """One that lives as long as the `with` block."""
    one = Liar()
    one.start()
    try:
        yield one
    finally:
        one.stop()


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes (proc(5))."""
    with open(f"/proc/{pid}/status") as status:
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
    assert found is not None
    return int(found[1]) * 1024
