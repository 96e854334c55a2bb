"""Who plays in these tests: producers, a protocol that can be half closed, a foreign descriptor."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from typing import Any, Final

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.reactor.stage import Recorder

BIG: Final = bytes(range(256)) * 16_000
"""More than the kernel takes from us at once."""


def reset(peer: socket.socket) -> None:
    """Close so that the other side's writes fail."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@implementer(IPushProducer)
class Producer:
    """A streaming producer that remembers what it is asked, and does what a test wants."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.on_pause: Any = lambda: None
        self.on_resume: Any = lambda: None

    def pauseProducing(self) -> None:
        self.asked.append("pause")
        self.on_pause()

    def resumeProducing(self) -> None:
        self.asked.append("resume")
        self.on_resume()

    def stopProducing(self) -> None:
        self.asked.append("stop")


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Recorder):
    """Is told when one direction ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    def readConnectionLost(self) -> None:
        self.ended.append("read")

    def writeConnectionLost(self) -> None:
        self.ended.append("write")


class Foreign(FileDescriptor):
    """A descriptor that is none of the reactor's own kinds."""

    def __init__(self, reactor: Any, number: int) -> None:
        super().__init__(reactor)
        self.read = b""
        self.asked = 0
        self.lost: list[Failure] = []
        self._number = number

    def fileno(self) -> int:
        return self._number

    def doRead(self) -> None:
        self.asked += 1
        with suppress(BlockingIOError):
            self.read += os.read(self._number, 100)

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason)
        super().connectionLost(reason)
