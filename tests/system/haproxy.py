"""A real haproxy in front of a service, telling it by PROXY headers who its clients are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.system.programs import DEADLINE, Program, program, read_all

CONFIGURATION: Final = """\
global
    stats socket {folder}/haproxy.sock level admin
defaults
    mode tcp
    timeout connect 60s
    timeout client 600s
    timeout server 600s
    timeout check 30s
    default-server check inter 50ms rise 3 fall 1
listen first
    bind 127.0.0.1:{first}
    server chat 127.0.0.1:{port} send-proxy check-send-proxy
listen second
    bind 127.0.0.1:{second}
    server chat 127.0.0.1:{port} send-proxy-v2 check-send-proxy
backend nobody
    server nobody unix@{folder}/nobody.sock
"""
"""haproxy says nothing when it is ready; the first thing that it tells is that `nobody` is down."""


class Haproxy(Program):
    """haproxy, which sends version 1 from its proxy `first` and version 2 from `second`."""

    def __init__(self, port: int, first: int, second: int, cwd: Path) -> None:
        text = CONFIGURATION.format(folder=cwd, port=port, first=first, second=second)
        (cwd / "haproxy.cfg").write_text(text)
        super().__init__(program("haproxy", "haproxy"), "-db", "-f", "haproxy.cfg", cwd=cwd)
        self._folder = cwd

    def ready(self) -> None:
        """Wait until it takes clients and commands."""
        self.wait_for(r"Server nobody/nobody is DOWN")

    def check_again(self, proxy: str) -> None:
        """Call the service down, and wait until three health checks in a row have passed."""
        self.ready()
        before = len(self.output)
        told = self._command(f"set server {proxy}/chat health down")
        assert told.strip() == b""
        self.wait_for(rf"Server {proxy}/chat is UP, reason: Layer4 check passed", after=before)

    def _command(self, text: str) -> bytes:
        """What haproxy answers to a line on its own socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE)
            connection.connect(str(self._folder / "haproxy.sock"))
            connection.sendall(f"{text}\n".encode())
            return read_all(connection)


@contextmanager
def free_port() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody else is given.

    haproxy wants a number and takes no 0.  On Linux a socket that does not listen keeps a port
    away from everybody but those who bind it on purpose with SO_REUSEADDR, as haproxy does.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]
