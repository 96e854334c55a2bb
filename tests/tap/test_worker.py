from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from proto.endpoints import parse
from proto.errors import StartError
from proto.metrics import Metrics
from proto.tap.control import Message
from proto.tap.pool import PATIENCE, Overview
from proto.tap.worker import MAX_TEXT, VARIABLE, Inherited, Station, ToMaster
from proto.web.response import HTTPError
from tests.tap.test_control import End

SMALLEST_PIPE: Final = 4096


def log_of(observer: ToMaster) -> Logger:
    return Logger(namespace="x", observer=observer)


def entries(descriptor: int) -> list[list[str]]:
    """What is in the pipe, a list of level and text for each line."""
    data = b""
    while True:
        try:
            data += os.read(descriptor, 65536)
        except BlockingIOError:
            return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def pipe() -> Any:
    """A pipe that holds little, whose reader does not wait."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE)
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_the_log_goes_out_with_its_levels_and_one_entry_is_one_line(pipe: tuple[int, int]) -> None:
    log = log_of(ToMaster(pipe[1]))
    log.info("hello {who}", who="you")
    log.error("two\nlines \udcff")
    try:
        raise ValueError("inside")
    except ValueError:
        log.failure("it broke")
    first, second, third = entries(pipe[0])
    assert first == ["info", "hello you"]
    assert second == ["error", "two\nlines \\udcff"]
    assert third[0] == "critical"
    assert third[1].startswith("it broke\nTraceback")
    assert third[1].rstrip().endswith("ValueError: inside")


def test_what_nobody_takes_is_dropped_and_told_when_there_is_room(pipe: tuple[int, int]) -> None:
    log = log_of(ToMaster(pipe[1]))
    for number in range(100):
        log.info("{number} {text}", number=number, text="x" * 500)
    before = entries(pipe[0])
    log.info("after")
    told = entries(pipe[0])
    while told[0][0] == "info" and told[0][1] != "after":  # one was torn, and is whole again
        before.append(told.pop(0))
    assert [entry[1].split(" ")[0] for entry in before] == [str(n) for n in range(len(before))]
    assert told == [
        ["warn", f"{100 - len(before)} entries of the log were dropped, as nobody took them"],
        ["info", "after"],
    ]


def test_a_long_entry_is_cut(pipe: tuple[int, int]) -> None:
    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, 1024 * 1024)
    log_of(ToMaster(pipe[1])).info("{text}", text="x" * (MAX_TEXT + 1))
    assert entries(pipe[0]) == [["info", "x" * MAX_TEXT]]


def test_a_master_that_is_gone_harms_no_log() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    observer = ToMaster(writing)
    log_of(observer).info("into the void")
    log_of(observer).info("and again")
    os.close(writing)


def test_a_process_without_a_master_is_no_worker() -> None:
    assert VARIABLE not in os.environ
    assert Inherited.take() is None


@pytest.mark.parametrize("text", ["", "1", "1/2/x", "1/2/1", "1/2/0"])
def test_the_variable_alone_makes_no_worker(text: str) -> None:
    """In a process of its own: its descriptors are no sockets, or are not there."""
    code = (
        "from proto.tap.worker import Inherited\nfrom proto.errors import StartError\n"
        "try: Inherited.take()\nexcept StartError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, VARIABLE: text},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{VARIABLE} is set and there is no master; unset it\n"


def test_sockets_are_handed_out_in_order_and_limits_evenly() -> None:
    control, other = socket.socketpair()
    with control, other, socket.socket() as first, socket.socket() as second:
        inherited = Inherited(1, 3, control, [first, second])
        place = parse("0")
        assert inherited.bind(place) is first
        assert inherited.bind(place) is second
        with pytest.raises(StartError, match="the master has not bound it"):
            inherited.bind(place)
    assert [inherited.share(whole) for whole in (0, 1, 3, 10)] == [0, 1, 1, 4]


class Post:
    """A station whose line ends in memory."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.metrics = Metrics()
        self.metrics.tally("requests", "Requests.").value = 7
        self.hurried: list[str] = []
        self.hangups = 0
        service = SimpleNamespace(hurry=lambda: self.hurried.append("web"))
        process: Any = SimpleNamespace(
            reactor=self,
            metrics=self.metrics,
            ready=lambda: {"web": True},
            hangup=self.hangup,
            doors=lambda: [service],
        )
        ours, theirs = socket.socketpair()
        self.far = theirs
        self.callLater = self.clock.callLater
        self.station = Station(Inherited(1, 2, ours, []), process)
        self.station.start()
        self.master = End()

    def hangup(self) -> None:
        self.hangups += 1

    # The station calls these, as those of the reactor.
    def adoptStreamConnection(self, descriptor: int, family: int, factory: Any) -> None:
        self.line = factory.buildProtocol(None)
        self.wire = StringTransport()
        self.line.makeConnection(self.wire)

    def callWhenRunning(self, function: Callable[..., object], *arguments: object) -> None:
        function(*arguments)

    def said(self) -> list[Message]:
        """What the master has heard since the last time."""
        self.master.heard.clear()
        self.master.line.dataReceived(self.wire.value())
        self.wire.clear()
        return list(self.master.heard)

    def hear(self, message: Message) -> None:
        self.master.line.say(message)
        data = self.master.wire.value()
        self.master.wire.clear()
        self.line.dataReceived(data)

    def end(self) -> None:
        self.far.close()


@pytest.fixture
def post() -> Any:
    post = Post()
    yield post
    post.end()


def test_a_station_says_that_it_is_ready_and_tells_its_figures_when_asked(post: Post) -> None:
    assert post.said() == [Message("ready")]
    post.hear(Message("tell"))
    (told,) = post.said()
    assert (told.kind, told.services) == ("told", {"web": True})
    assert "proto_requests_total 7.0" in told.metrics


def test_what_was_asked_is_answered_to_all_who_wait_and_asked_once(post: Post) -> None:
    post.said()
    got: list[Overview] = []
    for _ in range(3):
        post.station.ask().addCallback(got.append)
    assert post.said() == [Message("ask")]
    post.hear(Message("answer", "figures", {"web": True}))
    assert got == [Overview("figures", {"web": True})] * 3
    post.station.ask().addCallback(got.append)
    assert post.said() == [Message("ask")]
    assert len(post.clock.getDelayedCalls()) == 1


def test_a_master_that_does_not_answer_is_503_and_asked_again(post: Post) -> None:
    post.said()
    failed: list[Failure] = []
    post.station.ask().addErrback(failed.append)
    post.clock.advance(PATIENCE * 2)
    (failure,) = failed
    assert isinstance(failure.value, HTTPError)
    assert failure.value.status == 503
    post.said()
    got: list[Overview] = []
    post.station.ask().addCallback(got.append)
    assert post.said() == [Message("ask")]
    post.hear(Message("answer", "late"))
    assert got == [Overview("late", {})]


def test_one_who_no_longer_waits_is_in_nobodys_way(post: Post) -> None:
    left = post.station.ask()
    left.addErrback(lambda failure: None)
    left.cancel()
    got: list[Overview] = []
    post.station.ask().addCallback(got.append)
    post.hear(Message("answer", "figures"))
    assert len(got) == 1


def test_the_masters_signals_reach_the_process(post: Post) -> None:
    post.hear(Message("hangup"))
    post.hear(Message("hurry"))
    assert (post.hangups, post.hurried) == (1, ["web"])


def test_the_last_figures_are_told_before_the_line_ends(post: Post) -> None:
    post.said()
    closed: Deferred[None] | None = post.station.close()
    assert closed is not None
    (told,) = post.said()
    assert "proto_requests_total 7.0" in told.metrics
    assert post.wire.disconnecting
    sent: list[None] = []
    closed.addCallback(sent.append)
    assert sent == []
    post.line.connectionLost()
    assert sent == [None]
    assert post.station.close() is None


def test_the_end_of_the_master_is_the_end_of_the_worker(post: Post) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        post.line.connectionLost()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
