from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorFDSet, IReactorTCP
from twisted.logger import LogEvent
from twisted.python import log
from zope.interface.verify import verifyObject

from proto.reactor.interfaces import ITurns
from proto.reactor.loop import LeanReactor
from tests.reactor.actors import BIG
from tests.reactor.stage import Stage
from tests.system.programs import DEADLINE, ROOT, environment


def test_it_is_a_reactor_that_tells_when_a_turn_ends(lean: Stage) -> None:
    for interface in (ITurns, IReactorFDSet, IReactorTCP):
        assert verifyObject(interface, lean.reactor)


def test_the_end_of_a_turn_comes_after_its_events_and_timed_calls(lean: Stage) -> None:
    one, peer = lean.pair()
    two, friend = lean.pair()
    order: list[str] = []

    def heard(data: bytes) -> None:
        order.append(data.decode())
        lean.reactor.callAtEndOfTurn(order.append, "end")
        lean.reactor.callLater(0, order.append, "timed")

    one.on_data = two.on_data = heard
    peer.sendall(b"x")
    friend.sendall(b"x")
    lean.until(lambda: order.count("end") == 2)
    assert order == ["x", "x", "timed", "timed", "end", "end"]


def test_each_call_comes_once_and_in_order(lean: Stage) -> None:
    order: list[int] = []
    for number in range(3):
        lean.reactor.callAtEndOfTurn(order.append, number)
    lean.settle()
    assert order == [0, 1, 2]


def test_what_is_asked_for_at_the_end_of_a_turn_comes_at_the_end_of_the_next(lean: Stage) -> None:
    """So nobody who asks again and again keeps the others waiting."""
    protocol, peer = lean.pair()
    turns: list[bytes] = []

    def again() -> None:
        turns.append(protocol.received)
        if len(turns) < 50:
            lean.reactor.callAtEndOfTurn(again)

    lean.reactor.callAtEndOfTurn(again)
    lean.turn()
    assert len(turns) == 1
    peer.sendall(b"a turn for me")
    lean.until(lambda: len(turns) == 50)
    assert turns[5] == b"a turn for me"


def test_an_error_at_the_end_of_a_turn_is_logged_and_hurts_nobody(lean: Stage) -> None:
    order: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError("a bug")

    lean.reactor.callAtEndOfTurn(fail)
    lean.reactor.callAtEndOfTurn(order.append, "next")
    lean.turn()
    assert order == ["next"]
    assert [failure.type for failure in lean.failures] == [ZeroDivisionError]
    lean.failures.clear()


@pytest.mark.parametrize("ask", ["again", "soon", "stop", "thread"])
def test_nothing_asked_for_at_the_end_of_a_turn_is_slept_over(lean: Stage, ask: str) -> None:
    """The reactor runs by itself, with nothing else to wake it."""
    reactor = lean.reactor
    asked = {
        "again": lambda: reactor.callAtEndOfTurn(reactor.stop),
        "soon": lambda: reactor.callLater(0.01, reactor.stop),
        "stop": reactor.stop,
        "thread": lambda: reactor.callFromThread(reactor.stop),
    }
    reactor.callWhenRunning(reactor.callAtEndOfTurn, asked[ask])
    slept: list[bool] = []

    def wake() -> None:
        slept.append(True)
        reactor.callFromThread(reactor.stop)

    alarm = threading.Timer(DEADLINE, wake)
    alarm.start()
    reactor.run(installSignalHandlers=False)
    alarm.cancel()
    alarm.join()
    assert not slept


class Reset:
    """A socket whose peer resets it between the poll and the read."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real

    def recv(self, size: int) -> bytes:
        raise ConnectionResetError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def test_a_read_that_fails_ends_the_connection(lean: Stage) -> None:
    protocol, peer = lean.pair()
    protocol.transport.socket = Reset(protocol.transport.socket)
    peer.sendall(b"x")
    lean.until(lambda: protocol.lost)
    assert [type(reason) for reason in protocol.lost] == [ConnectionLost]


def test_a_timed_call_is_not_late_for_the_end_of_turns(lean: Stage) -> None:
    reactor = lean.reactor
    seen: list[float] = []
    start = time.monotonic()
    reactor.callLater(0.05, lambda: seen.append(time.monotonic() - start))
    reactor.callAtEndOfTurn(lambda: None)
    lean.until(lambda: seen)
    assert seen[0] >= 0.05


def test_what_one_turn_brings_can_leave_as_one(lean: Stage) -> None:
    """As the chat does it: each says something, and everybody hears it in one write."""
    people = [lean.pair() for _ in range(3)]
    said: list[bytes] = []
    writes: list[bytes] = []

    def publish() -> None:
        line = b"".join(said)
        said.clear()
        writes.append(line)
        for protocol, _ in people:
            protocol.transport.write(line)

    def hear(data: bytes) -> None:
        if not said:
            lean.reactor.callAtEndOfTurn(publish)
        said.append(data)

    for protocol, peer in people:
        protocol.on_data = hear
        peer.sendall(b"hello ")
    for _, peer in people:
        assert lean.read(peer, 18) == b"hello " * 3
    assert len(writes) == 1


def test_the_log_names_the_connection(lean: Stage) -> None:
    protocol, peer = lean.pair()
    protocol.on_data = lambda data: log.msg("heard something")
    lean.send(peer, b"x", protocol)
    heard = [event for event in lean.events if event.get("log_text") == "heard something"]
    assert [event["system"] for event in heard] == [protocol.transport.logPrefix()]
    assert "Recorder," in heard[0]["system"]


def test_the_log_names_nobody_between_turns(lean: Stage) -> None:
    protocol, peer = lean.pair()
    lean.send(peer, b"x", protocol)
    lean.reactor.callAtEndOfTurn(log.msg, "the end")
    lean.settle()
    told: list[LogEvent] = [event for event in lean.events if event.get("log_text") == "the end"]
    assert [event["system"] for event in told] == ["-"]


def test_who_polls_inside_data_received_has_sent_what_was_written(stage: Stage) -> None:
    protocol, peer = stage.pair()
    answers: list[bytes] = []

    def ask(data: bytes) -> None:
        protocol.on_data = lambda data: None
        protocol.transport.write(b"question")
        answers.append(stage.read(peer, 8))

    protocol.on_data = ask
    peer.sendall(b"x")
    stage.until(lambda: answers)
    assert answers == [b"question"]


@pytest.mark.parametrize("waiting", [b"", BIG], ids=["idle", "writing"])
def test_one_that_is_paused_by_another_in_the_same_turn_hears_nothing(
    lean: Stage, waiting: bytes
) -> None:
    one, peer = lean.pair()
    two, friend = lean.pair()
    one.transport.write(waiting)
    two.transport.write(waiting)
    one.on_data = lambda data: two.transport.pauseProducing()
    two.on_data = lambda data: one.transport.pauseProducing()
    peer.sendall(b"x")
    friend.sendall(b"x")
    lean.until(lambda: one.received or two.received)
    lean.settle()
    assert sorted([one.received, two.received]) == [b"", b"x"]


def test_what_is_removed_is_not_called(lean: Stage) -> None:
    protocol, peer = lean.pair()
    assert protocol.transport in lean.reactor.getReaders()
    lean.reactor.removeAll()
    peer.sendall(b"x")
    lean.settle()
    assert (protocol.received, lean.reactor._lean) == (b"", {})


def test_a_connection_closed_underneath_is_forgotten(lean: Stage) -> None:
    protocol, _ = lean.pair()
    protocol.transport.socket.close()
    lean.reactor._selectables.clear()  # the kernel has forgotten it too
    lean.reactor._reads.clear()
    lean.reactor.removeReader(protocol.transport)
    assert lean.reactor._lean == {}
    protocol.transport.connected = False


def run(*code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "\n".join(code)],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize("module", ["proto.reactor", LeanReactor.__module__])
def test_it_installs_itself(module: str) -> None:
    done = run(
        f"import {module} as ours",
        "ours.install()",
        "from twisted.internet import reactor",
        "print(type(reactor).__name__)",
    )
    assert (done.stdout, done.stderr) == ("LeanReactor\n", "")


def test_the_interfaces_load_no_reactor() -> None:
    """They are asked for on every reactor, and where there is no epoll."""
    done = run(
        "import sys, proto.reactor.interfaces",
        "print('twisted.internet.epollreactor' in sys.modules)",
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_twistd_knows_it() -> None:
    twistd = os.path.join(os.path.dirname(sys.executable), "twistd")
    done: Any = subprocess.run(
        [twistd, "--help-reactors"],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert "lean" in done.stdout.split("not available")[0]
