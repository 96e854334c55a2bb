"""What echo does with more bytes than anybody reads: a real reactor, real sockets, a real nc."""

from __future__ import annotations

import hashlib
import os
import re
import selectors
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from proto.echo.echo import EchoFactory
from proto.echo.service import IStream
from tests.system.programs import Program

MIB: Final = 1024 * 1024
SENT: Final = 256 * MIB
BLOCK: Final = os.urandom(64 * 1024)
DEADLINE: Final = 60.0
SERVER: Final = """
from twisted.internet import reactor
from proto.echo.echo import EchoFactory
print("port", reactor.listenTCP(0, EchoFactory(), interface="127.0.0.1").getHost().port)
reactor.run()
"""


@pytest.fixture(name="server")
def echo_in_a_process_of_its_own(tmp_path: Path) -> Iterator[Program]:
    with Program(sys.executable, "-c", SERVER, cwd=tmp_path) as server:
        yield server


def port_of(server: Program) -> int:
    return int(server.wait_for(r"^port (\d+)$")[1])


def memory(server: Program, field: str) -> int:
    """Bytes: `VmRSS` is what the process holds now, `VmHWM` the most it ever held."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def the_reactor() -> Any:
    """The one that pytest-twisted installed; imported late, so that it can choose."""
    from twisted.internet import reactor

    return reactor


def within_deadline(awaited: Deferred[None]) -> Deferred[None]:
    awaited.addTimeout(DEADLINE, the_reactor())
    return awaited


@implementer(IPullProducer)
class Stalled(Protocol):
    """A client that sends `size` bytes and reads none before it is told to.

    `stalled` fires when the server has taken nothing for a second, `ended` with the connection.
    """

    transport: IStream

    def __init__(self, clock: IReactorTime, size: int) -> None:
        self.clock = clock
        self.stalled: Deferred[None] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.size = size
        self.sent = 0
        self.received = 0
        self.sent_hash = hashlib.blake2b()
        self.received_hash = hashlib.blake2b()
        self._patience: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.transport.pauseProducing()
        self._patience = self.clock.callLater(1, self._give_up)
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The kernel took all of the last block: the next one, told apart by its number."""
        block = self.sent.to_bytes(8, "big") + BLOCK[8:]
        self.sent += len(block)
        self.sent_hash.update(block)
        self.transport.write(block)
        if self._patience is not None:
            self._patience.reset(1)
        if self.sent >= self.size:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        """The connection is gone."""

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        self.received_hash.update(data)
        if self.received == self.size:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(None)

    def _give_up(self) -> None:
        self._patience = None
        self.stalled.callback(None)


@pytest_twisted.ensureDeferred
async def test_256_mib_to_a_reader_that_stalls_take_bounded_memory_and_all_come_back(
    server: Program,
) -> None:
    reactor = the_reactor()
    client = Stalled(reactor, SENT)
    port = port_of(server)
    before = memory(server, "VmRSS")
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), client)
    await within_deadline(client.stalled)
    # The socket refused bytes for a second: what it took before is in the kernel's buffers.
    assert client.sent < 64 * MIB
    assert memory(server, "VmHWM") - before < 8 * MIB

    client.transport.resumeProducing()
    await within_deadline(client.ended)
    assert client.received == client.sent == SENT
    assert client.received_hash.digest() == client.sent_hash.digest()
    assert memory(server, "VmHWM") - before < 8 * MIB


@pytest_twisted.ensureDeferred
async def test_farewell_ends_the_connection_of_a_reader_that_stalled() -> None:
    reactor = the_reactor()
    factory = EchoFactory()
    listening = reactor.listenTCP(0, factory, interface="127.0.0.1")
    client = Stalled(reactor, SENT)
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", listening.getHost().port)
    await connectProtocol(endpoint, client)
    await within_deadline(client.stalled)
    (peer,) = factory.peers
    factory.farewell()
    assert factory.peers == {peer}  # what is unsent goes first
    client.transport.resumeProducing()
    await within_deadline(client.ended)
    await listening.stopListening()
    assert factory.peers == set()


@pytest.mark.parametrize("attempt", range(3))
def test_nc_gets_back_all_of_20_mb_after_it_finished_sending(
    server: Program, tmp_path: Path, attempt: int
) -> None:
    (tmp_path / "sent").write_bytes(os.urandom(20_000_000))
    with (tmp_path / "sent").open("rb") as sent:
        done = subprocess.run(
            ["nc", "-N", "127.0.0.1", str(port_of(server))],
            stdin=sent,
            capture_output=True,
            timeout=DEADLINE,
            check=True,
        )
    assert done.stderr == b""
    assert done.stdout == (tmp_path / "sent").read_bytes()


def test_hello_comes_back_to_nc_before_the_connection_ends(server: Program) -> None:
    command = ["nc", "127.0.0.1", str(port_of(server))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as nc:
        assert nc.stdin is not None
        assert nc.stdout is not None
        nc.stdin.write(b"hello")
        nc.stdin.close()  # the end of `printf hello |`; Debian's nc waits on without -N
        with selectors.DefaultSelector() as selector:
            selector.register(nc.stdout, selectors.EVENT_READ)
            came = selector.select(DEADLINE)
        answer = os.read(nc.stdout.fileno(), 100) if came else b"nothing in time"
        still_connected = nc.poll() is None
        nc.terminate()
    assert answer == b"hello"
    assert still_connected


def test_hello_comes_back_to_nc_when_it_finishes_sending(server: Program) -> None:
    done = subprocess.run(
        ["nc", "-N", "127.0.0.1", str(port_of(server))],
        input=b"hello",
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stdout == b"hello"
