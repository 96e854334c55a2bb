"""What tests of one log on a disk in memory begin with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twisted.logger import LogEvent, formatEvent

from proto.logfile.keeping import Rules
from proto.logfile.log import Log
from tests.logfile.disk import FakeDisk

HERE = "/logs/here.log"
NOW = 1_795_282_200.0
"""20261121T173000Z"""
FIRST = "here.log.20261121T173000Z.000001"


class Clock:
    def __init__(self) -> None:
        self.seconds = NOW

    def __call__(self) -> float:
        return self.seconds


def begin(disk: FakeDisk, rules: Rules = Rules()) -> Log:  # noqa: B008
    return Log.open(Path(HERE), rules, disk, now=disk.now)


def wait(disk: FakeDisk, seconds: float) -> None:
    assert isinstance(disk.now, Clock)
    disk.now.seconds += seconds


def put(log: Log, records: bytes) -> None:
    """One batch, as the writer does it."""
    log.tend()
    log.write(records)
    log.sync()


def said(logs: Sequence[LogEvent]) -> list[str]:
    return [formatEvent(event) for event in logs]
