"""Thousands of real connections to one room, read by one thread.

Every line that is said is a number, perhaps with something behind it that nobody looks at.
"""

from __future__ import annotations

import re
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import Final, Self

from tests.system.talkers import PATIENCE

_SAID: Final = re.compile(rb" says (\d+)")
AT_ONCE: Final = 100
"""Connections that are made before the server is waited for."""


class Listener:
    """One connection: the numbers that it read, in their order."""

    def __init__(self, port: int) -> None:
        self.wire = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.wire.setblocking(False)
        self.heard = b""
        """The numbers, with a space after each."""
        self.is_in = False
        self.open = True
        self._rest = b""

    def read(self) -> tuple[int, bytes]:
        """Take what came: how many numbers, and the whole of it; the end is told by `open`."""
        try:
            data = self.wire.recv(1 << 18)
        except ConnectionError:
            data = b""
        self.open = bool(data)
        whole, end, self._rest = (self._rest + data).rpartition(b"\n")
        numbers = _SAID.findall(whole)
        if numbers:
            self.heard += b" ".join(numbers) + b" "
        self.is_in = self.is_in or b"You are " in whole
        return len(numbers), whole + end

    def say(self, line: str) -> None:
        self.wire.sendall(f"{line}\n".encode())


class Crowd:
    """Listeners who came before anything was said, and those who come and go."""

    def __init__(self, port: int, people: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._numbers = count(1)
        self.said = self._heard = 0
        self._notices = b""
        self.people: list[Listener] = []
        self._everybody: list[Listener] = []
        while len(self.people) < people:
            self.people += self.come(min(AT_ONCE, people - len(self.people)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._selector.close()
        for each in self._everybody:
            each.wire.close()

    def come(self, people: int) -> list[Listener]:
        """So many more, when all of them are in."""
        new = self.visit(people)
        self.pump(lambda: all(each.is_in for each in new))
        return new

    def visit(self, people: int) -> list[Listener]:
        """So many more, who come and are not waited for."""
        new = [Listener(self._port) for _ in range(people)]
        for each in new:
            self._selector.register(each.wire, selectors.EVENT_READ, each)
        self._everybody += new
        return new

    def forget(self, listener: Listener) -> None:
        """Read no more of what that one is sent."""
        self._selector.unregister(listener.wire)

    def hang_up(self, visitor: Listener) -> None:
        """That one is gone, whatever it had still to read."""
        self.forget(visitor)
        visitor.wire.close()
        visitor.open = False

    def say(self, sender: Listener, more: str = "") -> None:
        """Have somebody say the next number."""
        sender.say(f"{next(self._numbers)}{more}")
        self.said += 1

    def pump(self, done: Callable[[], object]) -> None:
        """Read what everybody is sent until that is so."""
        staying = set(self.people)
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, "it did not come to pass"
            for key, _ in self._selector.select(1.0):
                listener: Listener = key.data
                numbers, told = listener.read()
                if listener in staying:
                    self._heard += numbers
                    if listener is self.people[0]:
                        self._notices += told
                if not listener.open:
                    self.hang_up(listener)

    def all_heard(self) -> bool:
        """Everybody who stays has as many numbers as were said."""
        return self._heard >= self.said * len(self.people)

    def was_told(self, pattern: bytes) -> bool:
        """Whether the first of them read that; it is forgotten then, and what came before."""
        found = re.search(pattern, self._notices)
        if found is not None:
            self._notices = self._notices[found.end() :]
        return found is not None


@contextmanager
def descriptors() -> Iterator[None]:
    """As many open files as the system lets us have, and our children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
