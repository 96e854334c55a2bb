"""From the source to the server until all is acknowledged, over as many connections as it takes.

One thread, which waits in select(): for the server, and for the source as long as the window wants
more.  So the source is read no further than the window, and a pipe before it is slowed down.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from proto.logfile.send.lines import Lines
from proto.logfile.send.window import Window
from proto.logfile.send.wire import Hopeless, LineRefused, Trouble, Wire

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries."""
TICK: Final = 0.5
"""Seconds after which the clock is looked at although nothing happens."""
SILENCE: Final = 10.0
"""Seconds without an answer after which whoever waits is told of it, once."""
FAREWELL: Final = 2.0
"""Seconds that the server has to answer our goodbye; by then all is acknowledged."""
REFUSALS: Final = 3
"""A line that was refused so often in a row is not tried again."""


class Connection(Protocol):
    """What the delivery asks of `connecting.Connection`."""

    def fileno(self) -> int: ...

    def read(self) -> bytes | None: ...

    def write(self, data: bytearray) -> None: ...

    def close(self) -> None: ...


_NOTHING: Final = "the server says nothing"


class Delivery:
    """One errand on its way."""

    def __init__(
        self,
        source: int,
        window: Window,
        dial: Callable[[], Connection],
        wire: Callable[[Window], Wire],
        *,
        give_up: float = 0.0,
        watch: Callable[[Window], object] = lambda window: None,
        tell: Callable[[str], object] = lambda text: None,
        pause: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`source` is a descriptor to read from.  `watch` is called when something has changed,
        `tell` when a connection failed; `give_up` is in seconds, 0 for never."""
        self.window = window
        self._source: int | None = source
        self._lines = Lines()
        self._dial = dial
        self._make_wire = wire
        self._give_up = give_up
        self._watch = watch
        self._tell = tell
        self._sleep = pause
        self._now = now
        self._good = now()
        self._seen = 0
        self._pause = FIRST_PAUSE
        self._refusals = 0
        self._told = ""
        self._trouble = _NOTHING

    def run(self) -> None:
        """Return when every line is acknowledged.  Raises Hopeless."""
        while self._has_work():
            try:
                self._converse()
            except (OSError, Trouble) as problem:
                self._recover(problem)
            except LineRefused as problem:
                raise self._refused(str(problem)) from None
        if self._lines.problem is not None:
            raise Hopeless(str(self._lines.problem))

    def _has_work(self) -> bool:
        """Wait for a line without a connection; False when there is none to come."""
        while self._source is not None and self.window.empty:
            select.select([self._source], [], [])
            self._read()
            self._good = self._now()
        return not self.window.empty

    def _converse(self) -> None:
        """One connection, until all is acknowledged.  Raises OSError, Trouble, Hopeless."""
        connection = self._dial()
        try:
            wire = self._make_wire(self.window)
            out = bytearray(wire.begin())
            while self._source is not None or not self.window.empty:
                out += wire.pack()
                self._turn(connection, wire, out)
            self._say_goodbye(connection, wire.end(), out)
        finally:
            connection.close()
            self.window.rewind()

    def _turn(self, connection: Connection, wire: Wire, out: bytearray) -> None:
        """Wait until something can be done, and do it."""
        waits_for: list[int] = [connection.fileno()]
        if self._source is not None and self.window.wants:
            waits_for.append(self._source)
        readable, writable, _ = select.select(
            waits_for, [connection.fileno()] if out else [], [], TICK
        )
        if connection.fileno() in readable:
            data = connection.read()
            if data:
                wire.feed(data)
            elif data is not None:
                raise Trouble("the server hung up")
        if writable:
            connection.write(out)
        if self._source in readable:
            self._read()
        self._look()

    def _read(self) -> None:
        assert self._source is not None
        try:
            data = os.read(self._source, 65536)
        except OSError as problem:
            raise Hopeless(f"the input cannot be read: {problem.strerror}") from None
        self.window.add(self._lines.feed(data) if data else self._lines.close())
        if not data or self._lines.problem is not None:
            self._source = None

    def _look(self) -> None:
        """See whether there was progress, and whether there has been none for too long."""
        now = self._now()
        if self.window.acknowledged > self._seen or self.window.empty:
            self._good = now
            self._seen = self.window.acknowledged
            self._pause = FIRST_PAUSE
            self._refusals = 0
            self._told = ""
        self._watch(self.window)
        if now - self._good >= SILENCE and not self._told:
            self._told = _NOTHING
            self._tell(f"{_NOTHING} for {SILENCE:g} s; its disk may be full, or it is another port")
        if self._give_up and now - self._good >= self._give_up:
            raise Hopeless(f"nothing was acknowledged for {self._give_up:g} s: {self._trouble}")

    def _say_goodbye(self, connection: Connection, last: bytes, out: bytearray) -> None:
        """All is acknowledged, so nothing that goes wrong here matters."""
        self._watch(self.window)
        out += last
        until = self._now() + FAREWELL
        sockets = [connection.fileno()]
        with suppress(OSError):
            while last and (left := until - self._now()) > 0:
                readable, writable, _ = select.select(sockets, sockets if out else [], [], left)
                if writable:
                    connection.write(out)
                if readable and connection.read() == b"":
                    return

    def _recover(self, problem: OSError | Trouble) -> None:
        """Say what happened, once for each change, and wait before the next try."""
        refused = isinstance(problem, Trouble) and problem.refused
        text = (problem.strerror or "" if isinstance(problem, OSError) else "") or str(problem)
        self._look()
        self._trouble = text
        self._refusals += refused
        if self._refusals >= REFUSALS:
            raise self._refused(f"is refused: {text}")
        after = problem.after if isinstance(problem, Trouble) else None
        if after is None:
            after = self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        if after and text != self._told:
            self._told = text
            self._tell(f"{text}; trying again")
        if after:
            self._wait(after)

    def _wait(self, seconds: float) -> None:
        until = self._now() + seconds
        while (left := until - self._now()) > 0:
            self._sleep(min(left, TICK))
            self._look()

    def _refused(self, why: str) -> Hopeless:
        return Hopeless(f"line {self.window.acknowledged + 1} {why}")
