"""Servers of few words on 127.0.0.1: each connection plays one part, in a thread."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from proto.logfile.relp import OFFERS, Frames, answer

DEADLINE = 20.0
Part = Callable[["Talk"], object]


class Talk:
    """One connection as a part sees it; it is closed when the part is over."""

    def __init__(self, connection: socket.socket, stored: list[bytes]) -> None:
        self.socket = connection
        self.stored = stored
        self._frames = Frames()
        self._waiting: list[tuple[int, bytes, bytes, int]] = []
        self._data = b""

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def frame(self) -> tuple[int, bytes, bytes] | None:
        """The next RELP frame, or None at the end."""
        while not self._waiting:
            data = self.socket.recv(65536)
            if not data:
                return None
            self._waiting += self._frames.feed(data)
            assert not self._frames.broken
        txnr, command, text, _ = self._waiting.pop(0)
        return txnr, command, text

    def open(self) -> None:
        """Take the `open` of a RELP session."""
        found = self.frame()
        assert found is not None
        assert found[:2] == (1, b"open")
        self.say(answer(1, OFFERS))

    def take(self, count: int) -> None:
        """Acknowledge so many messages."""
        for _ in range(count):
            found = self.frame()
            assert found is not None
            assert found[1] == b"syslog"
            self.stored.append(found[2])
            self.say(answer(found[0], b"200 OK"))

    def request(self) -> list[bytes] | None:
        """The lines of the next POST, or None at the end."""
        while not (head := re.match(rb"(.*?)\r\n\r\n", self._data, re.DOTALL)):
            if not self._more():
                return None
        length = re.search(rb"Content-Length: (\d+)", head[1])
        assert length is not None
        end = head.end() + int(length[1])
        while len(self._data) < end:
            assert self._more()
        body, self._data = self._data[head.end() : end], self._data[end:]
        assert body.endswith(b"\n")
        return body.split(b"\n")[:-1]

    def respond(self, status: str, body: bytes = b"", *, headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self.say(head.encode() + body)

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self._data += data
        return bool(data)


class Server:
    """Plays one part after the other, each on a connection of its own; then nobody listens."""

    def __init__(
        self,
        *parts: Part,
        tls: ssl.SSLContext | None = None,
        family: socket.AddressFamily = socket.AF_INET,
        lines: int = 0,
    ) -> None:
        """The last part is played again until so many `lines` are stored."""
        self.stored: list[bytes] = []
        """What was acknowledged, in order."""
        self.trouble: list[BaseException] = []
        self._parts: Sequence[Part] = parts
        self._tls = tls
        self._lines = lines
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        self._listener = socket.create_server((host, 0), family=family)
        self._listener.settimeout(DEADLINE)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._play, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.join(DEADLINE)
        self._listener.close()
        if kind is None:
            assert not self._thread.is_alive()
            assert self.trouble == []

    def _play(self) -> None:
        with self._listener:
            for part in self._parts:
                self._meet(part)
            while len(self.stored) < self._lines and not self.trouble:
                self._meet(self._parts[-1])

    def _meet(self, part: Part) -> None:
        try:
            with self._accepted() as connection:
                connection.settimeout(DEADLINE)
                part(Talk(connection, self.stored))
        except ConnectionError:
            """The client left with something unread: that is its right."""
        except (OSError, AssertionError) as trouble:
            self.trouble.append(trouble)

    @contextmanager
    def _accepted(self) -> Iterator[Any]:
        plain, _ = self._listener.accept()
        with plain:
            if self._tls is None:
                yield plain
                return
            with self._tls.wrap_socket(plain, server_side=True) as secured:
                yield secured


def relp(talk: Talk) -> None:
    """A RELP server without fault."""
    talk.open()
    while (found := talk.frame()) is not None:
        txnr, command, text = found
        if command == b"close":
            talk.say(answer(txnr, b"200 OK") + b"0 serverclose 0\n")
            return
        talk.stored.append(text)
        talk.say(answer(txnr, b"200 OK"))


def http(talk: Talk) -> None:
    """An HTTP server without fault."""
    while (lines := talk.request()) is not None:
        talk.stored.extend(lines)
        talk.respond("200 OK", b'{"stored": %d}' % len(lines))
