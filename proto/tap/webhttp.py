"""How long the web service waits for a peer of HTTP/1.1, and where large bodies wait for it."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proto.config import PATH, seconds, setting, whole
from proto.errors import StartError
from proto.web.known import SECONDS as REPEAT_SECONDS
from proto.web.patience import Patience
from proto.web.spool import FILES, Spools

_PATIENCE = Patience()
MOST_FILES: Final = 65536


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """What a peer may take, in time and in room."""

    head_timeout: float = setting(
        seconds(0.1), _PATIENCE.head, "seconds from the first byte of a request's head to its last"
    )
    stall_timeout: float = setting(
        seconds(0.1),
        _PATIENCE.stall,
        "seconds without taking anything of its answer after which a peer is cut off",
    )
    body_rate: int = setting(
        whole(1),
        _PATIENCE.body_rate,
        "bytes of a request's body that must come in a second, after the first ten seconds",
    )
    stat_interval: float = setting(
        seconds(0),
        REPEAT_SECONDS,
        "seconds for which the answer from a file may be repeated without a look at the file",
    )
    spool: Path | None = setting(
        PATH, None, "the folder where large bodies wait until they are whole; else the system's"
    )
    max_spooled: int = setting(
        whole(1), FILES, "bodies that may wait there at once; above that a request gets 503"
    )


def patience_of(settings: HttpSettings) -> Patience:
    """The deadlines."""
    return Patience(
        head=settings.head_timeout,
        stall=settings.stall_timeout,
        body_rate=settings.body_rate,
    )


def spools_of(settings: HttpSettings) -> Spools:
    """Where bodies wait.  Raises StartError when the folder cannot be written to."""
    folder = settings.spool.absolute() if settings.spool else None
    if folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise StartError(f"--spool {folder}: no folder that can be written to; create it: mkdir -p")
    return Spools(folder, files=settings.max_spooled)


def open_files() -> int:
    """How many files may be open for peers that take their time: half of what the process may."""
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        MOST_FILES if descriptors == resource.RLIM_INFINITY else min(MOST_FILES, descriptors // 2)
    )
