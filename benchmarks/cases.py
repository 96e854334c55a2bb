"""Every case: who takes part, with which command line, under which load.  Read this first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks import chatcases, doorcases, echocases, logcases, webcases
from benchmarks.contest import Case
from benchmarks.scale import Scale

BENCHMARKS: Final[dict[str, Callable[[Scale], list[Case]]]] = {
    "echo": echocases.echo,
    "chat": chatcases.chat,
    "logfile": logcases.logfile,
    "lag": logcases.lag,
    "web": webcases.web,
    "proxy": doorcases.proxy,
    "wsgi": doorcases.wsgi,
    "api": doorcases.api,
}
