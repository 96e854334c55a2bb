"""One of the processes of `--workers`: what it has from its master, and what it tells it.

    descriptor 1, 2    its log, a JSON array of level and text on a line; and what Python says
    descriptor 3       the `Line` to its master, whose end is the worker's end
    descriptor 4 ...   the sockets that are bound already

`python -m proto.tap.worker` is twistd under that name; only a master runs it.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

from proto.endpoints import Endpoint
from proto.errors import StartError
from proto.tap.control import Line, Message, join
from proto.tap.pool import PATIENCE, Overview
from proto.tap.process import Process
from proto.web.response import HTTPError

VARIABLE: Final = "PROTO_WORKER"
CONTROL: Final = 3
FIRST_SOCKET: Final = 4
MAX_TEXT: Final = 16 * 1024
"""Characters of one entry of the log; the rest of a longer one is cut off."""


class Inherited:
    """What this process has from its master."""

    def __init__(self, number: int, count: int, control: socket.socket, ways: list[socket.socket]):
        self.number = number
        self.count = count
        self.control = control
        self._ways = ways

    @classmethod
    def take(cls) -> Inherited | None:
        """What there is, once; None in a process that is no worker.  Raises StartError."""
        text = os.environ.pop(VARIABLE, None)
        if text is None:
            return None
        try:
            number, count, sockets = map(int, text.split("/"))
            control, *ways = map(_socket, range(CONTROL, FIRST_SOCKET + sockets))
        except (ValueError, OSError) as error:
            raise StartError(f"{VARIABLE} is set and there is no master; unset it") from error
        return cls(number, count, control, ways)

    def bind(self, endpoint: Endpoint) -> socket.socket:
        """The socket of the next endpoint, which the master has bound."""
        if not self._ways:
            raise StartError(f"{endpoint}: the master has not bound it; start the service anew")
        return self._ways.pop(0)

    def share(self, whole: int) -> int:
        """This worker's part of a limit; 0 is no limit and stays so."""
        return -(-whole // self.count)


def _socket(descriptor: int) -> socket.socket:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise ValueError("no socket")
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


class Station:
    """The worker's end of the line to its master."""

    def __init__(self, inherited: Inherited, process: Process) -> None:
        self._inherited = inherited
        self._process = process
        self._line = Line(self._hear, self._lost)
        self._asking: list[Deferred[Overview]] = []
        self._closed: Deferred[None] | None = None

    # The service calls these.
    def start(self) -> None:
        """Speak with the master from now on."""
        join(self._process.reactor, self._inherited.control, self._line)
        self._process.reactor.callWhenRunning(self._line.say, Message("ready"))

    def close(self) -> Deferred[None] | None:
        """Tell the last figures; fires when they are sent."""
        if not self._line.connected:
            return None
        self._closed = Deferred()
        self._tell()
        self._line.close()
        return self._closed

    # /metrics and /health call this.
    def ask(self) -> Deferred[Overview]:
        """What all workers have counted; HTTPError, 503, when the master does not say."""
        overview: Deferred[Overview] = Deferred()
        if not self._asking:
            self._line.say(Message("ask"))
        self._asking.append(overview)

        def silent(result: object, seconds: float) -> Overview:
            self._asking.remove(overview)
            told = "The master of this worker does not answer."
            raise HTTPError(503, told, [("Retry-After", "5")])

        return overview.addTimeout(PATIENCE * 2, self._process.reactor, silent)

    def _hear(self, message: Message) -> None:
        match message.kind:
            case "tell":
                self._tell()
            case "answer":
                asking, self._asking = self._asking, []
                for each in asking:
                    each.callback(Overview(message.metrics, message.services))
            case "hangup":
                self._process.hangup()
            case "hurry":
                for service in self._process.doors():
                    service.hurry()

    def _tell(self) -> None:
        metrics = self._process.metrics.render().decode()
        self._line.say(Message("told", metrics, self._process.ready()))

    def _lost(self) -> None:
        if self._closed is not None:
            self._closed.callback(None)
        else:  # the master was killed: nobody else would ever stop this process
            os.kill(os.getpid(), signal.SIGTERM)


@implementer(ILogObserver)
class ToMaster:
    """Writes the log to the master, which gives each entry its time.

    The pipe never makes the worker wait: what a master that is slow does not take is dropped, and
    told when there is room again.
    """

    def __init__(self, descriptor: int = 1) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._torn = b""
        self._dropped = 0

    # twisted.logger calls this.
    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level") or LogLevel.info
        lines = _line(level.name, eventAsText(event, includeTimestamp=False, includeSystem=False))
        if self._dropped:
            told = f"{self._dropped} entries of the log were dropped, as nobody took them"
            lines = _line("warn", told) + lines
        if self._write(lines):
            self._dropped = 0
        else:
            self._dropped += 1

    def _write(self, lines: bytes) -> bool:
        """Write them, or begin to; whether there was room."""
        if not self._flush():
            return False
        self._torn = lines
        self._flush()
        if self._torn is lines:
            self._torn = b""
            return False
        return True

    def _flush(self) -> bool:
        """Write what is left of an entry; whether nothing is."""
        if self._torn:
            with suppress(BlockingIOError, BrokenPipeError):
                self._torn = self._torn[os.write(self._descriptor, self._torn) :]
        return not self._torn


def _line(level: str, text: str) -> bytes:
    clean = text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()
    return msgspec.json.encode((level, clean)) + b"\n"


def main(arguments: list[str], run: Callable[[], object]) -> None:
    """Be twistd with these arguments."""
    sys.argv[1:] = arguments
    run()


if __name__ == "__main__":
    from twisted.scripts.twistd import run

    main(sys.argv[1:], run)
