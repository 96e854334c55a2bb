"""Where the log stands in the web's tree.

    /log                        POST lines, answered when they are on the disk
    /api/v1/log/tail            lines as they reach the disk, as server-sent events
    /api/v1/log/door            204 if one may look at the tail, or else why not
    /api/v1/log/search          lines that are there, newest first

Whoever reaches the web service may write to the log and read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource

from proto.logfile.framing import LONGEST_LINE
from proto.logfile.intake import Intake
from proto.metrics import Metrics
from proto.web.handlers import Handlers
from proto.web.request import WebRequest
from proto.weblog.post import MOST_WAITING, WAIT, Posts
from proto.weblog.problems import problems
from proto.weblog.reading import Stamp
from proto.weblog.search import InThread, Searches
from proto.weblog.tail import MOST_READERS, Admit, Tail

PATH: Final = "/api/v1/log"
POST_PATH: Final = "/log"


@dataclass(frozen=True, slots=True)
class LogLimits:
    """What the log's peers on the web may take."""

    max_line: int = LONGEST_LINE
    """Bytes of the longest line; a longer one is cut and marked."""
    wait: float = WAIT
    """Seconds that a POST waits for the disk without any progress."""
    posts: int = MOST_WAITING
    """Bodies that are on their way to the disk at once."""
    readers: int = MOST_READERS
    """Readers of the live tail."""


def _everybody(request: WebRequest) -> Callable[[], None]:
    return lambda: None


class WebLog:
    """The log's doors in a web service."""

    def __init__(
        self,
        intake: Intake,
        clock: IReactorTime,
        path_of: Callable[[str], Path | None],
        in_thread: InThread,
        metrics: Metrics,
        *,
        admit: Admit = _everybody,
        stamp: Stamp | None = None,
        limits: LogLimits | None = None,
    ) -> None:
        """`path_of` tells the file of a log's name, free of symbolic links, or None if there is no
        such log; the only log of a service has an empty name.  `in_thread(f, ...)` calls f in
        another thread and returns a Deferred.  `admit` counts a peer that stays, and returns what
        to call when it is gone; raises HTTPError when it may not come in.  `stamp` is
        `proto.weblog.stamp.time_in` where records begin with their time."""
        limits = limits or LogLimits()
        self._posts = Posts(
            intake,
            clock,
            metrics,
            max_line=limits.max_line,
            wait=limits.wait,
            most=limits.posts,
        )
        self._tail = Tail(intake, clock, metrics, admit, most=limits.readers)
        self._searches = Searches(path_of, in_thread, metrics, stamp)

    def mount(self, root: Resource, handlers: Handlers) -> None:
        """Put the log into a tree; handlers are found there before anything else is."""
        handlers.register(POST_PATH, problems(self._posts.post), methods=("POST",))
        handlers.register(f"{PATH}/tail", problems(self._tail.look))
        handlers.register(f"{PATH}/door", problems(self._tail.door))
        handlers.register(f"{PATH}/search", problems(self._searches.search))
