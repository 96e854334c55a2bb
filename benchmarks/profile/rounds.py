"""The rounds of a subject: a server of its own for each, and a tool that looks at it, or none."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import disk, processes
from benchmarks.figures import Sample
from benchmarks.load.sockets import LoadFailed
from benchmarks.machine import Cores
from benchmarks.profile import calls, stacks
from benchmarks.profile.calls import Calls
from benchmarks.profile.recording import ProfileFailed, Recording, Tool, perf, script, spy
from benchmarks.profile.stacks import Profile
from benchmarks.profile.subjects import Subject
from benchmarks.servers import Server


@dataclass(frozen=True, slots=True)
class Cost:
    """What a round took: seconds on a core in the service's own code and in the kernel's."""

    sample: Sample
    user: float
    system: float


@dataclass(frozen=True, slots=True)
class Found:
    """All that is known of a subject; of perf's round there may be only why it told nothing.

    `cost` is of the round that nobody looked at, `beside_perf` of perf's.
    """

    subject: Subject
    cost: Cost
    profile: Profile
    calls: Calls | str
    beside_perf: Cost


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each round is, and what is recorded; `flame` is where the flame graphs go."""

    seconds: float
    native: bool = True
    flame: Path | None = None


def found(subject: Subject, plan: Plan, cores: Cores, say: Callable[[str], None]) -> Found:
    """Run all rounds; `say` is told which one.

    Raises ProfileFailed, LoadFailed, ServerFailed or OSError.
    """
    with tempfile.TemporaryDirectory(prefix="proto-profile-", dir=disk.found()) as top:
        folder = Path(top)

        def once(number: int, tool: Tool | None) -> Cost:
            say(f"{subject.title}: {tool.name if tool else 'nobody'} looks")
            return _round(subject, plan.seconds, cores, folder / str(number), tool)

        cost = once(0, None)
        seen = spy(folder / "stacks", "raw", native=plan.native)
        once(1, seen)
        if plan.flame is not None:
            picture = plan.flame / f"{subject.name}.svg"
            once(2, spy(picture, "flamegraph", native=plan.native))
            picture.with_name(f"{picture.name}.said").unlink()
        counted: Calls | str = "perf is not installed"
        beside_perf = cost
        if (counter := perf(folder / "perf")) is not None:
            try:
                beside_perf = once(3, counter)
                counted = calls.parsed(script(counter.file))
            except ProfileFailed as error:
                counted = str(error)
        profile = stacks.profile(stacks.parsed(seen.file.read_text()))
        return Found(subject, cost, profile, counted, beside_perf)


class _Watched:
    """A server as the load knows it: the load asks what it has `worked` when a round begins and
    when it ends, and nothing else of it is recorded."""

    def __init__(self, server: Server, recording: Recording | None) -> None:
        self.port = server.port
        self.folder = server.folder
        self.spent: list[tuple[float, float]] = []
        self._server = server
        self._recording = recording

    def memory(self) -> int:
        """As the server tells."""
        return self._server.memory()

    def worked(self) -> float:
        """As the server tells; starting and stopping the tool is no part of it."""
        ends = bool(self.spent)
        if self._recording is not None and not ends:
            self._recording.start()
        self.spent.append(processes.user_and_system(self._server.pid))
        worked = self._server.worked()
        if self._recording is not None and ends:
            self._recording.stop()
        return worked


def _round(subject: Subject, seconds: float, cores: Cores, folder: Path, tool: Tool | None) -> Cost:
    folder.mkdir()
    contestant = subject.contestant
    contestant.prepare(folder)
    with ExitStack() as cleanup:
        with cores.for_servers():
            server = cleanup.enter_context(Server(contestant.command, folder))
        server.wait_until_it_listens()
        recording = cleanup.enter_context(Recording(tool, server.pid)) if tool else None
        watched = _Watched(server, recording)
        with cores.for_load():  # the tool too: it should take nothing of the server's core
            sample = contestant.load(watched, seconds)
        server.end()
    if wrong := contestant.verify(folder, sample.before + sample.amount):
        raise LoadFailed(wrong)
    (user, system), (user_after, system_after) = watched.spent
    return Cost(sample, user_after - user, system_after - system)
