"""A web service with a log in it, in memory: its disk stores when a test says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Protocol

from proto.logfile.budget import Account
from proto.logfile.formats import FORMATS
from proto.logfile.intake import Intake
from proto.logfile.origin import Origin
from proto.logfile.portion import Portion
from proto.metrics import Metrics
from proto.web.handlers import Handlers
from proto.web.site import ProtoSite
from proto.web.tree import build_tree
from proto.weblog.doors import PATH, WebLog
from tests.web.sockets import Wire
from tests.web.wire import NOW, Answer, clock_now, hang_up, request_bytes, split_answer

HOST: Final = "192.0.2.1"


class Disk:
    """A writer that keeps what it is given until it is told to store it."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.waiting: list[Portion] = []
        self.stored: list[bytes] = []

    def append(self, portion: Portion) -> None:
        self.waiting.append(portion)

    def settle(self, stored: bool = True, count: int | None = None) -> None:
        """Store the first `count` portions, or all that wait; or say that they never will be."""
        portions, self.waiting = self.waiting[:count], self.waiting[len(self.waiting[:count]) :]
        if stored:
            self.stored += [portion.records for portion in portions]
        self.intake.settled(portions, stored)


class Threads:
    """Threads whose work is done at once, or when a test says so."""

    def __init__(self) -> None:
        self.is_slow = False
        self.waiting: list[Any] = []

    def __call__(self, work: Any, *arguments: Any) -> Deferred[Any]:
        if not self.is_slow:
            return maybeDeferred(work, *arguments)
        done: Deferred[Any] = Deferred()
        self.waiting.append(lambda: maybeDeferred(work, *arguments).chainDeferred(done))
        return done

    def work(self) -> None:
        """Do what waits first."""
        self.waiting.pop(0)()


class LogSite:
    """The service; what there is in it can be looked at."""

    def __init__(self, path: Path | None = None, **options: Any) -> None:
        self.clock = clock_now()
        self.metrics = Metrics()
        self.threads = Threads()
        name_of = options.pop("name_of", lambda origin: "")
        self.intake = Intake(
            self._disk, FORMATS["raw"], lambda: float(NOW), self.metrics, name_of=name_of
        )
        path_of = options.pop("path_of", lambda name: None if name else path)
        self.doors = WebLog(self.intake, self.clock, path_of, self.threads, self.metrics, **options)
        handlers = Handlers()
        tree = build_tree(None, self.clock, handlers=handlers)
        self.doors.mount(tree, handlers)
        self.site = ProtoSite(tree, self.clock)

    def _disk(self, intake: Intake) -> Disk:
        self.disk = Disk(intake)
        return self.disk

    def turn(self) -> None:
        """What is due is done, and what that makes due."""
        for _ in range(300):
            self.clock.advance(0)

    def write(self, text: bytes, name: str = "") -> None:
        """Have lines reach the disk, as another door brings them."""
        account = Account(_Nobody(), Origin("192.0.2.9:1"), name)
        self.intake.budget.take(account, len(text))
        self.intake.settled([Portion(text, text.count(b"\n"), account, name)], True)

    def value(self, name: str) -> float:
        """A figure of the metrics."""
        for line in self.metrics.render().decode().splitlines():
            if line.startswith(f"proto_{name}_total ") or line.startswith(f"proto_{name} "):
                return float(line.split(" ")[1])
        raise AssertionError(f"no {name}")


class _Nobody:
    """Whoever brought lines by another door."""

    def pause(self) -> None:
        """It has brought them."""

    def resume(self) -> None:
        """It brings no more."""


class Visit:
    """A connection to the site, and what has come over it."""

    def __init__(self, log: LogSite, host: str = HOST) -> None:
        self.log = log
        address = IPv4Address("TCP", host, 4242)
        self.server: Protocol = log.site.buildProtocol(address)
        self.wire = Wire(peerAddress=address)
        self.server.makeConnection(self.wire)

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Visit:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.server.dataReceived(request_bytes(path, method, named, body))
        return self

    def post(self, body: bytes, **headers: str) -> Visit:
        named = {"Content_Type": "text/plain", "Content_Length": str(len(body)), **headers}
        return self.ask("/log", "POST", body, **named)

    def taken(self) -> bytes:
        """What has come since."""
        self.log.turn()
        said: bytes = self.wire.value()
        self.wire.clear()
        return said

    def answer(self) -> Answer:
        """The one answer."""
        answer, rest = split_answer(self.taken())
        assert rest == b""
        return answer

    def told(self, status: int = 200) -> Any:
        """The JSON of the one answer, which has that status."""
        answer = self.answer()
        assert answer.status == status, answer
        return json.loads(answer.body)

    def leave(self) -> None:
        hang_up(self.server)
        self.log.turn()


class Reader(Visit):
    """A client of the live tail."""

    def __init__(self, log: LogSite, query: str = "", host: str = HOST) -> None:
        super().__init__(log, host)
        self.events: list[tuple[str, Any]] = []
        self.ended = False
        self._raw = b""
        self._head = b""
        self._text = b""
        self.ask(f"{PATH}/tail{query}")

    def read(self) -> Reader:
        """Take what came: events as their name and data."""
        self._raw += self.taken()
        if not self._head and b"\r\n\r\n" in self._raw:
            self._head, _, self._raw = self._raw.partition(b"\r\n\r\n")
            assert self._head.startswith(b"HTTP/1.1 200 "), self._head
            assert b"text/event-stream" in self._head
        while self._raw:
            size, _, rest = self._raw.partition(b"\r\n")
            length = int(size, 16)
            self.ended = self.ended or not length
            self._text += rest[:length]
            self._raw = rest[length + 2 :]
        *whole, self._text = self._text.split(b"\n\n")
        for each in whole:
            fields = dict(line.split(": ", 1) for line in each.decode().split("\n") if line != ":")
            if fields:
                self.events.append((fields["event"], json.loads(fields["data"])))
        return self

    def lines(self) -> list[str]:
        """The texts of the lines that came."""
        return [data["text"] for kind, data in self.read().events if kind == "line"]

    def dropped(self) -> int:
        """How many lines it was told that it was not shown."""
        return sum(data["lines"] for kind, data in self.read().events if kind == "dropped")
