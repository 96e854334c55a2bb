"""A site in memory whose scripts are real, and scripts that are only played."""

from __future__ import annotations

import http.client
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from proto.metrics import Metrics
from proto.web.aside import AtOnce
from proto.web.cgi.door import CgiFolder, Rules, Scene
from proto.web.cgi.scripts import Scripts
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts
from proto.web.site import ProtoSite
from proto.web.tree import add_greeting, build_tree
from tests.support import connect
from tests.web.cgi.turns import Turns
from tests.web.wire import hang_up, request_bytes

SHELL: Final = "#!/bin/sh\n"
PYTHON: Final = f"#!{sys.executable}\n"
PLAIN: Final = "echo 'Content-Type: text/plain'; echo\n"


def write_script(folder: Path, name: str, text: str, mode: int = 0o755) -> Path:
    """A program in that folder."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def shell(folder: Path, name: str, text: str) -> Path:
    return write_script(folder, name, SHELL + text)


class Stage:
    """The scripts of one folder, asked over connections in memory."""

    def __init__(self, folder: Path, rules: Rules | None = None, path: Path | None = None) -> None:
        self.turns = Turns()
        self.metrics = Metrics()
        self.scene = Scene(rules or Rules(), self.turns, AtOnce(), self.metrics)
        mounts, handlers = Mounts(), Handlers()
        mounts.add("/cgi-bin", CgiFolder(Scripts(folder), self.scene), max_body=0)
        add_greeting(handlers)
        tree = build_tree(path, self.turns, handlers=handlers, mounts=mounts)
        self.site = ProtoSite(
            tree, self.turns, streams=tree.streams, max_body=1 << 20, repeat_seconds=1.0
        )

    def open(self, raw: bytes) -> tuple[Any, Any]:
        """Send these bytes; the connection and what it writes to."""
        protocol, wire = connect(self.site)
        protocol.dataReceived(raw)
        return protocol, wire

    def ask(
        self, target: str, method: str = "GET", body: bytes = b"", **headers: str
    ) -> http.client.HTTPResponse:
        """One request and its whole answer; `If_Match` stands for If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = request_bytes("/cgi-bin" + target, method, {"Connection": "close", **named}, body)
        return self.exchange(raw, method)

    def exchange(self, raw: bytes, method: str = "GET") -> http.client.HTTPResponse:
        protocol, wire = self.open(raw)
        self.turns.until(lambda: wire.disconnecting)
        hang_up(protocol)
        self.turns.until(lambda: not self.scene.places.running)
        return parse(wire.value(), method)

    def value(self, name: str) -> str:
        """What a metric says."""
        for line in self.metrics.render().decode().splitlines():
            if line.startswith(f"proto_{name} ") or line.startswith(f"proto_{name}_total "):
                return line.rpartition(" ")[2]
        raise KeyError(name)


class _Wire:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def parse(raw: bytes, method: str = "GET") -> http.client.HTTPResponse:
    """The answer as Python's own client reads it."""
    answer = http.client.HTTPResponse(_Wire(raw), method=method)  # type: ignore[arg-type]
    answer.begin()
    return answer


@implementer(ILogObserver)
class Told:
    """The values of one name in what is logged."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.values: list[Any] = []

    def __call__(self, event: LogEvent) -> None:
        if self._name in event:
            self.values.append(event[self._name])


@contextmanager
def logged(name: str) -> Iterator[list[Any]]:
    """What the log is told of that name meanwhile."""
    told = Told(name)
    globalLogPublisher.addObserver(told)
    try:
        yield told.values
    finally:
        globalLogPublisher.removeObserver(told)


class Played:
    """What an Exchange sees of a script, with an output that was written before."""

    name = "played"

    def __init__(self, output: Sequence[bytes]) -> None:
        self.output = list(output)
        self.given = b""
        self.is_stopped = False
        self.late: Callable[[str], None] = lambda why: None

    async def read(self) -> bytes:
        return self.output.pop(0) if self.output else b""

    async def write(self, data: bytes) -> None:
        self.given += data

    def close_input(self) -> None:
        """There is no more."""

    def stop(self) -> None:
        self.is_stopped = True

    def when_late(self, tell: Callable[[str], None]) -> None:
        self.late = tell
