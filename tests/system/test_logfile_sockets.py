"""The log receiver on real sockets, with netcat, in this process."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IHalfCloseableProtocol, IListeningPort
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.logfile.keeping import Rules
from proto.logfile.protocol import LogfileFactory
from proto.logfile.receiver import Receiver as LogReceiver
from proto.logfile.shelf import OneLog
from proto.metrics import Metrics
from tests.logfile.figures import figures, lines

DEADLINE = 20


class Receiver:
    """A LogfileFactory listening on 127.0.0.1, which outlives its port as it does behind a door."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = Metrics()
        self.log = LogReceiver(
            OneLog(path, Rules()), reactor, cast(Any, reactor).callFromThread, self.metrics
        )
        self.factory = LogfileFactory(self.log, reactor, metrics=self.metrics)
        self.factory.doStart()
        self.listener: IListeningPort = reactor.listenTCP(
            0, cast(Any, self.factory), interface="127.0.0.1"
        )
        self.port = cast(IPv4Address, self.listener.getHost()).port
        self.stopped = False

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that the reactor will bring about."""

        async def look() -> None:
            while not true():
                await deferLater(reactor, 0.01)

        await Deferred.fromCoroutine(look()).addTimeout(DEADLINE, reactor)

    async def everybody_left(self) -> None:
        await self.until(lambda: not self.factory._connections)

    async def stop(self) -> None:
        """A clean stop, in the order that a service keeps."""
        if self.stopped:
            return
        self.stopped = True
        await maybeDeferred(self.listener.stopListening)
        self.factory.farewell()
        await self.everybody_left()
        self.factory.doStop()
        await self.log.when_closed()
        lines(self.metrics)

    def shown(self, name: str) -> int:
        return int(figures(self.metrics)[f"logfile_{name}"])


@pytest_twisted.async_yield_fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    receiver = Receiver(tmp_path / "log.txt")
    yield receiver
    await receiver.stop()


def netcat(port: int, sent: bytes) -> Awaitable[subprocess.CompletedProcess[bytes]]:
    return deferToThread(
        subprocess.run,
        ["/usr/bin/nc", "-N", "127.0.0.1", str(port)],
        input=sent,
        capture_output=True,
        timeout=DEADLINE,
    )


def numbered(name: str, count: int) -> list[bytes]:
    return [f"{name} {number} {'x' * (number % 97)}".encode() for number in range(count)]


@pytest_twisted.ensureDeferred
async def test_netcat_sends_a_file_and_is_let_go(receiver: Receiver) -> None:
    lines = numbered("netcat", 20_000)
    done = await netcat(receiver.port, b"\n".join(lines) + b"\nand no newline")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    await receiver.stop()
    assert receiver.path.read_bytes().split(b"\n") == [
        *lines,
        b"and no newline\\x20[unfinished]",
        b"",
    ]
    assert receiver.shown("lines_durable") == 20_001


@pytest_twisted.ensureDeferred
async def test_a_file_that_logrotate_moved_is_followed_by_a_new_one(receiver: Receiver) -> None:
    await netcat(receiver.port, b"before\n")
    await receiver.everybody_left()
    moved = receiver.path.with_suffix(".1")
    receiver.path.rename(moved)
    receiver.log.rotate()
    await netcat(receiver.port, b"after\n")
    await receiver.stop()
    assert moved.read_bytes() == b"before\n"
    assert receiver.path.read_bytes() == b"after\n"


@implementer(IHalfCloseableProtocol)
class Sender(Protocol):
    """Writes numbered lines, a few each turn, until all are sent or the receiver shows its end."""

    def __init__(self, name: str, count: int | None = None) -> None:
        self._name = name
        self._count = count
        self.sent: list[bytes] = []
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self._go_on()

    def _go_on(self) -> None:
        assert self.transport is not None
        if self._count is not None and len(self.sent) >= self._count:
            self.transport.loseConnection()
        elif self.connected:
            lines = [b"%s %d" % (self._name.encode(), len(self.sent) + i) for i in range(7)]
            self.sent += lines
            self.transport.write(b"\n".join(lines)[:-3])
            self.transport.write(b"\n".join(lines)[-3:] + b"\n")
            self._call = reactor.callLater(0, self._go_on)

    def readConnectionLost(self) -> None:
        """The receiver says goodbye: what was written is flushed, and no more follows."""
        if self._call.active():
            self._call.cancel()
        assert self.transport is not None
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Nothing to do: the connection ends as a whole."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._call.active():
            self._call.cancel()
        self.gone.callback(None)


async def connect(receiver: Receiver, sender: Sender) -> Sender:
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", receiver.port), sender)
    return sender


def by_sender(stored: bytes) -> dict[bytes, list[bytes]]:
    *lines, last = stored.split(b"\n")
    assert last == b""
    found: dict[bytes, list[bytes]] = {}
    for line in lines:
        found.setdefault(line.split()[0], []).append(line)
    return found


@pytest_twisted.ensureDeferred
async def test_fifty_senders_at_once_find_all_their_lines_whole_and_in_order(
    receiver: Receiver,
) -> None:
    senders = [await connect(receiver, Sender(f"s{number}", 700)) for number in range(50)]
    for sender in senders:
        await sender.gone
    await receiver.stop()
    found = by_sender(receiver.path.read_bytes())
    assert found == {b"s%d" % number: sender.sent for number, sender in enumerate(senders)}
    assert receiver.shown("lines_durable") == 50 * 700


@pytest_twisted.ensureDeferred
async def test_a_stop_in_mid_stream_loses_no_line_that_was_sent(receiver: Receiver) -> None:
    senders = [await connect(receiver, Sender(f"s{number}")) for number in range(8)]
    await receiver.until(lambda: receiver.shown("lines_received") > 2000)
    await receiver.stop()
    for sender in senders:
        await sender.gone
    found = by_sender(receiver.path.read_bytes())
    assert found == {b"s%d" % number: sender.sent for number, sender in enumerate(senders)}
    assert receiver.shown("lines_refused") == 0


@pytest_twisted.ensureDeferred
async def test_a_stop_takes_what_waits_in_the_kernel_from_a_peer_that_stays(
    receiver: Receiver,
) -> None:
    lines = numbered("kernel", 4000)
    with socket.create_connection(("127.0.0.1", receiver.port), timeout=DEADLINE) as peer:
        await receiver.until(lambda: bool(receiver.factory._connections))
        peer.sendall(b"\n".join(lines) + b"\n")
        assert receiver.shown("bytes_received") == 0
        receiver.factory.farewell()  # before the reactor has looked at the socket again
        await receiver.stop()
        assert peer.recv(1) == b""
    assert receiver.path.read_bytes().split(b"\n") == [*lines, b""]
