"""Hears a crowd in C: a loop over sockets in Python would be slower than some of the servers.

Knows no chat: a byte is counted, and some connections are left to who listens to them itself.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks import gcc
from benchmarks.load.sockets import PATIENCE, Connections, LoadFailed

ROOM: Final = 256
"""Connections that are told of at once."""
SOURCE: Final = Path(__file__).with_name("ears.c")


class Ears:
    """Whoever speaks to these connections is heard, and every `mark` in it counted."""

    def __init__(self, connections: Connections, mark: bytes) -> None:
        """Raises LoadFailed where there is no compiler."""
        found = gcc.library(SOURCE)
        if isinstance(found, str):
            raise LoadFailed(found)
        self._call = ctypes.CDLL(str(found), use_errno=True).listen_to
        self._epoll = connections.fileno()
        self._mark = ctypes.c_char(mark)
        self._counted = ctypes.c_longlong(0)
        self._left = (ctypes.c_int * ROOM)()
        self._flags = (ctypes.c_ubyte * 0)()

    def attend(self, numbers: Iterable[int]) -> None:
        """These descriptors are left to the caller from now on, and no others."""
        wanted = set(numbers)
        self._flags = (ctypes.c_ubyte * (max(wanted, default=-1) + 1))()
        for number in wanted:
            self._flags[number] = 1

    def listen(self, until: float) -> list[int]:
        """Hear what comes, waiting until then at most; which of those attended to have something.

        Raises LoadFailed when nothing comes for so long that the server must be stuck, or when it
        hangs up.
        """
        seconds = min(PATIENCE, max(0.0, until - time.perf_counter()))
        before = self._counted.value
        began = time.perf_counter()
        count = self._call(
            self._epoll,
            round(seconds * 1000 + 0.5),
            self._flags,
            len(self._flags),
            self._mark,
            ctypes.byref(self._counted),
            self._left,
            ROOM,
        )
        if count == -1:
            raise LoadFailed("the server hung up on somebody who listened")
        if count < 0:
            raise LoadFailed(f"a call failed: {os.strerror(ctypes.get_errno())}")
        heard = count or self._counted.value > before
        if not heard and time.perf_counter() - began >= PATIENCE:
            raise LoadFailed(f"nothing came for {PATIENCE:.0f} s")
        return list(self._left[:count])

    def counted(self) -> int:
        """The marks since this was asked last."""
        marks, self._counted.value = self._counted.value, 0
        return marks
