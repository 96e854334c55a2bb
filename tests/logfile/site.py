"""A started log receiver over a disk in memory; the test is its reactor and its thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from proto.logfile.keeping import Rules
from proto.logfile.protocol import LogfileFactory, LogfileProtocol
from proto.logfile.receiver import DEADLINE, Receiver
from proto.logfile.shelf import OneLog
from proto.metrics import Metrics
from tests.logfile.disk import FakeDisk
from tests.logfile.figures import figures, lines
from tests.support import connect

PATH: Final = "/logs/here.log"


class Site:
    """What reaches the disk reaches it in `settle`."""

    def __init__(
        self, *, max_line: int = 16, framing: str = "line", ack: bool = False, found: bytes = b""
    ) -> None:
        """`found` is what is in the file already."""
        self.disk = FakeDisk()
        if found:
            self.disk.put(PATH, found)
        self.clock = Clock()
        self.metrics = Metrics()
        self.grace = DEADLINE
        self.calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self.receiver = Receiver(
            OneLog(Path(PATH), Rules(), self.disk),
            self.clock,
            self._in_reactor,
            self.metrics,
            deadline=lambda: self.grace,
            in_thread=lambda run: None,
        )
        self.factory = LogfileFactory(
            self.receiver,
            self.clock,
            framing=framing,
            max_line=max_line,
            ack=ack,
            metrics=self.metrics,
        )
        self.factory.doStart()

    def connect(self, port: int = 4242) -> tuple[LogfileProtocol, StringTransport]:
        protocol, wire = connect(self.factory, port=port)
        assert isinstance(protocol, LogfileProtocol)
        return protocol, wire

    def settle(self, seconds: float = 0) -> None:
        """So much later the thread does what there is to do, and the reactor hears of it."""
        self.clock.advance(seconds)
        self.receiver.writer.step()
        while not self.calls.empty():
            self.calls.get()()
            lines(self.metrics)

    def _in_reactor(self, call: Callable[..., object], *about: Any, **fields: Any) -> None:
        self.calls.put(lambda: call(*about, **fields))

    @property
    def stored(self) -> bytes:
        """All that is in the log."""
        return self.disk.stored(PATH)

    def shown(self, name: str) -> int:
        lines(self.metrics)
        return int(figures(self.metrics)[f"logfile_{name}"])
