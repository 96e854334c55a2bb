from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import ClientFactory, Factory
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from proto.reactor.backlog import FILE_AT_ONCE, CannotSendFile, FileTooShort
from proto.reactor.connection import LeanClient, LeanConnection, sends_files
from proto.tls import Certificates
from tests.certificate import write_pair
from tests.reactor.actors import BIG, HalfCloseable, Producer, reset
from tests.reactor.stage import Recorder, Stage


class Outcome:
    """What came of a Deferred."""

    def __init__(self, deferred: Deferred[Any]) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        deferred.addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, value: object) -> None:
        self.value = value

    def _failed(self, failure: Failure) -> None:
        self.error = failure.value


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    """A file with BIG in it."""
    path = tmp_path / "file"
    path.write_bytes(BIG)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def connect(stage: Stage, port: Any, protocol: Recorder) -> None:
    factory = ClientFactory.forProtocol(lambda: protocol)
    factory.noisy = False
    stage.reactor.connectTCP("127.0.0.1", port.getHost().port, factory)


def test_a_file_is_sent_between_what_is_written_before_and_after(lean: Stage, file: int) -> None:
    protocol, peer = lean.pair()
    outcomes: list[Outcome] = []

    def answer(data: bytes) -> None:
        protocol.transport.write(b"head ")
        outcomes.append(Outcome(protocol.transport.sendFile(file, 0, len(BIG))))
        protocol.transport.write(b" tail")
        protocol.transport.loseConnection()

    protocol.on_data = answer
    peer.sendall(b"x")
    assert lean.read_to_end(peer) == b"head " + BIG + b" tail"
    assert outcomes[0].value == len(BIG)


def test_a_file_that_fits_is_sent_at_once(lean: Stage, file: int) -> None:
    protocol, peer = lean.pair()
    assert Outcome(protocol.transport.sendFile(file, 1, 3)).value == 3
    assert peer.recv(10) == BIG[1:4]


def test_a_long_file_leaves_the_others_their_turns(lean: Stage, file: int) -> None:
    one, peer = lean.pair()
    two, friend = lean.pair()
    one.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
    outcome = Outcome(one.transport.sendFile(file, 0, len(BIG)))
    friend.sendall(b"x")
    lean.until(lambda: two.received)
    assert outcome.value is None
    assert lean.read(peer, len(BIG)) == BIG
    lean.until(lambda: outcome.value)
    assert len(BIG) > 4 * FILE_AT_ONCE


def test_what_follows_a_file_that_ended_early_can_be_held_back(lean: Stage, file: int) -> None:
    protocol, peer = lean.pair()
    sending = protocol.transport.sendFile(file, len(BIG) - 9, 10)
    sending.addErrback(lambda failure: protocol.transport.abortConnection())
    protocol.transport.write(b"the next answer")
    lean.until(lambda: protocol.lost)
    got = bytearray(50)
    with suppress(ConnectionResetError):
        assert BIG[-9:].startswith(got[: peer.recv_into(got)])
        pytest.fail(f"the peer hears more: {peer.recv(50)!r}")


def test_a_producer_is_resumed_after_the_file(lean: Stage, file: int) -> None:
    protocol, peer = lean.pair()
    producer = Producer()
    protocol.transport.bufferSize = 1000
    protocol.transport.registerProducer(producer, True)
    protocol.transport.sendFile(file, 0, len(BIG))
    assert producer.asked == [], "a file takes no memory"
    protocol.transport.write(b"x" * 1001)
    assert producer.asked == ["pause"]
    assert lean.read(peer, len(BIG) + 1001) == BIG + b"x" * 1001
    lean.until(lambda: producer.asked == ["pause", "resume"])
    protocol.transport.unregisterProducer()


def test_a_lost_connection_fails_the_files_that_wait(lean: Stage, file: int) -> None:
    protocol, peer = lean.pair()
    first = Outcome(protocol.transport.sendFile(file, 0, len(BIG)))
    second = Outcome(protocol.transport.sendFile(file, 0, 1))
    peer.close()
    lean.until(lambda: protocol.lost)
    assert first.error is second.error is protocol.lost[0]


def test_a_file_of_which_nothing_left_can_be_cancelled(lean: Stage, file: int) -> None:
    protocol, peer = lean.pair()
    protocol.transport.write(BIG)
    sending = protocol.transport.sendFile(file, 0, 5)
    outcome = Outcome(sending)
    sending.cancel()
    protocol.transport.write(b"end")
    assert lean.read(peer, len(BIG) + 3) == BIG + b"end"
    assert isinstance(outcome.error, CancelledError)


def test_cancelling_a_file_that_has_begun_ends_the_connection(lean: Stage, file: int) -> None:
    protocol, _ = lean.pair()
    sending = protocol.transport.sendFile(file, 0, len(BIG))
    outcome = Outcome(sending)
    sending.cancel()
    lean.until(lambda: protocol.lost)
    assert isinstance(protocol.lost[0], ConnectionAborted)
    assert isinstance(outcome.error, CancelledError)


def test_no_file_is_taken_when_nothing_more_is_sent(lean: Stage, file: int) -> None:
    protocol, peer = lean.pair()
    with pytest.raises(ValueError, match="no part of a file"):
        protocol.transport.sendFile(file, -1, 5)
    peer.close()
    lean.until(lambda: protocol.lost)
    with pytest.raises(CannotSendFile):
        protocol.transport.sendFile(file, 0, 5)
    assert FileTooShort(3).sent == 3


def test_a_write_error_is_told_once_and_as_a_loss(lean: Stage) -> None:
    """The kernel tells the error to the write alone; the read after it finds a clean end."""
    protocol = HalfCloseable()
    _, peer = lean.pair(protocol)
    reset(peer)
    protocol.transport.write(b"x")
    protocol.transport.write(b"y")
    assert (protocol.lost, protocol.transport.unsent > 0) == ([], True)
    lean.until(lambda: protocol.lost)
    assert [type(reason).__name__ for reason in protocol.lost] == ["ConnectionLost"]
    assert protocol.ended == []


def test_both_ends_can_be_ours(stage: Stage) -> None:
    server, client = Recorder(), Recorder()
    server.on_data = lambda data: server.transport.write(data.upper())
    port = stage.listen(lambda: server)
    connect(stage, port, client)
    stage.until(lambda: client.connected)
    client.transport.write(b"hello")
    stage.until(lambda: client.received == b"HELLO")
    assert client.transport.getPeer() == server.transport.getHost()
    client.transport.loseConnection()
    stage.until(lambda: server.lost and client.lost)
    assert isinstance(client.lost[0], ConnectionDone)
    assert isinstance(server.lost[0], ConnectionDone)
    port.stopListening()
    stage.settle()


def test_a_client_is_of_our_kind_and_greets_in_one_piece(lean: Stage) -> None:
    held: list[int] = []

    class Greeter(Recorder):
        def connectionMade(self) -> None:
            self.transport.write(b"hello ")
            self.transport.write(b"you")
            held.append(self.transport.unsent)

    server, client = Recorder(), Greeter()
    port = lean.listen(lambda: server)
    connect(lean, port, client)
    lean.until(lambda: server.received == b"hello you")
    assert isinstance(client.transport, LeanClient)
    assert held == [9]
    client.transport.loseConnection()
    lean.until(lambda: server.lost and client.lost)


def test_a_refused_connection_is_told(stage: Stage) -> None:
    reasons: list[BaseException | None] = []

    class Factory(ClientFactory):
        noisy = False

        def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
            reasons.append(reason.value)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        stage.reactor.connectTCP("127.0.0.1", taken.getsockname()[1], Factory())
        stage.until(lambda: reasons)
    assert isinstance(reasons[0], ConnectionRefusedError)


def test_a_connected_socket_can_be_adopted(stage: Stage) -> None:
    protocol = Recorder()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
    accepted.setblocking(False)
    factory = Factory.forProtocol(lambda: protocol)
    stage.reactor.adoptStreamConnection(accepted.fileno(), socket.AF_INET, factory)
    accepted.close()
    stage.send(peer, b"hello", protocol)
    assert isinstance(protocol.transport.getPeer(), IPv4Address)
    peer.close()
    stage.until(lambda: protocol.lost)


def test_ipv6_is_spoken(stage: Stage) -> None:
    protocol = Recorder()
    factory = Factory.forProtocol(lambda: protocol)
    factory.noisy = False
    port = stage.reactor.listenTCP(0, factory, interface="::1")
    with socket.create_connection(("::1", port.getHost().port)) as peer:
        stage.until(lambda: protocol.connected)
        stage.send(peer, b"hello", protocol)
        peer_address = protocol.transport.getPeer()
        assert isinstance(peer_address, IPv6Address)
        assert (peer_address.host, peer_address.port) == peer.getsockname()[:2]
    stage.until(lambda: protocol.lost)


def test_no_delay_is_the_protocols_choice(lean: Stage) -> None:
    protocol, _ = lean.pair()
    assert protocol.transport.getTcpNoDelay() is False
    protocol.transport.setTcpNoDelay(True)
    assert protocol.transport.getTcpNoDelay() is True


def test_tls_over_it_carries_everything_both_ways(stage: Stage, tmp_path: Path) -> None:
    write_pair(tmp_path)
    server, client = Recorder(), Recorder()
    server.on_data = lambda data: server.transport.write(data)
    clock = stage.reactor
    inner = Factory.forProtocol(lambda: server)
    certificates = Certificates(str(tmp_path), clock.seconds, ())
    port = stage.reactor.listenTCP(0, TLSMemoryBIOFactory(certificates, False, inner, clock))
    outer = ClientFactory.forProtocol(lambda: client)
    outer.noisy = inner.noisy = False
    there = TLSMemoryBIOFactory(CertificateOptions(), True, outer, clock)
    stage.reactor.connectTCP("127.0.0.1", port.getHost().port, there)
    stage.until(lambda: client.connected)
    client.transport.write(BIG)
    stage.until(lambda: len(client.received) == len(BIG))
    assert client.received == BIG
    client.transport.loseConnection()
    stage.until(lambda: server.lost and client.lost)


def test_no_file_goes_out_in_the_clear_below_tls(lean: Stage, tmp_path: Path, file: int) -> None:
    write_pair(tmp_path)
    server = Recorder()
    inner = Factory.forProtocol(lambda: server)
    inner.noisy = False
    certificates = Certificates(str(tmp_path), lean.reactor.seconds, ())
    factory = TLSMemoryBIOFactory(certificates, False, inner, lean.reactor)
    port = lean.reactor.listenTCP(0, factory, interface="127.0.0.1")
    peer = lean.dial(port)
    lean.until(lambda: server.connected)
    assert sends_files(server.transport) is None
    with pytest.raises(CannotSendFile):
        server.transport.sendFile(file, 0, 5)
    peer.close()
    lean.until(lambda: server.lost)


def test_a_plain_connection_sends_files(lean: Stage) -> None:
    protocol, _ = lean.pair()
    assert isinstance(protocol.transport, LeanConnection)
    assert sends_files(protocol.transport) is protocol.transport
    assert sends_files(object()) is None
