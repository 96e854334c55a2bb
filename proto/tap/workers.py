"""`--workers N`: a master that binds the ports, and N processes that serve what comes in there.

    master    binds, starts the workers and starts them again, adds up what they counted
    worker    is twistd with the same options, on the sockets that it has inherited

Each worker is a fresh Python, not a fork of a running reactor.  The kernel gives a newcomer to
whichever worker takes it first.  A worker hears its master's end as the end of their `Line`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import InvalidLogLevelError, Logger, LogLevel
from twisted.python.failure import Failure

from proto.addresses import peer_name
from proto.errors import StartError
from proto.tap.control import Line, Message, join
from proto.tap.pool import Member, Pool
from proto.tap.service import ABORT_DEADLINE, DoorService
from proto.tap.worker import CONTROL, FIRST_SOCKET, VARIABLE

STEADY: Final = 10.0
"""Seconds after which the end of a worker is its own, and it is replaced at once."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds before a worker that ended soon is started again: twice as many each time."""
LAST_WORDS: Final = 4.0
"""Seconds for workers to end after their grace is over; then they are killed."""
MAX_LINE: Final = 64 * 1024
"""Bytes of a line that a worker writes; of a longer one only these are kept."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a worker is started: twistd's options, the service's own, and where they were written."""

    twistd: Sequence[str]
    service: Sequence[str]
    folder: str
    environment: Mapping[str, str]

    @classmethod
    def of(cls, name: str, arguments: Sequence[str], twistd: Mapping[str, Any]) -> Command:
        """As this process was started: `twistd` are its options, `arguments` those of `name`.

        Raises StartError for options of twistd with which there can be no workers.
        """
        for option in ("chroot", "euid"):
            if twistd.get(option):
                raise StartError(f"--workers: not together with twistd's --{option}; leave out one")
        name_of_reactor = twistd.get("reactor")  # `twist` has the reactor itself there
        reactor = [f"--reactor={name_of_reactor}"] if isinstance(name_of_reactor, str) else []
        flags = ["--nodaemon", "--pidfile=", "--logger=proto.tap.worker.ToMaster"]
        environment = dict(os.environ)
        if "PYTHONPATH" in environment:  # a daemon lives in another folder
            paths = environment["PYTHONPATH"].split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, paths))
        return cls([*flags, *reactor, name], list(arguments), os.getcwd(), environment)

    def line(self) -> list[str]:
        """The whole command."""
        return [sys.executable, "-P", "-m", "proto.tap.worker", *self.twistd, *self.service]


@dataclass(slots=True)
class Lines:
    """The whole lines of what comes in pieces, each of a bounded length."""

    _rest: bytes = b""
    _is_cut: bool = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that end in `data`, without their ends."""
        *whole, rest = (self._rest + data).split(b"\n")
        if self._is_cut and whole:  # the first is the rest of one that was told
            whole = whole[1:]
            self._is_cut = False
        if self._is_cut:
            rest = b""
        elif len(rest) > MAX_LINE:
            whole.append(rest)
            rest = b""
            self._is_cut = True
        self._rest = rest
        return [line[:MAX_LINE] for line in whole]


@dataclass(eq=False)
class Worker(ProcessProtocol):
    """A worker's process, as its master sees it."""

    master: Master
    number: int
    started: float
    transport: IProcessTransport | None = None
    out: Lines = field(default_factory=Lines)
    err: Lines = field(default_factory=Lines)

    def __post_init__(self) -> None:
        self.log = Logger(namespace=f"worker {self.number}")
        self.member = Member(self.number)
        self.line = Line(self._hear, lambda: self.master.pool.remove(self.member))
        self.member.line = self.line

    # The master calls this.
    def kill(self, name: str) -> None:
        """Send it a signal, if it is there."""
        if self.transport is not None:
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess(name)

    # Twisted calls these.
    def outReceived(self, data: bytes) -> None:
        for line in self.out.feed(data):
            try:
                name, text = msgspec.json.decode(line, type=tuple[str, str])
                level = LogLevel.levelWithName(name)
            except (msgspec.DecodeError, InvalidLogLevelError):
                self._said(line)
            else:
                self.log.emit(level, "{_text}", _text=text)

    def errReceived(self, data: bytes) -> None:
        for line in self.err.feed(data):
            self._said(line)

    def processExited(self, reason: Failure) -> None:
        self.master.exited(self, reason)

    def processEnded(self, reason: Failure) -> None:
        self.master.silent(self)

    def _said(self, line: bytes) -> None:
        self.log.error("{_text}", _text=line.decode("utf-8", "backslashreplace"))

    def _hear(self, message: Message) -> None:
        if message.kind == "ready":
            self.log.info("ready, as process {pid}", pid=getattr(self.transport, "pid", None))
        self.master.pool.hear(self.member, message)


class Master(DoorService):
    """The service whose peers are served by other processes."""

    def __init__(self, *arguments: Any, count: int, command: Command, pool: Pool, **more: Any):
        """Besides those of DoorService: how many workers, and how they are started."""
        super().__init__(*arguments, **more)
        self.pool = pool
        self._count = count
        self._command = command
        self._workers: dict[int, Worker] = {}
        self._heard: set[Worker] = set()
        """Those whose log may still say something."""
        self._pauses = dict.fromkeys(range(1, count + 1), 0.0)
        self._due: dict[int, IDelayedCall] = {}
        self._stopping = False
        self._empty: Deferred[None] | None = None
        self._reopen_own = self.reopen
        self.reopen = self._reopen_all

    # twistd calls these.
    def privilegedStartService(self) -> None:
        for bound in self._opened.doors:
            assert isinstance(bound.way, socket.socket)
            host, port = bound.way.getsockname()[:2]
            kind = IPv6Address if bound.way.family == socket.AF_INET6 else IPv4Address
            name = "tls" if bound.endpoint.tls else "tcp"
            where = f"{name} {peer_name(kind('TCP', host, port))}"
            self.places.append(f"{self.keeper.name} on {where}")
            self.log.info("{service} listens on {where}", service=self.keeper.name, where=where)

    def startService(self) -> None:
        Service.startService(self)
        self.ready = True
        for number in self._pauses:
            self._start_worker(number)

    # The process calls this.
    def hurry(self) -> None:
        for worker in self._workers.values():
            worker.line.say(Message("hurry"))

    # A worker calls these.
    def exited(self, worker: Worker, reason: Failure) -> None:
        """It is gone: start another one, at once or after a pause."""
        del self._workers[worker.number]
        if self._stopping:
            return
        lived = self._reactor.seconds() - worker.started
        pause = self._pause_after(worker.number, lived)
        self.log.error(
            "worker {number} is gone after {lived:.1f} s ({how}); {then}",
            number=worker.number,
            lived=lived,
            how=how_it_ended(reason),
            then=f"the next one starts in {pause:g} s" if pause else "the next one starts now",
        )
        self._start_later(worker.number, pause)

    def silent(self, worker: Worker) -> None:
        """It is gone, and so is everything that it has started and that shares its log."""
        self._heard.discard(worker)
        if self._empty is not None and not self._heard:
            self._empty.callback(None)

    def _pause_after(self, number: int, lived: float) -> float:
        """Seconds to wait: none after a long life, more and more after short ones."""
        if lived >= STEADY:
            self._pauses[number] = 0.0
        else:
            self._pauses[number] = min(LONGEST_PAUSE, self._pauses[number] * 2 or FIRST_PAUSE)
        return self._pauses[number]

    def _start_later(self, number: int, pause: float) -> None:
        self._due[number] = self._reactor.callLater(pause, self._start_worker, number)

    def _start_worker(self, number: int) -> None:
        self._due.pop(number, None)
        worker = Worker(self, number, self._reactor.seconds())
        try:
            ours = self._spawn(worker)
        except OSError as error:
            pause = self._pause_after(number, 0.0)
            self.log.error(
                "worker {number} cannot be started ({why}); tried again in {pause:g} s",
                number=number,
                why=error.strerror,
                pause=pause,
            )
            self._start_later(number, pause)
            return
        self._workers[number] = worker
        self._heard.add(worker)
        self.pool.add(worker.member)
        join(self._reactor, ours, worker.line)

    def _spawn(self, worker: Worker) -> socket.socket:
        """Start its process; the result is our end of the line.  Raises OSError."""
        sockets = [bound.way for bound in self._opened.doors]
        environment = {**self._command.environment}
        environment[VARIABLE] = f"{worker.number}/{self._count}/{len(sockets)}"
        command = self._command.line()
        folder = self._command.folder
        ours, theirs = socket.socketpair()
        try:
            with theirs, open(os.devnull, "rb") as nothing:
                inherits: dict[int, Any] = {0: nothing.fileno(), 1: "r", 2: "r"}
                inherits[CONTROL] = theirs.fileno()
                for place, way in enumerate(sockets, FIRST_SOCKET):
                    assert isinstance(way, socket.socket)
                    inherits[place] = way.fileno()
                worker.transport = self._reactor.spawnProcess(
                    worker, command[0], command, environment, folder, childFDs=inherits
                )
        except OSError:
            ours.close()
            raise
        return ours

    def _reopen_all(self) -> None:
        self._reopen_own()
        for worker in self._workers.values():
            worker.line.say(Message("hangup"))

    async def _stop(self) -> None:
        self._stopping = True
        for call in self._due.values():
            call.cancel()
        self._opened.close()
        for patience, name in ((self.grace + LAST_WORDS, "TERM"), (ABORT_DEADLINE, "KILL")):
            for worker in self._workers.values():
                worker.kill(name)
            if self._heard:
                self._empty = Deferred()
                self._empty.addTimeout(patience, self._reactor)
                await self._empty.addErrback(lambda failure: failure.trap(TimedOut))
                self._empty = None
        self.keeper.close()


def how_it_ended(reason: Failure) -> str:
    """`exit code 3` or `SIGKILL`."""
    number = getattr(reason.value, "signal", None)
    if number is not None:
        return signal.Signals(number).name
    return f"exit code {getattr(reason.value, 'exitCode', None)}"
