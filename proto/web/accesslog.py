"""One line for each answer, in nginx's format `main`, which every log reader knows.

    $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent
    "$http_referer" "$http_user_agent" "$http_x_forwarded_for"

https://nginx.org/en/docs/http/ngx_http_log_module.html
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from proto.errors import StartError
from proto.metrics import Metrics
from proto.web.dates import MONTHS

_ESCAPED: Final = re.compile(rb'[^\x20-\x7e]|["\\]')
_REMEMBERED_BYTES: Final = 256
# A pipe whose reader is slow, or is not there, must not stop the server.
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Visit:
    """What one line tells; bytes are as the peer sent them, empty for what it did not send."""

    host: str
    user: bytes
    request: bytes
    status: int
    body_bytes: int
    referer: bytes
    user_agent: bytes
    forwarded_for: bytes


def escape(value: bytes) -> str:
    r"""As nginx does: quotes, backslashes and what is not printable ASCII become \xHH."""
    if not value:
        return "-"
    return _remembered(value) if len(value) <= _REMEMBERED_BYTES else _escaped(value)


def _escaped(value: bytes) -> str:
    return _ESCAPED.sub(lambda found: b"\\x%02X" % found[0][0], value).decode("ascii")


_remembered: Final = lru_cache(1024)(_escaped)  # most of it comes again and again


def format_line(visit: Visit, local_time: str) -> str:
    """One line without its end."""
    return (
        f"{visit.host} - {escape(visit.user)} [{local_time}] "
        f'"{escape(visit.request)}" {visit.status} {visit.body_bytes} '
        f'"{escape(visit.referer)}" "{escape(visit.user_agent)}" "{escape(visit.forwarded_for)}"'
    )


def local_time(timestamp: float, zone: tzinfo | None = None) -> str:
    """`10/Oct/2000:13:55:36 -0700`, in the zone of this machine when none is given."""
    moment = datetime.fromtimestamp(int(timestamp)).astimezone(zone)
    month = MONTHS[moment.month - 1]
    return f"{moment:%d}/{month}/{moment:%Y:%H:%M:%S %z}"


class AccessLog:
    """Where the lines go: a file that can be reopened, or the log of the process.

    The lines of one turn of the reactor are written together.  What the disk does not take is
    lost, counted, and told once until it works again.
    """

    log = Logger()

    def __init__(
        self,
        path: Path | None,
        clock: IReactorTime,
        *,
        metrics: Metrics | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        """Raises StartError when the file cannot be opened."""
        metrics = metrics or Metrics()
        self._lost = metrics.tally("web_access_lines_lost", "Access log lines that were not kept")
        self._path = path
        self._clock = clock
        self._zone = zone
        self._fd = -1
        self._lines: list[bytes] = []
        self._flushing: IDelayedCall | None = None
        self._is_failing = False
        self._is_torn = False
        self._second = -1
        self._time = ""
        try:
            self.open()
        except OSError as error:
            raise StartError(
                f"the access log {path} cannot be opened ({error.strerror}): "
                "name a file in a folder that is there and writable"
            ) from error

    def open(self) -> None:
        """Open the file unless it is open already; raises OSError."""
        if self._path is not None and self._fd < 0:
            self._fd = os.open(self._path, _FLAGS, 0o640)

    def add(self, visit: Visit) -> None:
        """Log one answer, now."""
        self.add_line(format_line(visit, self._now()))

    def line_of(self, visit: Visit) -> str:
        """The line that `add` would log now."""
        return format_line(visit, self._now())

    def add_line(self, line: str) -> None:
        """Log this."""
        if self._path is None:
            self.log.info("{line}", line=line)
            return
        self._lines.append(line.encode("ascii", "backslashreplace") + b"\n")
        if self._flushing is None:
            self._flushing = self._clock.callLater(0, self._flush_turn)

    def reopen(self) -> None:
        """Go on in a new file of the same name, after the old one was moved away.

        When that does not work, the old one is kept.
        """
        if self._path is None:
            return
        self.flush()
        try:
            fresh = os.open(self._path, _FLAGS, 0o640)
        except OSError as error:
            self.log.error(
                "cannot reopen {path}: {reason}; going on with the old file",
                path=str(self._path),
                reason=error.strerror,
            )
            return
        self._close_file()
        self._fd = fresh

    def flush(self) -> None:
        """Write what this turn has brought."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flush_turn()

    def close(self) -> None:
        """Write the rest and close the file; `open` opens it again."""
        self.flush()
        self._close_file()

    def _now(self) -> str:
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._time = second, local_time(second, self._zone)
        return self._time

    def _flush_turn(self) -> None:
        self._flushing = None
        lines, self._lines = self._lines, []
        if self._is_torn:
            lines.insert(0, b"\n")
        rest = memoryview(b"".join(lines))
        try:
            self.open()  # the last answers may come after the listeners have stopped
            while rest:
                written = os.write(self._fd, rest)
                self._is_torn = rest[written - 1] != ord("\n")
                rest = rest[written:]
        except OSError as error:
            # At least a part of a line is lost, and with it the line.
            self._lost.value += bytes(rest).count(b"\n")
            if not self._is_failing:
                self.log.error(
                    "cannot write {path}: {reason}; access log lines are lost",
                    path=str(self._path),
                    reason=error.strerror,
                )
            self._is_failing = True
        else:
            self._is_failing = False

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
