"""Threads in a test, and the reactor that their results come back to: the test itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, Final

import pytest

from proto.web.aside import DiskThreads

DEADLINE: Final = 20.0


class Threads:
    """A DiskThreads whose results are delivered in `until`."""

    def __init__(self, **options: Any) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = SimpleQueue()
        self.aside = DiskThreads(lambda call, *args: self._calls.put((call, args)), **options)

    def until(self, is_so: Callable[[], object]) -> None:
        """Deliver results as they come, until it is so."""
        end = time.monotonic() + DEADLINE
        while not is_so():
            if time.monotonic() > end:
                pytest.fail("what was waited for did not happen")
            with suppress(Empty):  # it may be so without a result, too
                call, args = self._calls.get(timeout=0.05)
                call(*args)


class Held:
    """Work that waits until it is let go, like a disk that hangs."""

    def __init__(self) -> None:
        self.begun = Event()
        self._let_go = Event()

    def __call__(self, result: object = "held") -> object:
        self.begun.set()
        assert self._let_go.wait(DEADLINE), "nobody let go"
        return result

    def let_go(self) -> None:
        self._let_go.set()
