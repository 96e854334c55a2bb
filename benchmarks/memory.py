"""`python -m benchmarks.memory`: what a client costs our chat in memory, idle, stalled and gone.

Resident memory of the server's process; what the kernel keeps for each connection is not in it.
The state is kept in memory, so that no cache of SQLite's is counted.
"""

from __future__ import annotations

import select
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import descriptors
from benchmarks.chatcases import chat_server
from benchmarks.load.chat import Crowd, FanOut
from benchmarks.load.dialect import OURS
from benchmarks.load.sockets import Connections, LoadFailed
from benchmarks.servers import Server, ServerFailed

TARGET: Final = 12
"""KiB that an idle client may cost."""
SPARE: Final = 200
"""Descriptors besides those of the clients."""
LINE: Final = 1000
"""Bytes of a line that fills the budget of the stalled."""
MOST_LINES: Final = 64_000
"""After which the stalled should long have been dropped."""
STEP: Final = 20
"""Lines between two looks at the memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many: idle ones, stalled ones, people present while others come and go, and how many of
    those come, each of the times."""

    idle: int = 2000
    stalled: int = 200
    present: int = 100
    visitors: int = 1000
    times: int = 3


@dataclass(frozen=True, slots=True)
class Growth:
    """Resident bytes before some clients and with them."""

    clients: int
    before: int
    after: int

    @property
    def each(self) -> float:
        """KiB for each client."""
        return (self.after - self.before) / self.clients / 1024

    def __str__(self) -> str:
        return f"{self.each:.1f} KiB each ({_mebibytes([self.before, self.after])})"


def idle(plan: Plan) -> tuple[Growth, Growth]:
    """Everybody is in one room, has read everything, and does nothing; then as many come again.

    The first ones partly fill what was freed after the start, so the second figure is the truer.
    """
    with _chat() as server, Connections(server.port) as connections:
        before = _settled(server)
        crowd = _crowd(plan.idle, connections)
        crowd.come()
        crowd.settle()
        half = _settled(server)
        crowd.let_in(plan.idle)
        crowd.settle()
        whole = _settled(server)
        return Growth(plan.idle, before, half), Growth(plan.idle, half, whole)


def stalled(plan: Plan) -> tuple[Growth, int]:
    """Some read nothing while lines are said, until the first is dropped: the most memory until
    then, and the bytes said.  Raises LoadFailed if nobody is dropped."""
    with _chat() as server, Connections(server.port) as connections:
        crowd = _crowd(4, connections, frozen=plan.stalled)
        crowd.come()
        crowd.settle()
        before = most = _settled(server)
        for said in range(STEP, MOST_LINES, STEP):
            crowd.say(STEP)
            if _was_dropped(crowd):
                return Growth(plan.stalled, before, most), said * LINE
            most = max(most, server.memory())
    raise LoadFailed(f"nobody was dropped who did not read {MOST_LINES * LINE:,} bytes")


def visits(plan: Plan) -> list[int]:
    """Resident bytes before anybody came and went while lines were said, and after each time."""
    with _chat() as server, Connections(server.port) as connections:
        crowd = _crowd(plan.present, connections)
        crowd.come()
        crowd.settle()
        sizes = [_settled(server)]
        for _ in range(plan.times):
            crowd.receive_visitors(plan.visitors)
            crowd.settle()
            sizes.append(_settled(server))
        return sizes


def report(plan: Plan) -> Iterator[str]:
    """The lines to print, each as soon as it is known."""
    yield "resident memory of `twistd -n chat --state memory`, the limits lifted"
    first, more = idle(plan)
    yield f"idle     {plan.idle:,} clients in one room: {first}; the target is at most {TARGET} KiB"
    yield f"         {plan.idle:,} more, who find nothing free: {more}"
    growth, said = stalled(plan)
    yield (
        f"stalled  {plan.stalled:,} clients who read nothing, until the first was dropped when "
        f"{said / 2**20:.1f} MiB had been said: {growth}"
    )
    yield (
        f"gone     {plan.visitors:,} join and leave while lines are said to {plan.present:,}, "
        f"{plan.times} times: {_mebibytes(visits(plan))}"
    )


def main() -> int:
    """The exit code: 0, or 1 if there is something that could not be measured."""
    plan = Plan()
    try:
        descriptors.allow(max(2 * plan.idle, plan.stalled, plan.present) + SPARE)
        for line in report(plan):
            print(line, flush=True)
    except (LoadFailed, ServerFailed, OSError, ValueError) as error:
        print(f"benchmarks.memory: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _chat() -> Iterator[Server]:
    """The server, in which a few clients have been: what it makes once is made."""
    with (
        tempfile.TemporaryDirectory(prefix="proto-memory-") as folder,
        Server(chat_server("--state", "memory", "--stuck-after", "600"), Path(folder)) as server,
    ):
        server.wait_until_it_listens()
        with Connections(server.port) as connections:
            crowd = _crowd(4, connections)
            crowd.come()
            crowd.settle()
        yield server


def _crowd(people: int, connections: Connections, frozen: int = 0) -> Crowd:
    senders = min(10, people // 2)
    plan = FanOut(people - senders, senders, frozen=frozen, line_bytes=LINE, dialect=OURS)
    return Crowd(plan, connections)


def _settled(server: Server) -> int:
    server.wait_until_it_is_idle()
    return server.memory()


def _was_dropped(crowd: Crowd) -> bool:
    """Whether the server has ended the connection of somebody who does not read."""
    ends = select.poll()
    for connection in crowd.frozen:
        ends.register(connection, 0)  # an error or a hang-up is told all the same
    return bool(ends.poll(0))


def _mebibytes(sizes: Sequence[int]) -> str:
    return " -> ".join(f"{size / 2**20:.1f}" for size in sizes) + " MiB"


if __name__ == "__main__":
    sys.exit(main())
