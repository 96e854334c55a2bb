"""A wire between two programs that a test can cut, mend, and make lose what it carries.

Knows bytes and connections only.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.system.programs import DEADLINE


class Cable:
    """A wire between a browser and a server that can be cut and mended; it knows bytes only."""

    def __init__(self, port: int) -> None:
        self._far = port
        self._is_cut = False
        self._is_deaf = False
        self._is_mute = False
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def port(self) -> int:
        """Where the near end is."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(DEADLINE)
        self._listener.close()

    def cut(self) -> None:
        """End every connection as a broken network does, with RST, and let in none."""
        with self._lock:
            self._is_cut = True
            for end in self._ends:
                # Linger for no second: what is on its way is lost.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD)

    def mend(self) -> None:
        """Let connections in again, and carry what they say."""
        with self._lock:
            self._is_cut = self._is_deaf = self._is_mute = False

    def deafen(self) -> None:
        """Lose from now on what the browser says."""
        self._is_deaf = True

    def silence(self) -> None:
        """Lose from now on what the server says."""
        self._is_mute = True

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # the end of the test
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        """Bytes both ways; whichever side ends, the connection does."""
        far = socket.create_connection(("127.0.0.1", self._far), DEADLINE)
        others = {near: far, far: near}
        with near, far:
            with self._lock:
                if self._is_cut:
                    return
                self._ends |= {near, far}
            with suppress(ConnectionError):  # the browser or the server hung up, or we did
                while self._carry_once(near, others):
                    continue
            with self._lock:
                self._ends -= {near, far}

    def _carry_once(self, near: socket.socket, others: dict[socket.socket, socket.socket]) -> bool:
        for source in select.select(list(others), [], [])[0]:
            data = source.recv(65536)
            if not data:
                return False
            if not (self._is_deaf if source is near else self._is_mute):
                others[source].sendall(data)
        return True
