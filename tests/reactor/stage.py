"""A reactor of its own for one test, turned by hand, and peers that are plain sockets.

The process's global reactor is another one and stands still.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.failure import Failure

from proto.reactor.loop import LeanReactor

DEADLINE: Final = 20.0
"""Seconds that anything may take before a test gives up."""
BOTH: Final = (EPollReactor, LeanReactor)


class Recorder(Protocol):
    """Remembers what it is told, in order; a test sets what it does meanwhile."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.lost: list[BaseException] = []
        self.on_data: Callable[[bytes], object] = lambda data: None
        self.on_lost: Callable[[], object] = lambda: None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.on_data(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert reason.value is not None
        self.lost.append(reason.value)
        self.on_lost()


class Stage:
    """The reactor under test and what is connected to it."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.failures: list[Failure] = []
        self.events: list[LogEvent] = []
        self._peers: list[socket.socket] = []
        self._protocols: list[Recorder] = []
        self._ports: list[Any] = []

    def log(self, event: LogEvent) -> None:
        """The log's observer."""
        self.events.append(event)
        failure = event.get("log_failure") or event.get("failure")
        if failure is not None:
            self.failures.append(failure)

    def turn(self) -> None:
        """One turn that waits for nothing."""
        self.reactor.iterate(0)

    def until(self, done: Callable[[], object]) -> None:
        """Turn the reactor until it is done; fail at the deadline."""
        end = time.monotonic() + DEADLINE
        while not done():
            if time.monotonic() > end:
                pytest.fail("it did not come about")
            self.reactor.iterate(0.01)

    def settle(self) -> None:
        """Let everything happen that needs nobody else."""
        for _ in range(5):
            self.turn()

    def listen(self, build: Callable[[], Protocol]) -> Any:
        """A port whose connections get protocols from `build`."""
        factory = Factory.forProtocol(build)
        factory.noisy = False
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self._ports.append(port)
        return port

    def dial(self, port: Any) -> socket.socket:
        """A peer, connected by the kernel; the reactor accepts it in its next turn."""
        peer = socket.create_connection((port.getHost().host, port.getHost().port), DEADLINE)
        self._peers.append(peer)
        return peer

    def pair(self, protocol: Recorder | None = None) -> tuple[Recorder, socket.socket]:
        """A protocol that is connected to a peer; the kernel takes little from it at once."""
        protocol = protocol or Recorder()
        self._protocols.append(protocol)
        port = self.listen(lambda: protocol)
        peer = self.dial(port)
        self.until(lambda: protocol.connected)
        protocol.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        port.stopListening()
        self.turn()
        return protocol, peer

    def read(self, peer: socket.socket, size: int) -> bytes:
        """As many bytes as that, or fewer at the end, while the reactor turns."""
        peer.setblocking(False)
        got = bytearray()
        over = False

        def take() -> bool:
            nonlocal over
            with suppress(BlockingIOError):
                piece = peer.recv(min(65536, size - len(got)))
                got.extend(piece)
                over = not piece
            return over or len(got) >= size

        if size:
            self.until(take)
        return bytes(got)

    def read_to_end(self, peer: socket.socket) -> bytes:
        """Everything until the peer's connection is closed."""
        return self.read(peer, 1 << 40)

    def send(self, peer: socket.socket, data: bytes, protocol: Recorder) -> None:
        """Let the peer say that, and the protocol hear it."""
        before = len(protocol.received)
        peer.sendall(data)
        self.until(lambda: len(protocol.received) >= before + len(data))

    def close(self) -> None:
        """Everything that was opened is closed."""
        for peer in self._peers:
            peer.close()
        # What is paused is unknown to the reactor.
        for each in [protocol.transport for protocol in self._protocols] + self._ports:
            if each.connected:
                each.connectionLost(Failure(ConnectionDone()))
        reactor = self.reactor
        reactor._uninstallHandler()
        for reader in list(reactor._internalReaders):
            reactor.removeReader(reader)
            reader.connectionLost(None)
        reactor.disconnectAll()
        for call in reactor.getDelayedCalls():
            call.cancel()
        reactor._poller.close()


@contextmanager
def staged(kind: Callable[[], Any]) -> Iterator[Stage]:
    """A stage with such a reactor.  What is logged as a failure and not expected fails the test."""
    stage = Stage(kind())
    observer = cast(ILogObserver, stage.log)
    globalLogPublisher.addObserver(observer)
    try:
        yield stage
        assert stage.failures == []
    finally:
        globalLogPublisher.removeObserver(observer)
        stage.close()
