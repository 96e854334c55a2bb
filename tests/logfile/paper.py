"""Logs in memory that fail when told to, in the place of real ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class PaperLog:
    """One log; what it did is in `deeds`, in order."""

    def __init__(self, shelf: PaperShelf, name: str) -> None:
        self.path = Path(f"{name or 'here'}.log")
        self.data = b""
        self.safe = 0
        """How many of the bytes are synced."""
        self.unwritten = b""
        self.closed = False
        self._shelf = shelf

    def _do(self, deed: str) -> None:
        assert not self.closed
        self._shelf.deeds.append(f"{deed} {self.path.stem}")
        troubles = self._shelf.troubles
        trouble = troubles.get(f"{deed} {self.path.stem}") or troubles.get(deed)
        if trouble is not None:
            raise trouble

    def write(self, records: bytes) -> None:
        self.unwritten += records
        room = self._shelf.room
        taken = self.unwritten if room is None else self.unwritten[:room]
        self.data += taken
        self.unwritten = self.unwritten[len(taken) :]
        if room is not None:
            self._shelf.room = room - len(taken)
        self._do("write")
        if self.unwritten:
            raise error(self._shelf.full)

    def sync(self) -> None:
        self._do("sync")
        self.safe = len(self.data)

    def tend(self) -> None:
        self._do("tend")

    def rotate(self) -> None:
        self._do("rotate")

    def close(self) -> None:
        self._do("close")
        self.closed = True


class PaperShelf:
    """A log for each name, made when it is asked for."""

    def __init__(self) -> None:
        self.logs: dict[str, PaperLog] = {}
        self.deeds: list[str] = []
        self.troubles: dict[str, Exception] = {}
        """What is raised by a deed, write, sync, tend, rotate or close, or by `write ann`."""
        self.cannot_open: dict[str, OSError] = {}
        self.room: int | None = None
        """How many bytes are still taken before the error `full`; None for any number."""
        self.full = 0
        self.closed = False

    def fail(self, number: int, room: int = 0) -> None:
        self.full, self.room = number, room

    def heal(self) -> None:
        self.room = None
        self.troubles.clear()
        self.cannot_open.clear()

    def log(self, name: str) -> PaperLog:
        if name in self.cannot_open:
            self.deeds.append(f"open {name}")
            raise self.cannot_open[name]
        return self.logs.setdefault(name, PaperLog(self, name))

    def has(self, name: str) -> bool:
        return name in self.logs

    def open_logs(self) -> Iterable[PaperLog]:
        return self.logs.values()

    def close(self) -> None:
        for log in self.logs.values():
            log.close()
        self.closed = True

    def done(self) -> list[str]:
        """What was done since this was asked last."""
        deeds, self.deeds = self.deeds, []
        return deeds
