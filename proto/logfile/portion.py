"""What is handed to the writer, and what is asked of it.  Knows neither threads nor files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from proto.logfile.budget import Account


@dataclass(slots=True)
class Portion:
    """Whole records that came together; each ends in LF."""

    records: bytes
    lines: int
    account: Account
    name: str = ""
    """The file they go to, where each client has one of its own."""
    stored: Callable[[bool], None] | None = None
    """Told once: True when they are on the disk, False when they will never be."""
    weight: int = 0
    """What the budget counts for it, in bytes: the records and what keeps them in memory."""
    urgent: bool = False
    """Whether everybody waits for the disk by now."""


class Writer(Protocol):
    """Whoever puts records on the disk."""

    def append(self, portion: Portion) -> None:
        """Take it and return at once; portions of one name are written in the order of the calls.

        After the writer was closed it is settled as not stored.
        """
