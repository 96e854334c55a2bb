"""rsyslog's own omrelp as the sender, over restarts of either side."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest_twisted
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from proto.logfile.formats import FORMATS
from proto.logfile.intake import Intake
from proto.logfile.portion import Portion
from proto.logfile.relpdoor import RelpFactory, RelpProtocol
from proto.metrics import Metrics
from tests.logfile.figures import figures
from tests.logfile.test_relp import OPEN, frame, messages
from tests.system.identity import write_identity
from tests.system.logserver import LogServer
from tests.system.programs import DEADLINE, free_port
from tests.system.rsyslog import Rsyslog, append, omrelp, source_of


def the_reactor() -> Any:
    """The one that pytest-twisted installed; imported late, so that it can choose."""
    from twisted.internet import reactor

    return reactor


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that the reactor or another program will bring about."""

    async def look() -> None:
        while not true():
            await deferLater(the_reactor(), 0.01)

    await Deferred.fromCoroutine(look()).addTimeout(DEADLINE, the_reactor())


class Target:
    """A RELP server that is started and stopped on one port, and keeps what it acknowledged."""

    def __init__(self) -> None:
        self.port = free_port()
        self.metrics = Metrics()
        self.stored = b""
        self.held: list[Portion] = []
        self.slow = False
        """Whether nothing is stored until `flush`."""
        self.intake = Intake(lambda intake: self, FORMATS["raw"], time.time, self.metrics)
        self.factory = RelpFactory(self, the_reactor(), self.metrics)
        self.listener: IListeningPort | None = None

    # The intake calls this.
    def append(self, portion: Portion) -> None:
        self.held.append(portion)
        if not self.slow:
            the_reactor().callLater(0, self.flush)

    # The door calls these.
    def join(self) -> None:
        """It is always open."""

    def ending(self) -> None:
        """Nothing: there is no time."""

    def leave(self) -> None:
        """It is never closed."""

    def flush(self) -> None:
        """All that waits is stored."""
        held, self.held = self.held, []
        self.stored += b"".join(portion.records for portion in held)
        self.intake.settled(held, True)

    def start(self) -> None:
        self.listener = the_reactor().listenTCP(
            self.port, cast(Any, self.factory), interface="127.0.0.1"
        )
        assert cast(IPv4Address, self.listener.getHost()).port == self.port

    async def stop(self) -> None:
        """As a service stops: nobody comes any more, who is inside is answered and let go."""
        if self.listener is None:
            return
        listener, self.listener = self.listener, None
        await maybeDeferred(listener.stopListening)
        self.factory.farewell()
        await until(lambda: not self.factory._connections)

    async def crash(self) -> None:
        """Everybody is cut off, and what was not acknowledged is lost."""
        assert self.listener is not None
        listener, self.listener = self.listener, None
        await maybeDeferred(listener.stopListening)
        lost, self.held = self.held, []
        for connection in list(self.factory._connections):
            connection.cut_off("a crash")
        await until(lambda: not self.factory._connections)
        self.intake.settled(lost, False)

    def has(self, count: int) -> Callable[[], bool]:
        """Whether so many lines are stored, counting each that came twice."""
        return lambda: self.stored.count(b"\n") >= count

    def lines(self) -> list[str]:
        return self.stored.decode().splitlines()

    def shown(self, name: str) -> int:
        return int(figures(self.metrics)[f"logfile_{name}"])


@pytest_twisted.async_yield_fixture
async def target() -> AsyncIterator[Target]:
    target = Target()
    yield target
    target.slow = False
    target.flush()
    await target.stop()


def numbered(count: int, first: int = 0) -> list[str]:
    return [f"line {number} {'x' * (number % 97)}" for number in range(first, first + count)]


async def ended(sender: Rsyslog, number: signal.Signals) -> int:
    return await deferToThread(sender.end, number)


@pytest_twisted.ensureDeferred
async def test_omrelp_delivers_every_line_once_as_it_stands(target: Target, tmp_path: Path) -> None:
    lines = [*numbered(3000), "tab\there", "umlaut \u00e4 \U0001f600", "back\\slash", "  spaces  "]
    target.start()
    append(source_of(tmp_path), lines)
    with Rsyslog(tmp_path, omrelp(target.port), modules=["omrelp"]) as sender:
        await until(target.has(len(lines)))
        assert await ended(sender, signal.SIGTERM) == 0
        assert sender.output == ""
    assert target.lines() == lines
    await until(lambda: not target.factory._connections)
    assert (target.shown("relp_broken"), target.shown("lines_refused")) == (0, 0)


@pytest_twisted.ensureDeferred
async def test_a_long_line_is_cut_and_acknowledged_and_those_behind_it_come(
    target: Target, tmp_path: Path
) -> None:
    target.start()
    append(source_of(tmp_path), ["before", "y" * 100_000, "after"])
    with Rsyslog(tmp_path, omrelp(target.port), modules=["omrelp"]):
        await until(lambda: target.lines()[-1:] == ["after"])
    assert target.lines() == [
        "before",
        "y" * 65536 + "\\x20[cut: 34464 bytes left out]",
        "after",
    ]


@pytest_twisted.ensureDeferred
async def test_omrelp_waits_for_its_acknowledgements_and_no_longer(
    target: Target, tmp_path: Path
) -> None:
    target.slow = True
    target.start()
    append(source_of(tmp_path), numbered(1000))
    with Rsyslog(tmp_path, omrelp(target.port, more='windowSize="50"'), modules=["omrelp"]):
        await until(lambda: target.shown("lines_held") >= 50)
        assert target.shown("lines_held") <= 51
        assert target.shown("lines_durable") == 0
        target.slow = False
        target.flush()
        await until(target.has(1000))
    assert target.lines() == numbered(1000)


@pytest_twisted.ensureDeferred
async def test_a_restart_of_the_receiver_in_mid_stream_loses_nothing(
    target: Target, tmp_path: Path
) -> None:
    lines = numbered(5000)
    append(source_of(tmp_path), lines)
    target.start()
    with Rsyslog(tmp_path, omrelp(target.port), modules=["omrelp"]) as sender:
        for turn in range(3):
            await until(target.has(300 + 1000 * turn))
            await target.stop()
            assert not target.has(len(lines))()
            target.start()
        await until(target.has(len(lines)))
        await until(lambda: len(set(target.lines())) == len(lines))
        assert await ended(sender, signal.SIGTERM) == 0
    assert list(dict.fromkeys(target.lines())) == lines


@pytest_twisted.ensureDeferred
async def test_what_a_crash_of_the_receiver_left_without_an_answer_comes_again(
    target: Target, tmp_path: Path
) -> None:
    lines = numbered(2000)
    append(source_of(tmp_path), lines)
    target.slow = True
    target.start()
    with Rsyslog(tmp_path, omrelp(target.port), modules=["omrelp"]):
        for _ in range(3):
            await until(lambda: target.shown("lines_held") > 50)
            await target.crash()
            target.start()
            await until(lambda: target.shown("lines_held") > 50)
            target.flush()
        target.slow = False
        target.flush()
        await until(lambda: len(set(target.lines())) == len(lines))
    assert list(dict.fromkeys(target.lines())) == lines
    assert target.shown("lines_refused") > 150


@pytest_twisted.ensureDeferred
async def test_messages_that_the_log_refuses_are_sent_again_by_omrelp(
    target: Target, tmp_path: Path
) -> None:
    """With an answer of 500 they would be gone: omrelp does not keep what was answered."""
    target.slow = True
    target.start()
    append(source_of(tmp_path), numbered(300))
    with Rsyslog(tmp_path, omrelp(target.port), modules=["omrelp"]):
        await until(lambda: target.shown("lines_held") >= 128)
        refused, target.held = target.held, []
        target.slow = False
        target.intake.settled(refused, False)
        await until(target.has(300))
    assert target.lines() == numbered(300)
    assert target.shown("lines_refused") >= 128


def sends_and_never_reads(port: int) -> int:
    """Send messages until the server hangs up; the result is how many bytes it took."""
    data = frame(1, b"open", OPEN)
    number, taken = 2, 0
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(DEADLINE)
        peer.connect(("127.0.0.1", port))
        with suppress(ConnectionError):
            while True:
                taken += peer.send(data)
                data = messages(number, *[b""] * 1000)
                number += 1000
    return taken


def is_paused(connection: object) -> bool:
    assert isinstance(connection, RelpProtocol)
    return connection._flow.paused


@pytest_twisted.ensureDeferred
async def test_a_peer_that_never_reads_is_cut_off_and_the_others_are_served_meanwhile(
    target: Target, tmp_path: Path
) -> None:
    target.factory.stuck_after = 2
    target.start()
    stuck = deferToThread(sends_and_never_reads, target.port)
    await until(lambda: any(map(is_paused, target.factory._connections)))
    append(source_of(tmp_path), numbered(10))
    with Rsyslog(tmp_path, omrelp(target.port), modules=["omrelp"]):
        await until(lambda: numbered(10)[-1].encode() in target.stored[-10_000:])
    await until(lambda: target.shown("relp_stuck") == 1)
    assert await stuck > 0
    assert target.shown("lines_held") == 0


@pytest_twisted.ensureDeferred
async def test_an_rsyslog_that_is_killed_leaves_whole_lines_and_the_next_one_brings_the_rest(
    target: Target, tmp_path: Path
) -> None:
    """It forgets what it had sent and not yet seen answered, so that it is let begin anew."""
    target.start()
    lines = numbered(6000)
    append(source_of(tmp_path), lines)
    queue = 'queue.type="disk" queue.filename="out" queue.checkpointInterval="1"'
    action = omrelp(target.port, more=queue)
    for _ in range(3):
        before = target.stored.count(b"\n")
        with Rsyslog(tmp_path, action, modules=["omrelp"], remember=False) as sender:
            await until(target.has(before + 500))
            assert await ended(sender, signal.SIGKILL) == -signal.SIGKILL
        (tmp_path / "pid").unlink(missing_ok=True)
    with Rsyslog(tmp_path, action, modules=["omrelp"], remember=False):
        await until(lambda: set(lines) <= set(target.lines()))
    assert set(target.lines()) == set(lines)
    assert target.shown("relp_broken") == 0


def test_the_real_service_is_killed_again_and_again_and_no_line_is_missing(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "log").mkdir()
    lines = numbered(5000)
    append(source_of(tmp_path), lines)
    options = {"relp": [str(port)]}
    with Rsyslog(tmp_path, omrelp(port), modules=["omrelp"]):
        for turn in range(4):
            with LogServer(tmp_path, options) as server:
                server.until(lambda shown: shown["lines_durable"] >= 300)
                number = signal.SIGKILL if turn < 3 else signal.SIGTERM
                assert server.end(number) == (-number if turn < 3 else 0)
        with LogServer(tmp_path, options) as server:
            log = tmp_path / "log" / "log.txt"
            server.until(lambda shown: set(lines) <= set(log.read_text().splitlines()))
            assert server.end(signal.SIGTERM) == 0
            assert "Traceback" not in server.output
    assert list(dict.fromkeys(log.read_text().splitlines())) == lines


@pytest_twisted.ensureDeferred
async def test_omrelp_speaks_tls_and_its_certificate_names_it(tmp_path: Path) -> None:
    cert, key = write_identity(tmp_path, "alice")
    (tmp_path / "log").mkdir()
    append(source_of(tmp_path), numbered(100))
    options = {"relp": ["tls:0"], "tls": f"{cert},{key}", "client-ca": cert, "format": "json"}
    tls = (
        f'tls="on" tls.caCert="{cert}" tls.myCert="{cert}" tls.myPrivKey="{key}" '
        'tls.authMode="name" tls.permittedPeer=["alice"]'
    )
    log = tmp_path / "log" / "log.txt"
    with LogServer(tmp_path, options) as server:
        action = omrelp(server.port("relp", "tls"), more=tls)
        with Rsyslog(tmp_path, action, modules=["omrelp"]) as sender:
            await until(lambda: log.read_bytes().count(b"\n") >= 100)
            assert await ended(sender, signal.SIGTERM) == 0
        assert server.end(signal.SIGTERM) == 0
        assert "Traceback" not in server.output
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert [each["line"] for each in told] == numbered(100)
    assert {each["subject"] for each in told} == {"alice"}
