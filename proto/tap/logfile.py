"""`twistd -n logfile`: the log receiver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proto.config import PATH, setting, size
from proto.logfile.protocol import LogfileFactory
from proto.logfile.segment import Segment
from proto.tap.launch import launch
from proto.tap.options import ENDPOINT, ListenSettings, ProcessSettings, SettingsOptions
from proto.tap.process import Process
from proto.tap.service import DoorService, open_doors


@dataclass(frozen=True, kw_only=True)
class LogfileSettings(ListenSettings):
    """The log receiver's settings."""

    port: tuple[Any, ...] = setting(
        ENDPOINT, "1514", "where to listen; may be given more than once", also=("p",), many=True
    )
    file: Path = setting(PATH, "log.txt", "the file that every line is appended to", also=("f",))
    max_line: int = setting(
        size(1), "64 KiB", "bytes of the longest line; a longer one is cut and marked"
    )


class Options(SettingsOptions):
    """The options of `twistd -n logfile`."""

    command = "logfile"
    groups = (LogfileSettings, ProcessSettings)
    longdesc = "A log receiver: every line that comes over TCP is appended to one file."


def build(settings: LogfileSettings, process: Process) -> DoorService:
    """The service, its ports bound.  Raises StartError."""
    check(settings)
    factory = LogfileFactory(
        settings.file.absolute(),  # a daemon may be told to live in another folder
        process.reactor,
        max_line=settings.max_line,
        metrics=process.metrics,
    )
    process.note = factory.note
    keeper = process.doorkeeper("logfile", factory, settings.limits())
    opened = open_doors(keeper, settings, process.reactor)
    return DoorService(
        keeper, opened, process.reactor, process.settings.grace, settings, reopen=factory.reopen
    )


def check(settings: LogfileSettings) -> None:
    """Open the file and close it again, while there is still a terminal to complain to.

    Raises StartError.
    """
    Segment.open(settings.file).close()


def makeService(options: Options) -> Process:
    """What twistd runs."""
    return launch(options, LogfileSettings, build)
