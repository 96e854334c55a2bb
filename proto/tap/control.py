"""What a master and its workers tell each other, over a pair of sockets that ends with either.

One message at a time is under way for each question, and none is longer than `MAX_MESSAGE`: so
what waits in a pair of sockets is bounded.  Knows nothing of processes.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

MAX_MESSAGE: Final = 1024 * 1024
"""Bytes; the figures of a busy process are some 20 KiB."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """`tell` asks for figures and `told` brings those of one process; `ask` and `answer` are the
    same for those of all; `ready`: a worker listens; `hangup`, `hurry`: as the signals."""

    kind: Literal["ready", "tell", "told", "ask", "answer", "hangup", "hurry"]
    metrics: str = ""
    services: dict[str, bool] = {}


class Line(Int32StringReceiver):
    """One end of the pair."""

    log = Logger()
    MAX_LENGTH = MAX_MESSAGE

    def __init__(self, hear: Callable[[Message], None], lost: Callable[[], None]) -> None:
        """`lost` is called once, when the other end is gone or makes no sense."""
        self._hear = hear
        self._lost = lost

    def say(self, message: Message) -> None:
        """Send it; nothing happens when the other end is gone."""
        data = msgspec.json.encode(message)
        if len(data) > MAX_MESSAGE:
            self.log.error("{size} bytes of figures are too many to tell", size=len(data))
            data = msgspec.json.encode(Message(message.kind, services=message.services))
        if self.connected:
            self.sendString(data)

    def close(self) -> None:
        """Send what is said and end the connection."""
        if self.transport is not None:
            self.transport.loseConnection()

    # Twisted calls these.
    def stringReceived(self, string: bytes) -> None:
        try:
            message = msgspec.json.decode(string, type=Message)
        except msgspec.DecodeError as error:
            self.log.error("a message between processes makes no sense: {why}", why=str(error))
            self.close()
            return
        self._hear(message)

    def lengthLimitExceeded(self, length: int) -> None:
        self.log.error("a message of {length} bytes between processes is too long", length=length)
        self.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self._lost()


class _Single(Factory):
    """Gives the one protocol that it was made with."""

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._only = protocol

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return self._only


def join(reactor: Any, end: socket.socket, line: Line) -> None:
    """Let `line` speak through that socket, which is closed here: the reactor has its own."""
    with end:
        end.setblocking(False)
        reactor.adoptStreamConnection(end.fileno(), socket.AF_UNIX, _Single(line))
