from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure

from proto.endpoints import parse
from proto.errors import StartError
from proto.metrics import Metrics
from proto.tap.control import Line, Message
from proto.tap.pool import Pool
from proto.tap.service import ABORT_DEADLINE, BoundDoor, Opened
from proto.tap.worker import CONTROL, FIRST_SOCKET, VARIABLE
from proto.tap.workers import (
    FIRST_PAUSE,
    LAST_WORDS,
    LONGEST_PAUSE,
    MAX_LINE,
    STEADY,
    Command,
    Lines,
    Master,
    Worker,
    how_it_ended,
)
from tests.tap.test_control import End

GRACE = 3.0


class Child:
    """A process that was started, in name only."""

    def __init__(self, worker: Worker, environment: dict[str, str], inherits: dict[int, Any]):
        self.worker = worker
        self.environment = environment
        self.inherits = inherits
        self.pid = 4242
        self.signals: list[str] = []
        self.far = End()
        self.is_gone = False

    # The worker's master calls this, as that of a process transport.
    def signalProcess(self, name: str) -> None:
        if self.is_gone:
            raise ProcessExitedAlready
        self.signals.append(name)

    def heard(self) -> list[Message]:
        wire = cast(StringTransport, self.worker.line.transport)
        self.far.line.dataReceived(wire.value())
        wire.clear()
        return self.far.heard

    def end(self, code: int = 1) -> None:
        self.exit(code)
        self.worker.processEnded(Failure(ProcessDone(0)))

    def exit(self, code: int = 1) -> None:
        """It is gone, but something that it has started has its log still open."""
        self.is_gone = True
        self.worker.line.connectionLost()
        self.worker.processExited(Failure(ProcessTerminated(code) if code else ProcessDone(0)))


class Machine(Clock):
    """A reactor that starts processes in name only."""

    def __init__(self) -> None:
        super().__init__()
        self.children: list[Child] = []
        self.fails = False

    def spawnProcess(
        self,
        worker: Worker,
        program: str,
        command: list[str],
        environment: dict[str, str],
        path: str,
        childFDs: dict[int, Any],
    ) -> Child:
        if self.fails:
            raise OSError(11, "Resource temporarily unavailable")
        assert (program, path) == (command[0], "/somewhere")
        self.children.append(Child(worker, environment, childFDs))
        return self.children[-1]

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Any) -> None:
        line: Line = factory.buildProtocol(None)
        line.makeConnection(StringTransport())


class Site:
    """A master with two workers on one port."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.pool = Pool(2, self.machine, Metrics(), lambda: {"web": True})
        self.bound = socket.create_server(("127.0.0.1", 0))
        self.reopened = 0
        self.closed: list[str] = []
        keeper: Any = SimpleNamespace(name="web", close=lambda: self.closed.append("keeper"))
        door: Any = None
        self.master = Master(
            keeper,
            Opened([BoundDoor(parse("0"), door, self.bound)]),
            self.machine,
            GRACE,
            None,
            count=2,
            command=Command(["web"], ["-p", "0"], "/somewhere", {"A": "b"}),
            pool=self.pool,
            reopen=self.reopen,
        )
        self.master.privilegedStartService()
        self.master.startService()

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        self.bound.close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def told(logged: Sequence[Any]) -> list[tuple[LogLevel, str]]:
    return [(event["log_level"], event["log_format"].format(**event)) for event in logged]


def test_each_worker_is_started_with_its_number_and_the_bound_sockets(site: Site) -> None:
    first, second = site.machine.children
    assert first.environment == {"A": "b", VARIABLE: "1/2/1"}
    assert second.environment == {"A": "b", VARIABLE: "2/2/1"}
    assert set(first.inherits) == {0, 1, 2, CONTROL, FIRST_SOCKET}
    assert first.inherits[FIRST_SOCKET] == site.bound.fileno()
    port = site.bound.getsockname()[1]
    assert site.master.places == [f"web on tcp 127.0.0.1:{port}"]


def test_one_that_ends_after_a_long_life_is_replaced_at_once(site: Site) -> None:
    site.machine.advance(STEADY)
    site.machine.children[0].end()
    site.machine.advance(0)
    assert [child.worker.number for child in site.machine.children] == [1, 2, 1]


def test_one_that_ends_soon_is_replaced_after_longer_and_longer_pauses(site: Site) -> None:
    pauses = []
    for _ in range(10):
        child = next(c for c in reversed(site.machine.children) if c.worker.number == 1)
        child.end()
        (call,) = site.machine.getDelayedCalls()
        pauses.append(call.getTime() - site.machine.seconds())
        site.machine.advance(pauses[-1])
    assert pauses[:4] == [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4, FIRST_PAUSE * 8]
    assert pauses[-1] == LONGEST_PAUSE
    site.machine.advance(STEADY)
    site.machine.children[-1].end()
    site.machine.advance(0)
    site.machine.children[-1].end()
    (call,) = site.machine.getDelayedCalls()
    assert call.getTime() - site.machine.seconds() == FIRST_PAUSE


def test_one_whose_own_child_lives_on_is_replaced_all_the_same(site: Site) -> None:
    site.machine.advance(STEADY)
    first = site.machine.children[0]
    first.exit()
    site.machine.advance(0)
    assert [child.worker.number for child in site.machine.children] == [1, 2, 1]
    with capturedLogs() as logged:
        first.worker.errReceived(b"last words\n")
    assert len(logged) == 1
    stopping = site.master.stopService()
    site.machine.children[1].end(0)
    site.machine.children[2].end(0)
    site.machine.advance(GRACE + LAST_WORDS)
    assert first.signals == []
    site.machine.advance(ABORT_DEADLINE)
    assert stopping.called


def test_the_other_worker_has_pauses_of_its_own(site: Site) -> None:
    first, second = site.machine.children
    first.end()
    second.end()
    assert {call.getTime() for call in site.machine.getDelayedCalls()} == {FIRST_PAUSE}


def test_a_process_that_cannot_be_started_is_tried_again(site: Site) -> None:
    site.machine.fails = True
    with capturedLogs() as logged:
        site.machine.children[0].end()
        site.machine.advance(FIRST_PAUSE)
    assert told(logged)[-1] == (
        LogLevel.error,
        "worker 1 cannot be started (Resource temporarily unavailable); tried again in 1 s",
    )
    site.machine.fails = False
    site.machine.advance(1)
    assert [child.worker.number for child in site.machine.children] == [1, 2, 1]


def test_what_a_worker_logs_is_logged_at_its_level(site: Site) -> None:
    worker = site.machine.children[0].worker
    with capturedLogs() as logged:
        worker.outReceived(b'["warn","{careful}"]\n["in')
        worker.outReceived(b'fo","two\\nlines"]\n')
        worker.outReceived(b'nonsense\n["shout","x"]\n["info"]\n')
        worker.errReceived(b"Traceback \xff\n")
    assert [(event["log_level"], event["_text"]) for event in logged] == [
        (LogLevel.warn, "{careful}"),
        (LogLevel.info, "two\nlines"),
        (LogLevel.error, "nonsense"),
        (LogLevel.error, '["shout","x"]'),
        (LogLevel.error, '["info"]'),
        (LogLevel.error, "Traceback \\xff"),
    ]
    assert {event["log_namespace"] for event in logged} == {"worker 1"}


def test_sighup_reopens_here_and_in_all_workers(site: Site) -> None:
    site.master.reopen()
    assert site.reopened == 1
    for child in site.machine.children:
        assert child.heard() == [Message("hangup")]


def test_a_second_sigint_hurries_all_workers(site: Site) -> None:
    site.master.hurry()
    for child in site.machine.children:
        assert child.heard() == [Message("hurry")]


def test_stopping_ends_the_workers_and_closes_the_ports(site: Site) -> None:
    stopping = site.master.stopService()
    assert site.bound.fileno() == -1
    assert [child.signals for child in site.machine.children] == [["TERM"], ["TERM"]]
    site.machine.children[0].end(0)
    assert site.closed == []
    site.machine.children[1].end(0)
    assert stopping.called
    assert site.closed == ["keeper"]
    assert not site.machine.getDelayedCalls()
    assert len(site.machine.children) == 2


def test_a_worker_that_does_not_stop_is_killed_after_its_grace(site: Site) -> None:
    stopping = site.master.stopService()
    site.machine.children[0].end(0)
    site.machine.advance(GRACE + LAST_WORDS)
    assert [child.signals for child in site.machine.children] == [["TERM"], ["TERM", "KILL"]]
    site.machine.advance(ABORT_DEADLINE)
    assert stopping.called


def test_a_worker_that_was_to_start_later_does_not_start_when_all_stop(site: Site) -> None:
    site.machine.children[0].end()
    stopping = site.master.stopService()
    site.machine.children[1].end(0)
    assert stopping.called
    assert not site.machine.getDelayedCalls()


def test_a_signal_to_one_that_has_just_ended_is_no_mistake(site: Site) -> None:
    first = site.machine.children[0]
    first.is_gone = True
    first.worker.kill("TERM")
    assert first.signals == []


def test_the_pool_forgets_a_worker_when_its_line_has_ended(site: Site) -> None:
    assert len(site.pool.members) == 2
    site.machine.children[0].end()
    assert {member.number for member in site.pool.members} == {2}


@given(st.lists(st.binary(max_size=20)))
def test_lines_are_whole_however_they_are_cut(pieces: list[bytes]) -> None:
    lines = Lines()
    got = [line for piece in pieces for line in lines.feed(piece)]
    assert got == b"".join(pieces).split(b"\n")[:-1]


def test_a_line_without_an_end_is_cut_and_its_rest_dropped() -> None:
    lines = Lines()
    got: list[bytes] = []
    for _ in range(10):
        got += lines.feed(b"x" * MAX_LINE)
    got += lines.feed(b"x\nnext\n")
    assert got == [b"x" * MAX_LINE, b"next"]


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (ProcessDone(0), "exit code 0"),
        (ProcessTerminated(3), "exit code 3"),
        (ProcessTerminated(None, signal.SIGKILL), "SIGKILL"),
    ],
)
def test_how_a_worker_ended_is_told_in_two_words(error: Exception, how: str) -> None:
    assert how_it_ended(Failure(error)) == how


def test_a_worker_is_started_as_its_master_was(tmp_path: Path) -> None:
    command = Command.of("web", ["-p", "0", "--workers", "2"], {"reactor": "lean"})
    assert command.line() == [
        *(sys.executable, "-P", "-m", "proto.tap.worker"),
        *("--nodaemon", "--pidfile=", "--logger=proto.tap.worker.ToMaster", "--reactor=lean"),
        *("web", "-p", "0", "--workers", "2"),
    ]
    assert command.folder == os.getcwd()
    assert all(map(os.path.isabs, command.environment.get("PYTHONPATH", "/").split(os.pathsep)))
    assert "--reactor" not in " ".join(Command.of("web", [], {}).line())


@pytest.mark.parametrize("option", ["chroot", "euid"])
def test_what_workers_cannot_have_is_refused(option: str) -> None:
    with pytest.raises(StartError, match=f"--workers: not together with twistd's --{option}"):
        Command.of("web", [], {option: True})
