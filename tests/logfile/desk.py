"""A writer with everything around it; a test is its reactor and takes, if it likes, its steps."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, cast

from twisted.internet.task import Clock

from proto.logfile.budget import Account
from proto.logfile.formats import FORMATS
from proto.logfile.framing import Run
from proto.logfile.intake import Intake
from proto.logfile.origin import Origin
from proto.logfile.portion import Portion
from proto.logfile.shelf import Shelf
from proto.logfile.writer import LogWriter
from proto.metrics import Metrics
from tests.logfile.figures import lines
from tests.logfile.senders import Sender

DEADLINE: Final = 20.0


class Desk:
    """Names are what tells the senders and their files apart."""

    def __init__(
        self,
        shelf: object,
        sync: float | None = 0.0,
        tend: float | None = None,
        in_thread: Callable[[Callable[[], None]], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Without `in_thread` there is no thread, and the test calls `step`."""
        self.clock = clock or Clock()
        self.metrics = Metrics()
        self.calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        """What the reactor still has to do."""
        self.settled: list[tuple[bytes, bool]] = []
        """In the order that the reactor was told."""
        self.stuck: list[bool] = []
        self.senders: dict[str, Sender] = {}
        self.accounts: dict[str, Account] = {}
        self.threads: list[Callable[[], None]] = []
        self._in_thread = in_thread or self.threads.append
        self.shelf = cast(Shelf, shelf)
        self.intake = Intake(
            lambda intake: self._writer(sync, tend),
            FORMATS["raw"],
            lambda: 0.0,
            self.metrics,
            name_of=lambda origin: origin.subject,
        )

    def _writer(self, sync: float | None, tend: float | None) -> LogWriter:
        self.writer = LogWriter(
            self.shelf,
            self.clock,
            self.in_reactor,
            self.metrics,
            sync=sync,
            settled=self._settled,
            trouble=self._trouble,
            tend=tend,
            in_thread=self._in_thread,
        )
        return self.writer

    def in_reactor(self, call: Callable[..., object], *about: Any, **fields: Any) -> None:
        self.calls.put(lambda: call(*about, **fields))

    def _settled(self, portions: list[Portion], stored: bool) -> None:
        self.settled += [(portion.records, stored) for portion in portions]
        self.intake.settled(portions, stored)

    def _trouble(self, stuck: bool) -> None:
        self.stuck.append(stuck)
        self.intake.trouble(stuck)

    def say(self, text: bytes, name: str = "") -> None:
        """Somebody brings these lines, for the file of that name."""
        if name not in self.accounts:
            self.senders[name] = Sender()
            self.accounts[name] = self.intake.open(self.senders[name], Origin(name, name))
        self.intake.take(self.accounts[name], [Run(text, text.count(b"\n"))])

    def step(self, seconds: float = 0) -> float | None:
        """So much later the thread takes a step, and the reactor hears of it."""
        self.clock.advance(seconds)
        rest = self.writer.step()
        self.react()
        return rest

    def react(self) -> None:
        """The reactor does what it was asked to."""
        while not self.calls.empty():
            self.calls.get()()
            self.lines()

    def wait(self, until: Callable[[], object]) -> None:
        """The reactor does what the thread asks for, until that is so."""
        while not until():
            self.calls.get(timeout=DEADLINE)()

    def lines(self) -> tuple[int, int, int, int]:
        """Lines received, durable, held and refused."""
        return lines(self.metrics)
