"""A crowd that listens while a few talk: first as fast as the server can, then at a steady pace.

The first part gives the deliveries a second.  In the second every server has the same to do, far
below what it can, and how long a delivery takes is measured in that part only.
"""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Final

from benchmarks.figures import Sample, percentile
from benchmarks.load import Target
from benchmarks.load.meter import Meter
from benchmarks.load.sockets import CHUNK, PATIENCE, Connections, LoadFailed, send_whole

BATCH: Final = 32
"""Connections that knock at once: fewer than the shortest queue of any server."""
TIMED_READERS: Final = 40
"""Readers whose every line is timed; of the others, lines are only counted, which is cheaper."""
PACED_DELIVERIES: Final = 20_000
"""A second, in the second part; but at most PACED_LINES."""
PACED_LINES: Final = 100
STAMP: Final = re.compile(rb"@(\d{18})")
"""When a line was sent, in nanoseconds; every line has one, after the `#NN` of its sender."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """`senders` each say lines, and the next one when they hear one; everybody hears everything.

    hello, ready    what a newcomer says at once, and what it must read before it counts as present
    frozen          readers that read no more once they are present, besides the `readers`
    window          lines of each sender that are on their way at once
    lines           the first part ends after so many lines for each of the seconds, however long
                    that takes; 0 ends it after the seconds
    """

    readers: int
    senders: int = 10
    frozen: int = 0
    window: int = 8
    line_bytes: int = 64
    lines: int = 0
    hello: bytes = b""
    ready: bytes = b"Welcome"

    def __call__(self, target: Target, seconds: float) -> Sample:
        with Connections(target.port) as connections:
            crowd = _Crowd(self, connections, round(self.lines * seconds))
            crowd.come()
            crowd.settle()
            meter = Meter(target)
            crowd.chatter(meter.began + (PATIENCE if self.lines else seconds))
            fast = meter.sample(crowd.delivered)
            crowd.hear_the_rest()
            crowd.converse(time.perf_counter() + seconds)
            return replace(
                fast, p50=percentile(crowd.latencies, 0.50), p99=percentile(crowd.latencies, 0.99)
            )


class _Crowd:
    """Everybody who is connected."""

    def __init__(self, plan: FanOut, connections: Connections, lines: int) -> None:
        self.delivered = 0
        self.latencies: list[float] = []
        self._plan = plan
        self._lines = lines
        self._connections = connections
        self._senders: dict[int, int] = {}  # descriptor -> number in the stamp
        self._tails: dict[int, bytes] = {}  # of those whose lines are timed
        self._said = 0
        self._chattering = False

    def come(self) -> None:
        """Connect everybody, in batches; return when all are present."""
        plan = self._plan
        for left in range(plan.readers + plan.senders, 0, -BATCH):
            self._knock(min(left, BATCH))
        everybody = list(self._connections.by_number)
        self._senders = {number: at for at, number in enumerate(everybody[: plan.senders])}
        self._tails = dict.fromkeys(everybody[: plan.senders + TIMED_READERS], b"")
        if plan.frozen:
            self._connections.ignore(self._knock(plan.frozen, receive_buffer=4096))

    def settle(self) -> None:
        """Return when nothing is on its way any more: when everybody has heard a last line."""
        first = self._connections.by_number[next(iter(self._senders))]
        mark = b"everybody-is-here-%d" % time.perf_counter_ns()  # no earlier round has said it
        send_whole(first, mark + b"\r\n")
        listening = list(self._connections.by_number)
        if self._plan.frozen:
            listening = listening[: -self._plan.frozen]
        self._read_until(mark, set(listening), line_end=True)

    def chatter(self, end: float) -> None:
        """Talk until then as fast as the server can."""
        self._chattering = True
        for number in self._senders:
            for _ in range(self._plan.window):
                self._say(number)
        while time.perf_counter() < end and not self._everything_said():
            self._listen(end)
        if self._lines and not self._everything_said():
            raise LoadFailed(f"{self._said} of {self._lines} lines in {PATIENCE:.0f} s")
        self._chattering = False

    def hear_the_rest(self) -> None:
        """Return when everybody has heard every line; raises LoadFailed if some are missing.

        A last line of one sender would not do: the server may read the others' after it, and what
        they said before would be timed as if it was said now.
        """
        said = self._said * (self._plan.readers + self._plan.senders)
        deadline = time.perf_counter() + PATIENCE
        while self.delivered < said:
            if time.perf_counter() > deadline:
                raise LoadFailed(f"{said - self.delivered:,} of {said:,} deliveries are missing")
            self._listen(deadline)
        if self.delivered > said:
            raise LoadFailed(f"{self.delivered - said:,} deliveries came that nobody said")

    def converse(self, end: float) -> None:
        """Talk until then at a steady pace, one after the other."""
        self.latencies.clear()
        people = self._plan.readers + self._plan.senders
        pause = 1 / min(PACED_LINES, PACED_DELIVERIES / people)
        due = time.perf_counter()
        for number in cycle(self._senders):
            self._say(number)
            due += pause
            if due > end:
                break
            while time.perf_counter() < due:
                self._listen(due)
        while time.perf_counter() < end:
            self._listen(end)

    def _listen(self, until: float) -> None:
        for number, _ in self._connections.ready(until):
            data = self._connections.by_number[number].recv(CHUNK)
            if not data:
                raise LoadFailed("the server hung up on somebody who listened")
            self.delivered += data.count(b"#")  # the server's own lines have no stamp
            if number in self._tails:
                self._hear(number, data)

    def _everything_said(self) -> bool:
        people = self._plan.readers + self._plan.senders
        return bool(self._lines) and self.delivered >= self._lines * people

    def _hear(self, number: int, data: bytes) -> None:
        text = self._tails[number] + data
        whole = text.rfind(b"\n") + 1
        self._tails[number] = text[whole:]
        sender = self._senders.get(number)
        if self._chattering and sender is not None:
            mine = b"#%02d" % sender
            for _ in range(text.count(mine, 0, whole)):
                if not self._lines or self._said < self._lines:
                    self._say(number)
        elif not self._chattering and sender is None:
            now = time.perf_counter_ns()
            self.latencies += [(now - int(when)) / 1e9 for when in STAMP.findall(text, 0, whole)]

    def _say(self, number: int) -> None:
        self._said += 1
        stamp = b"#%02d@%018d" % (self._senders[number], time.perf_counter_ns())
        line = stamp.ljust(self._plan.line_bytes - 2, b".") + b"\r\n"
        send_whole(self._connections.by_number[number], line)

    def _knock(self, count: int, *, receive_buffer: int = 0) -> list[socket.socket]:
        newcomers = [self._connections.add(receive_buffer=receive_buffer) for _ in range(count)]
        if self._plan.hello:
            for newcomer in newcomers:
                send_whole(newcomer, self._plan.hello)
        self._read_until(self._plan.ready, {newcomer.fileno() for newcomer in newcomers})
        return newcomers

    def _read_until(self, mark: bytes, waiting: set[int], *, line_end: bool = False) -> None:
        """Read what comes to anybody until these have read `mark`, and then to the line's end."""
        deadline = time.perf_counter() + PATIENCE
        heard = dict.fromkeys(waiting, b"")
        while waiting:
            for number, _ in self._connections.ready(deadline):
                data = self._connections.by_number[number].recv(CHUNK)
                if not data:
                    raise LoadFailed("the server hung up on somebody")
                if number in waiting:
                    text = heard[number] + data
                    heard[number] = text[-4096:]
                    if mark in text and (not line_end or text.endswith(b"\n")):
                        waiting.discard(number)
            if time.perf_counter() > deadline:
                raise LoadFailed(f"{len(waiting)} of the crowd did not read {mark!r}")
