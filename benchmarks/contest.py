"""One case, several contestants, round by round."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import disk
from benchmarks.beneath import Beneath
from benchmarks.figures import Figure, Result, Sample, summary
from benchmarks.load import Load
from benchmarks.load.sockets import LoadFailed
from benchmarks.machine import Cores
from benchmarks.servers import Command, Server, ServerFailed


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

    figure   what of a round is compared
    remarks  what a reader of the table should know: who is left out and why
    beside   with whom everybody is compared; None: ours with everybody
    room     bytes that must be free where the servers keep their files
    beneath  the server that all contestants stand in front of
    afresh   each round has a server of its own, whose folder is gone when the round is over
    """

    title: str
    unit: str
    contestants: Sequence[Contestant]
    figure: Figure = Figure.RATE
    remarks: Sequence[str] = ()
    beside: Sequence[str] | None = None
    room: int = 0
    beneath: Beneath | None = None
    afresh: bool = False


@dataclass(slots=True)
class _Entry:
    """A contestant in the middle of a case."""

    contestant: Contestant
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

    def round(self, server: Server, seconds: float, *, counted: bool) -> None:
        """Measure once."""
        gc.collect()
        gc.disable()
        try:
            sample = self.contestant.load(server, seconds)
        finally:
            gc.enable()
        self.amount += sample.before + sample.amount
        if counted:
            self.samples.append(sample)
        server.wait_until_it_is_idle()

    def verify(self, folder: Path, amount: float) -> None:
        """Look at what a server that has ended leaves behind; raises LoadFailed."""
        if wrong := self.contestant.verify(folder, amount):
            raise LoadFailed(wrong)

    def result(self, figure: Figure) -> Result:
        """What there is to show when all is done."""
        return self.trouble or summary(self.samples, figure)


def run(
    case: Case, rounds: int, seconds: float, cores: Cores, folder: Path | None = None
) -> Mapping[str, Result]:
    """Each contestant's result, by its name; the servers' files are kept in `folder`.

    Every contestant has a short round that does not count, and then `rounds` of `seconds` each; or
    only these, where each has a server of its own.
    """
    folder = folder or disk.found()
    full = shutil.disk_usage(folder).free < case.room
    trouble = f"{folder} has less than {case.room >> 20:,} MiB free" if full else ""
    with tempfile.TemporaryDirectory(prefix="proto-bench-", dir=folder) as top:
        entries = [_Entry(each, trouble=trouble) for each in case.contestants]
        try:
            with case.beneath.running(Path(top), cores) if case.beneath else nullcontext():
                run_rounds = _run_afresh if case.afresh else _run_at_once
                run_rounds(case, entries, rounds, seconds, cores, Path(top))
        except ServerFailed as error:
            return {each.name: f"the server beneath: {error}" for each in case.contestants}
        return {entry.contestant.name: entry.result(case.figure) for entry in entries}


def _run_at_once(
    case: Case, entries: Sequence[_Entry], rounds: int, seconds: float, cores: Cores, top: Path
) -> None:
    """All servers are there all the time."""
    with ExitStack() as cleanup:
        running = [
            (entry, _start(entry.contestant, top / str(at), cores, cleanup))
            for at, entry in enumerate(entries)
        ]
        for entry, server in running:
            entry.attempt(server.wait_until_it_listens)
        with cores.for_load():
            for at in range(rounds + 1):
                _say(f"{case.title}: round {at} of {rounds}")
                length = seconds if at else seconds / 4
                for entry, server in running:
                    entry.attempt(partial(entry.round, server, length, counted=at > 0))
        for _, server in running:
            server.ask_to_end()
        for entry, server in running:
            server.end()
            entry.attempt(partial(entry.verify, server.folder, entry.amount))


def _run_afresh(
    case: Case, entries: Sequence[_Entry], rounds: int, seconds: float, cores: Cores, top: Path
) -> None:
    """There is one server at a time, and nothing of it when the next one starts."""

    def once(entry: _Entry, folder: Path) -> None:
        with ExitStack() as cleanup:
            cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
            server = _start(entry.contestant, folder, cores, cleanup)
            server.wait_until_it_listens()
            before = entry.amount
            os.sync()  # or it pays for what the others wrote
            with cores.for_load():
                entry.round(server, seconds, counted=True)
            server.end()
            entry.verify(folder, entry.amount - before)

    for at in range(1, rounds + 1):
        _say(f"{case.title}: round {at} of {rounds}")
        for number, entry in enumerate(entries):
            entry.attempt(partial(once, entry, top / f"{number}-{at}"))


def _start(contestant: Contestant, folder: Path, cores: Cores, cleanup: ExitStack) -> Server:
    folder.mkdir()
    contestant.prepare(folder)
    with cores.for_servers():
        server = cleanup.enter_context(Server(contestant.command, folder))
    _say(f"started {contestant.name} as process {server.pid}")
    return server


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
