"""A crowd that listens while a few talk: first as fast as the server can, then at a steady pace.

The first part gives the deliveries a second.  In the second every server has the same to do, far
below what it can, and how long a delivery takes is measured in that part only.  `LightTalk` is the
second part alone, with a line now and then.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count as counted
from itertools import cycle
from typing import Final

from benchmarks.figures import Sample, percentile
from benchmarks.load import Target
from benchmarks.load.dialect import PLAIN, Dialect
from benchmarks.load.ears import Ears
from benchmarks.load.meter import Meter
from benchmarks.load.sockets import CHUNK, PATIENCE, Connections, LoadFailed, send_whole

TIMED_READERS: Final = 40
"""Readers whose every line is timed, the first and the last of a broadcast among them; of the
others, lines are only counted, which is cheaper."""
PACED_DELIVERIES: Final = 20_000
"""A second, in the second part; but at most PACED_LINES."""
PACED_LINES: Final = 100
MARK: Final = b"#"
"""In every line that somebody says; the server's own lines have none."""
STAMP: Final = re.compile(rb"@(\d{18})")
"""When a line was sent, in nanoseconds; every line has one, after the `#NN` of its sender."""


@dataclass(frozen=True, slots=True)
class FanOut:
    """`senders` each say lines, and the next one when one is heard; everybody hears everything.

    frozen          readers that read no more once they are present, besides the `readers`
    window          lines of each sender that are on their way at once
    lines           the first part ends after so many lines for each of the seconds, however long
                    that takes; 0 ends it after the seconds
    dialect         how they speak; where nobody hears himself, everybody else hears everything
    """

    readers: int
    senders: int = 10
    frozen: int = 0
    window: int = 8
    line_bytes: int = 64
    lines: int = 0
    dialect: Dialect = PLAIN

    def __call__(self, target: Target, seconds: float) -> Sample:
        with Connections(target.port) as connections:
            crowd = Crowd(self, connections, round(self.lines * seconds))
            crowd.come()
            crowd.settle()
            meter = Meter(target)
            crowd.chatter(meter.began + (PATIENCE if self.lines else seconds))
            fast = meter.sample(crowd.delivered)
            crowd.hear_the_rest()
            people = self.readers + self.senders
            pause = 1 / min(PACED_LINES, PACED_DELIVERIES / people)
            crowd.converse(time.perf_counter() + seconds, pause)
            return replace(
                fast, p50=percentile(crowd.latencies, 0.50), p99=percentile(crowd.latencies, 0.99)
            )


@dataclass(frozen=True, slots=True)
class LightTalk:
    """A line every `pause` seconds, to a crowd whose every reader is timed.

    It goes on `stretch` times as long as it is told, as there are few lines to judge by.
    """

    crowd: FanOut
    pause: float
    stretch: float

    def __call__(self, target: Target, seconds: float) -> Sample:
        with Connections(target.port) as connections:
            crowd = Crowd(self.crowd, connections, timed=self.crowd.readers)
            crowd.come()
            crowd.settle()
            meter = Meter(target)
            crowd.converse(meter.began + seconds * self.stretch, self.pause)
            return meter.sample(crowd.delivered, crowd.latencies)


class Crowd:
    """Everybody who is connected.

    `lines` are all that `chatter` says, or 0; `timed` is the number of readers who are timed.
    """

    def __init__(
        self, plan: FanOut, connections: Connections, lines: int = 0, timed: int = TIMED_READERS
    ) -> None:
        self.delivered = 0
        self.latencies: list[float] = []
        self.frozen: list[socket.socket] = []
        self._plan = plan
        self._lines = lines
        self._connections = connections
        self._ears = Ears(connections, MARK)
        self._newcomers = counted()
        self._senders: dict[int, int] = {}  # descriptor -> number in the stamp
        self._witnesses: dict[int, int] = {}  # who hears it -> the sender who may go on then
        self._to_time = timed
        self._timed: set[int] = set()
        self._tails: dict[int, bytes] = {}  # of the witnesses, and of those whose lines are timed
        self._said = 0
        self._chattering = False

    def come(self) -> None:
        """Connect everybody, in batches; return when all are present."""
        plan = self._plan
        self.let_in(plan.readers + plan.senders)
        everybody = list(self._connections.by_number)
        self._senders = {number: at for at, number in enumerate(everybody[: plan.senders])}
        self._witnesses = plan.dialect.witnesses(everybody, plan.senders)
        readers = everybody[plan.senders :]
        timed = min(self._to_time, len(readers))
        steps = max(1, timed - 1)
        self._timed = {readers[at * (len(readers) - 1) // steps] for at in range(timed)}
        self._tails = dict.fromkeys([*self._witnesses, *self._timed], b"")
        self._ears.attend(self._timed)
        if plan.frozen:
            self.frozen = self._knock(plan.frozen, receive_buffer=4096)
            self._connections.ignore(self.frozen)

    def let_in(self, count: int) -> None:
        """So many more, in batches."""
        for size in self._batches(count):
            self._knock(size)

    def settle(self) -> None:
        """Return when nothing is on its way any more: when everybody has heard a last line."""
        number = next(iter(self._senders))
        mark = b"everybody-is-here-%d" % time.perf_counter_ns()  # no earlier round has said it
        send_whole(self._connections.by_number[number], self._plan.dialect.line(mark))
        listening = self._connections.by_number.keys() - {each.fileno() for each in self.frozen}
        if not self._plan.dialect.echoes:
            listening.discard(number)
        self._read_until(mark, listening, line_end=True)

    def chatter(self, end: float) -> None:
        """Talk until then as fast as the server can."""
        self._chattering = True
        self._ears.attend(self._witnesses)
        for number in self._senders:
            self._say(number, self._plan.window)
        while time.perf_counter() < end and not self._everything_said():
            self._listen(end)
        if self._lines and not self._everything_said():
            raise LoadFailed(f"{self._said} of {self._lines} lines in {PATIENCE:.0f} s")
        self._chattering = False
        self._ears.attend(self._timed)

    def hear_the_rest(self) -> None:
        """Return when everybody has heard every line; raises LoadFailed if some are missing.

        A last line of one sender would not do: the server may read the others' after it, and what
        they said before would be timed as if it was said now.
        """
        said = self._said * self._hearers()
        deadline = time.perf_counter() + PATIENCE
        while self.delivered < said:
            if time.perf_counter() > deadline:
                raise LoadFailed(f"{said - self.delivered:,} of {said:,} deliveries are missing")
            self._listen(deadline)
        if self.delivered > said:
            raise LoadFailed(f"{self.delivered - said:,} deliveries came that nobody said")

    def say(self, count: int) -> None:
        """Have the first sender say so many lines; return when everybody has heard them."""
        self._say(next(iter(self._senders)), count)
        self.hear_the_rest()

    def receive_visitors(self, count: int) -> None:
        """So many come, in batches, while lines are said, and go at once; nothing is counted."""
        for size in self._batches(count):
            for number in self._senders:
                self._say(number, 1)
            visitors = self._knock(size)
            for number in self._senders:
                self._say(number, 1)
            for visitor in visitors:
                self._connections.forget(visitor)

    def converse(self, end: float, pause: float) -> None:
        """Talk until then, somebody else after every pause; return when everything is heard."""
        self.latencies.clear()
        due = time.perf_counter()
        for number in cycle(self._senders):
            self._say(number, 1)
            due += pause
            if due > end:
                break
            while time.perf_counter() < due:
                self._listen(due)
        self.hear_the_rest()

    def _listen(self, until: float) -> None:
        for number in self._ears.listen(until):
            data = self._connections.by_number[number].recv(CHUNK)
            if not data:
                raise LoadFailed("the server hung up on somebody who listened")
            self.delivered += data.count(MARK)
            self._hear(number, data)
        self.delivered += self._ears.counted()

    def _everything_said(self) -> bool:
        return bool(self._lines) and self.delivered >= self._lines * self._hearers()

    def _hearers(self) -> int:
        return self._plan.dialect.hearers(self._plan.readers + self._plan.senders)

    def _hear(self, number: int, data: bytes) -> None:
        text = self._tails[number] + data
        whole = text.rfind(b"\n") + 1
        self._tails[number] = text[whole:]
        if self._chattering:
            sender = self._witnesses[number]
            self._say(sender, text.count(b"#%02d" % self._senders[sender], 0, whole))
        else:
            now = time.perf_counter_ns()
            self.latencies += [(now - int(when)) / 1e9 for when in STAMP.findall(text, 0, whole)]

    def _say(self, number: int, count: int) -> None:
        """So many lines in one piece, or as many as there are left."""
        if self._lines and self._chattering:
            count = min(count, self._lines - self._said)
        if count <= 0:
            return
        self._said += count
        stamp = b"#%02d@%018d" % (self._senders[number], time.perf_counter_ns())
        line = self._plan.dialect.line(stamp.ljust(self._plan.line_bytes - 2, b"."))
        send_whole(self._connections.by_number[number], line * count)

    def _batches(self, count: int) -> Iterator[int]:
        most = self._plan.dialect.at_once
        return (min(left, most) for left in range(count, 0, -most))

    def _knock(self, count: int, *, receive_buffer: int = 0) -> list[socket.socket]:
        newcomers = [self._connections.add(receive_buffer=receive_buffer) for _ in range(count)]
        if self._plan.dialect.hello:
            for newcomer in newcomers:
                send_whole(newcomer, self._plan.dialect.greeting(next(self._newcomers)))
        self._read_until(self._plan.dialect.ready, {newcomer.fileno() for newcomer in newcomers})
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
