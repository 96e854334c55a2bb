"""How much of everything is measured, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything: rounds, seconds of each, and the sizes that each case is run in.

    A `stretch` is a factor for the seconds of a round, where they are too few to tell anything.
    """

    rounds: int = 5
    seconds: float = 0.75
    echo_connections: Sequence[int] = (1, 64, 1000)
    idle_connections: int = 10_000
    readers: Sequence[int] = (10, 100, 1000)
    one_sender: Sequence[int] = (100,)
    """Readers of a sender who waits for each line."""
    beside_frozen: Sequence[tuple[int, int]] = ((100, 5000), (1000, 1400))
    """Readers, and lines for each of the seconds: enough to fill what the kernel keeps for one who
    reads nothing (2.6 MB on loopback) and a MiB more."""
    senders: int = 10
    light_people: int = 100
    light_pause: float = 0.1
    light_stretch: float = 4.0
    every_chat: bool = True
    log_connections: Sequence[int] = (1, 50)
    log_sizes: Sequence[int] = (100, 400)
    log_bytes: int = 1_200_000_000
    """That one round may write at most."""
    log_stretch: float = 2.0
    every_log: bool = True
    lag_stretch: float = 6.0
    file_sizes: Sequence[int] = (1024, 102_400, 10_485_760)
    web_connections: int = 64
    every_web: bool = True
    with_sink: bool = False
    folder: Path | None = None
    """Where the servers keep their files; None: where `disk` finds a disk."""
    syslog_ng: Path | None = None
    """Where Debian's packages of syslog-ng are unpacked; None: it is looked for on the PATH."""


FULL: Final = Scale()
QUICK: Final = Scale(
    rounds=3,
    seconds=0.25,
    echo_connections=(1, 64),
    idle_connections=1000,
    readers=(100,),
    beside_frozen=((100, 5000),),
    light_stretch=2.0,
    every_chat=False,
    log_sizes=(100,),
    log_bytes=400_000_000,
    log_stretch=1.6,
    every_log=False,
    lag_stretch=4.0,
    file_sizes=(1024, 102_400),
    every_web=False,
)
