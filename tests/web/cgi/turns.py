"""A reactor whose time stands still, and that looks at descriptors when a test asks it to."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any, Final

import pytest
from twisted.internet.task import Clock

DEADLINE: Final = 20.0


class Turns(Clock):
    """A Clock that reads and writes pipes."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        self.writers.discard(writer)

    def until(self, is_so: Callable[[], object]) -> None:
        """Let pipes be read and written until it is so; no time passes on the clock."""
        end = time.monotonic() + DEADLINE
        while not is_so():
            if time.monotonic() > end:
                pytest.fail("what was waited for did not happen")
            self.turn(0.05)

    def turn(self, seconds: float = 0.0) -> None:
        """Look once, and wait so long for something to happen."""
        self.advance(0)
        ready = select.select([*self.readers], [*self.writers], [], seconds)
        for reader in ready[0]:
            if reader in self.readers:
                reader.doRead()
        for writer in ready[1]:
            if writer in self.writers:
                writer.doWrite()
