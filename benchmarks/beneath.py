"""The server that the contestants stand in front of: one for all of them, on the load's core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import Cores
from benchmarks.servers import Command, Server


class Beneath:
    """It runs while a case is run; `port` is where, and 0 before."""

    def __init__(self, command: Command, prepare: Callable[[Path], None]) -> None:
        """`prepare` is given the folder in which it will run."""
        self._command = command
        self._prepare = prepare
        self.port = 0

    @contextmanager
    def running(self, folder: Path, cores: Cores) -> Iterator[None]:
        """Start it in a folder below, wait until it listens, and end it.

        Raises ServerFailed, also when it has ended meanwhile.
        """
        folder = folder / "beneath"
        folder.mkdir()
        self._prepare(folder)
        with cores.for_load():
            server = Server(self._command, folder)
        with server:
            server.wait_until_it_listens()
            self.port = server.port
            yield
            server.check()
