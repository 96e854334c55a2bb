"""A log in memory, to try doors with: it stores when told to, and counts who joined."""

from __future__ import annotations

from proto.logfile.formats import FORMATS
from proto.logfile.intake import Intake
from proto.logfile.portion import Portion
from proto.metrics import Metrics
from tests.logfile.figures import figures


class MemoryLog:
    """An intake whose records wait until `store` or `refuse` says what becomes of them."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.waiting: list[Portion] = []
        self.records = b""
        self.doors = 0
        self.closed = False
        """Whether what comes is settled as not stored at once."""
        self.intake = Intake(lambda intake: self, FORMATS["raw"], lambda: 0.0, self.metrics)

    # The intake calls this.
    def append(self, portion: Portion) -> None:
        if self.closed:
            self.intake.settled([portion], False)
        else:
            self.waiting.append(portion)

    # The doors call these.
    def join(self) -> None:
        self.doors += 1

    def ending(self) -> None:
        """Nothing: there is no time."""

    def leave(self) -> None:
        self.doors -= 1

    # The tests call these.
    def store(self, portions: int | None = None) -> None:
        """The first so many portions are on the disk, or all."""
        settled = self._next(portions)
        self.records += b"".join(portion.records for portion in settled)
        self.intake.settled(settled, True)

    def refuse(self, portions: int | None = None) -> None:
        """The first so many will never be on the disk."""
        self.intake.settled(self._next(portions), False)

    def shown(self, name: str) -> int:
        """A figure, when the identity holds."""
        shown = figures(self.metrics)
        assert shown["logfile_lines_received"] == (
            shown["logfile_lines_durable"]
            + shown["logfile_lines_held"]
            + shown["logfile_lines_refused"]
        )
        return int(shown[f"logfile_{name}"])

    def _next(self, portions: int | None) -> list[Portion]:
        count = len(self.waiting) if portions is None else portions
        settled, self.waiting = self.waiting[:count], self.waiting[count:]
        return settled
