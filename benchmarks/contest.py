"""One case, several contestants, round by round."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import disk
from benchmarks.figures import Sample, summary
from benchmarks.load import Load
from benchmarks.load.sockets import LoadFailed
from benchmarks.machine import Cores
from benchmarks.servers import Command, Server, ServerFailed
from benchmarks.table import Result


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server, and what makes the load for it.

    `verify` is given the server's folder and the amount of all rounds when the server has ended,
    and says what is wrong, or nothing.
    """

    name: str
    command: Command
    load: Load
    prepare: Callable[[Path], None] = lambda folder: None
    verify: Callable[[Path, float], str] = lambda folder, amount: ""


@dataclass(frozen=True, slots=True)
class Case:
    """One task; the first contestant is ours.

    waits    the figure is how long one thing takes (Summary tells), not how many there are
    remarks  what a reader of the table should know: who is left out and why
    """

    title: str
    unit: str
    contestants: Sequence[Contestant]
    waits: bool = False
    remarks: Sequence[str] = ()


@dataclass(slots=True)
class _Entry:
    """A contestant in the middle of a case."""

    contestant: Contestant
    server: Server
    samples: list[Sample] = field(default_factory=list)
    amount: float = 0
    trouble: str = ""

    def attempt(self, act: Callable[[], None]) -> None:
        """Do this unless the contestant has failed already; note it if it fails now."""
        if self.trouble:
            return
        try:
            act()
        except (LoadFailed, ServerFailed, OSError) as error:
            self.trouble = str(error)

    def round(self, seconds: float, *, counted: bool) -> None:
        """Measure once."""
        gc.collect()
        gc.disable()
        try:
            sample = self.contestant.load(self.server, seconds)
        finally:
            gc.enable()
        self.amount += sample.amount
        if counted:
            self.samples.append(sample)
        self.server.wait_until_it_is_idle()

    def result(self, *, waits: bool) -> Result:
        """What there is to show when the server has ended."""
        wrong = self.trouble or self.contestant.verify(self.server.folder, self.amount)
        return wrong or summary(self.samples, waits=waits)


def run(case: Case, rounds: int, seconds: float, cores: Cores) -> Mapping[str, Result]:
    """Each contestant's result, by its name.

    Every contestant has a short round that does not count, and then `rounds` of `seconds` each.
    """
    with ExitStack() as cleanup:
        folder = tempfile.TemporaryDirectory(prefix="proto-bench-", dir=disk.found())
        top = Path(cleanup.enter_context(folder))
        entries = [
            _start(each, top / str(at), cores, cleanup) for at, each in enumerate(case.contestants)
        ]
        for entry in entries:
            entry.attempt(entry.server.wait_until_it_listens)
        with cores.for_load():
            for at in range(rounds + 1):
                _say(f"{case.title}: round {at} of {rounds}")
                for entry in entries:
                    length = seconds if at else seconds / 4
                    entry.attempt(lambda: entry.round(length, counted=at > 0))  # noqa: B023
        for entry in entries:
            entry.server.ask_to_end()
        for entry in entries:
            entry.server.end()
        return {entry.contestant.name: entry.result(waits=case.waits) for entry in entries}


def _start(contestant: Contestant, folder: Path, cores: Cores, cleanup: ExitStack) -> _Entry:
    folder.mkdir()
    contestant.prepare(folder)
    with cores.for_servers():
        server = cleanup.enter_context(Server(contestant.command, folder))
    _say(f"started {contestant.name} as process {server.pid}")
    return _Entry(contestant, server)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
