from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from twisted.internet.protocol import Factory, Protocol

from tests.reactor.stage import Recorder, Stage
from tests.system.programs import DEADLINE, ROOT, environment


@contextmanager
def crowd(stage: Stage, port: object, count: int) -> Iterator[list[socket.socket]]:
    """So many peers that the kernel has connected already."""
    with ExitStack() as stack:
        yield [stack.enter_context(stage.dial(port)) for _ in range(count)]


def test_no_more_are_accepted_in_a_turn_than_its_owner_says(lean: Stage) -> None:
    made: list[Recorder] = []

    def build() -> Recorder:
        made.append(Recorder())
        return made[-1]

    port = lean.listen(build)
    port.numberAccepts = 3
    with crowd(lean, port, 8):
        counts = []
        for _ in range(4):
            lean.turn()
            counts.append(len(made))
        assert counts == [3, 6, 8, 8]
        assert port.numberAccepts == 3
    lean.until(lambda: all(each.lost for each in made))


def test_a_port_that_rests_accepts_nobody_and_then_all(stage: Stage) -> None:
    made: list[Recorder] = []

    def build() -> Recorder:
        made.append(Recorder())
        return made[-1]

    port = stage.listen(build)
    port.stopReading()
    with crowd(stage, port, 3):
        stage.settle()
        assert made == []
        port.startReading()
        stage.until(lambda: len(made) == 3)
    stage.until(lambda: all(each.lost for each in made))


def test_whoever_is_in_the_queue_can_be_let_in_by_hand(stage: Stage) -> None:
    """As a doorkeeper does before it closes."""
    made: list[Recorder] = []

    def build() -> Recorder:
        made.append(Recorder())
        return made[-1]

    port = stage.listen(build)
    port.stopReading()
    with crowd(stage, port, 5):
        port.numberAccepts = 4096
        port.doRead()
        assert len(made) == 5
    stage.until(lambda: all(each.lost for each in made))


def test_a_factory_may_refuse(stage: Stage) -> None:
    class Refusing(Factory):
        noisy = False

        def buildProtocol(self, addr: object) -> Protocol | None:
            return None

    port = stage.reactor.listenTCP(0, Refusing(), interface="127.0.0.1")
    peer = stage.dial(port)
    assert stage.read_to_end(peer) == b""


def test_a_factory_that_raises_leaves_the_port_open(lean: Stage) -> None:
    made: list[Recorder] = []

    def build() -> Recorder:
        if not lean.failures:
            raise ZeroDivisionError("a bug")
        made.append(Recorder())
        return made[-1]

    port = lean.listen(build)
    first, second = lean.dial(port), lean.dial(port)
    assert lean.read_to_end(first) == b""
    lean.until(lambda: made)
    assert [failure.type for failure in lean.failures] == [ZeroDivisionError]
    lean.failures.clear()
    second.close()
    lean.until(lambda: made[0].lost)


def test_a_port_that_is_closed_by_its_first_guest_accepts_no_second(lean: Stage) -> None:
    made: list[Recorder] = []

    class Last(Recorder):
        def connectionMade(self) -> None:
            made.append(self)
            port.connectionLost(None)

    port = lean.listen(Last)
    with crowd(lean, port, 2):
        lean.settle()
        assert len(made) == 1
    lean.until(lambda: made[0].lost)


def test_a_socket_that_is_listening_already_can_be_adopted(stage: Stage) -> None:
    protocol = Recorder()
    factory = Factory.forProtocol(lambda: protocol)
    factory.noisy = False
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = stage.reactor.adoptStreamPort(listening.fileno(), socket.AF_INET, factory)
    peer = stage.dial(port)
    stage.send(peer, b"hello", protocol)
    peer.close()
    stage.until(lambda: protocol.lost)


SHORT = """
import os, resource, socket, sys
from twisted.logger import globalLogPublisher, formatEvent
from proto.reactor.loop import install
install()
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

told, made = [], []
globalLogPublisher.addObserver(lambda event: told.append(formatEvent(event) or ""))

class Counted(Protocol):
    def connectionMade(self):
        made.append(self)

factory = Factory.forProtocol(Counted)
port = reactor.listenTCP(0, factory, interface="127.0.0.1")
place = port.getHost().host, port.getHost().port
asked = []
accept = port.doRead
port.doRead = lambda: (asked.append(1), accept())[1]

def dial():
    peer = socket.socket()
    peer.connect(place)
    return peer

def exhaust():
    peers = [dial() for _ in range(3)]
    files = []
    try:
        while True:
            files.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    reactor.callLater(0.3, relieve, peers, files)

def relieve(peers, files):
    print("accepted while short:", len(made))
    print("asked while short:", len(asked))
    print("resting:", port not in reactor.getReaders())
    print("told:", sum("rests" in line for line in told))
    for descriptor in files:
        os.close(descriptor)
    peers.append(dial())
    port.stopReading()
    port.startReading()
    print("still resting:", port not in reactor.getReaders())
    wait(peers)

def wait(peers):
    if not made:
        reactor.callLater(0.02, wait, peers)
        return
    print("accepted afterwards:", len(made))
    reactor.stop()

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
reactor.callWhenRunning(exhaust)
reactor.run()
"""


def test_without_descriptors_it_rests_and_comes_back(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", SHORT],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.sub(r"^20.*\n", "", done.stdout, flags=re.M).splitlines() == [
        "accepted while short: 0",
        "asked while short: 1",
        "resting: True",
        "told: 1",
        "still resting: True",
        "accepted afterwards: 1",
    ]


def test_a_port_that_closes_while_it_rests_leaves_no_timer(lean: Stage) -> None:
    port = lean.listen(Recorder)
    port._run_short(OSError(105, "No buffer space available"))
    assert port not in lean.reactor.getReaders()
    assert any("No buffer space" in str(event.get("why")) for event in lean.events)
    port.stopListening()
    lean.settle()
    assert lean.reactor.getDelayedCalls() == []


def test_one_that_was_told_to_stop_while_it_rests_stays_so(lean: Stage) -> None:
    port = lean.listen(Recorder)
    port._run_short(OSError(105, "No buffer space available"))
    port.stopReading()
    [call] = lean.reactor.getDelayedCalls()
    call.reset(0)
    lean.settle()
    assert port not in lean.reactor.getReaders()
    port.startReading()
    assert port in lean.reactor.getReaders()


@pytest.mark.parametrize("number", [1, 103])
def test_a_connection_that_was_gone_is_passed_over(lean: Stage, number: int) -> None:
    """EPERM, ECONNABORTED: from a firewall, or on a machine that is not Linux."""

    class Socket:
        def __init__(self) -> None:
            self.answers: list[OSError] = [OSError(number, "gone"), BlockingIOError()]

        def accept(self) -> None:
            raise self.answers.pop(0)

    port = lean.listen(Recorder)
    real, port.socket = port.socket, Socket()
    port.doRead()
    assert port.socket.answers == []
    port.socket = real
    assert port in lean.reactor.getReaders()
