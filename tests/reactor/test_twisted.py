"""What is Twisted's own altogether works beside our connections, on both reactors alike."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

import pytest
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.internet.threads import deferToThreadPool

from tests.certificate import write_pair
from tests.reactor.actors import Foreign
from tests.reactor.stage import Recorder, Stage
from tests.system.programs import DEADLINE, ROOT, TWISTD, Program, environment

MODULES: Final = ("twisted.internet.epollreactor", "proto.reactor")


def test_datagrams_come_and_go(stage: Stage) -> None:
    class Answering(DatagramProtocol):
        def datagramReceived(self, datagram: bytes, addr: Any) -> None:
            assert self.transport is not None
            self.transport.write(datagram.upper(), addr)

    port = stage.reactor.listenUDP(0, Answering(), interface="127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"hello", ("127.0.0.1", port.getHost().port))
        assert stage.read(peer, 5) == b"HELLO"


def test_unix_sockets_come_and_go(stage: Stage, tmp_path: Path) -> None:
    protocol = Recorder()
    factory = Factory.forProtocol(lambda: protocol)
    factory.noisy = False
    path = str(tmp_path / "socket")
    port = stage.reactor.listenUNIX(path, factory)
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        stage.until(lambda: protocol.connected)
        stage.send(peer, b"hello", protocol)
        protocol.transport.write(b"bye")
        assert stage.read(peer, 3) == b"bye"
    stage.until(lambda: protocol.lost)
    port.stopListening()
    stage.settle()


def test_a_foreign_descriptor_is_read(stage: Stage) -> None:
    near, far = os.pipe()
    os.set_blocking(near, False)
    foreign = Foreign(stage.reactor, near)
    stage.reactor.addReader(foreign)
    os.write(far, b"through a pipe")
    stage.until(lambda: foreign.read == b"through a pipe")
    stage.reactor.removeReader(foreign)
    os.close(near)
    os.close(far)


def test_a_file_that_epoll_cannot_watch_is_read(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"on disk")
    descriptor = os.open(path, os.O_RDONLY)
    foreign = Foreign(stage.reactor, descriptor)
    stage.reactor.addReader(foreign)
    stage.until(lambda: foreign.read == b"on disk")
    stage.reactor.removeReader(foreign)
    os.close(descriptor)


def test_an_error_in_a_foreign_descriptor_is_its_own(stage: Stage) -> None:
    near, far = os.pipe()
    other, friend = stage.pair()

    class Clumsy(Foreign):
        def doRead(self) -> None:
            raise ZeroDivisionError("a bug")

    foreign = Clumsy(stage.reactor, near)
    stage.reactor.addReader(foreign)
    os.write(far, b"x")
    stage.until(lambda: foreign.lost)
    assert [failure.type for failure in stage.failures] == [ZeroDivisionError]
    stage.failures.clear()
    stage.send(friend, b"still here", other)
    os.close(near)
    os.close(far)


def test_threads_are_heard(stage: Stage) -> None:
    reactor = stage.reactor
    came: list[object] = []

    def ask() -> None:
        deferred = deferToThreadPool(reactor, reactor.getThreadPool(), threading.get_ident)
        deferred.addCallback(came.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(ask)
    alarm = reactor.callLater(DEADLINE, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert alarm.active()
    assert len(came) == 1
    assert came != [threading.get_ident()]


PROCESS: Final = """
import {module} as ours
ours.install()
from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol

class Child(ProcessProtocol):
    def connectionMade(self):
        self.transport.write(b"hello")
        self.transport.closeStdin()
    def outReceived(self, data):
        print("said", data.decode())
    def processEnded(self, reason):
        print("ended", reason.value.exitCode)
        reactor.stop()

reactor.callWhenRunning(reactor.spawnProcess, Child(), "/bin/cat", ["cat"])
reactor.run()
"""

START_TLS: Final = """
from pathlib import Path
import {module} as ours
ours.install()
from twisted.internet import reactor, ssl
from twisted.internet.protocol import ClientFactory, Factory, Protocol

files = [Path("privkey.pem"), Path("fullchain.pem")]
certificate = ssl.PrivateCertificate.loadPEM("".join(file.read_text() for file in files))

class Server(Protocol):
    def dataReceived(self, data):
        if data == b"STARTTLS":
            self.transport.write(b"go ahead")
            reactor.callLater(0, self.upgrade)
        elif data == b"enough":
            self.transport.loseConnection()
    def upgrade(self):
        self.transport.startTLS(certificate.options())
        self.transport.write(b"secret ")
        self.transport.write(b"secret " * 29999)

class Client(Protocol):
    heard = b""
    def connectionMade(self):
        self.transport.write(b"STARTTLS")
    def dataReceived(self, data):
        self.heard += data
        if self.heard == b"go ahead":
            self.transport.startTLS(ssl.CertificateOptions())
            self.transport.write(b"thanks")
        if len(self.heard) == 8 + 210000:
            self.transport.write(b"enough")
    def connectionLost(self, reason):
        print(self.heard == b"go ahead" + b"secret " * 30000, reason.type.__name__)
        reactor.stop()

factory = Factory.forProtocol(Server)
port = reactor.listenTCP(0, factory, interface="127.0.0.1")
reactor.connectTCP("127.0.0.1", port.getHost().port, ClientFactory.forProtocol(Client))
reactor.run()
"""


def run(code: str, module: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code.format(module=module)],
        env=environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("module", MODULES)
def test_a_process_is_heard_and_its_end_is_told(module: str, tmp_path: Path) -> None:
    assert run(PROCESS, module, tmp_path) == ["said hello", "ended 0"]


@pytest.mark.parametrize("module", MODULES)
def test_a_connection_can_turn_to_tls(module: str, tmp_path: Path) -> None:
    write_pair(tmp_path)
    assert run(START_TLS, module, tmp_path) == ["True ConnectionDone"]


@pytest.mark.parametrize("reactor", ["epoll", "lean"])
def test_a_signal_stops_twistd_in_order(reactor: str) -> None:
    command = (TWISTD, f"--reactor={reactor}", "--pidfile=", "-n", "echo")
    with Program(*command, "--port", "tcp:0:interface=127.0.0.1", cwd=ROOT) as twistd:
        port = twistd.port("echo")
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as peer:
            peer.sendall(b"hello\n")
            assert peer.recv(100) == b"hello\n"
        twistd.process.send_signal(signal.SIGTERM)
        assert twistd.process.wait(DEADLINE) == 0
