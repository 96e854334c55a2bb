"""Senders of numbered lines over each protocol of the log receiver; each has a thread.

They know what they sent and what was acknowledged (`numbered.Notes`), and go on until the server is
gone, or until they are told to end: then they leave when all is acknowledged.
"""

from __future__ import annotations

import random
import re
import select
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.system.numbered import Notes, Proof, prove
from tests.system.programs import DEADLINE, Twistd

WINDOW: Final = 400
"""Lines that a sender has on their way at most."""
OPEN: Final = b"relp_version=0\nrelp_software=test\ncommands=syslog"
_ANSWER: Final = re.compile(rb"([0-9]+) (rsp|serverclose) ([0-9]+)(?: |(?=\n))")
_OK: Final = re.compile(rb"OK ([0-9]+)")


class Sender(ABC):
    """Somebody who sends numbered lines, turn after turn."""

    port = "logfile"

    def __init__(self, name: str, heard: Callable[[int], None], seed: int, window: int) -> None:
        """`heard` is called with the number of lines that were acknowledged; no more than `window`
        are on their way."""
        self._window = window
        self.notes = Notes(name.encode())
        self._heard = heard
        self._chance = random.Random(seed)

    def talk(self, port: int, over: threading.Event) -> None:
        """Send until the server is gone, or is through with all when it is `over`."""
        with suppress(ConnectionError, HTTPException):
            while not self._converse(port, over):
                pass

    @abstractmethod
    def _converse(self, port: int, over: threading.Event) -> bool:
        """One turn; the result is whether all is done."""

    def _some(self) -> list[bytes]:
        return self.notes.next(self._chance.randrange(1, self._window // 6))

    def _told(self, last: int) -> None:
        self._heard(self.notes.told(last))

    @property
    def _on_the_way(self) -> int:
        return self.notes.turns[-1].sent - self.notes.acknowledged


class Streaming(Sender):
    """One that sends on while its acknowledgements come."""

    def _converse(self, port: int, over: threading.Event) -> bool:
        self._first = self.notes.begin().first
        self._pending = b""
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as wire:
            self._greet(wire)
            while not (over.is_set() and not self._on_the_way):
                wait = over.is_set() or self._on_the_way >= self._window
                if not wait:
                    wire.sendall(self._encode(self._some()))
                if select.select([wire], [], [], DEADLINE if wait else 0)[0]:
                    data = wire.recv(65536)
                    if not data:
                        return False
                    self._pending = self._hear(self._pending + data)
                else:
                    assert not wait, f"{self.notes.name!r}: no acknowledgement came"
        return True

    @abstractmethod
    def _greet(self, wire: socket.socket) -> None: ...

    @abstractmethod
    def _encode(self, lines: list[bytes]) -> bytes: ...

    @abstractmethod
    def _hear(self, data: bytes) -> bytes:
        """Take the answers; the result is what is left of them."""


class Plain(Streaming):
    """Lines, and `OK n` for n of this connection."""

    def _greet(self, wire: socket.socket) -> None: ...

    def _encode(self, lines: list[bytes]) -> bytes:
        return b"\n".join(lines) + b"\n"

    def _hear(self, data: bytes) -> bytes:
        *answers, rest = data.split(b"\n")
        for answer in answers:
            if not answer.startswith(b"refused: "):
                found = _OK.fullmatch(answer)
                assert found is not None, answer
                self._told(self._first - 1 + int(found[1]))
        return rest


class Relp(Streaming):
    """RELP, as far as it is needed to send."""

    port = "relp"

    def _greet(self, wire: socket.socket) -> None:
        self._next = 2
        wire.sendall(b"1 open %d %b\n" % (len(OPEN), OPEN))

    def _encode(self, lines: list[bytes]) -> bytes:
        begin, self._next = self._next, self._next + len(lines)
        numbered = enumerate(lines, begin)
        return b"".join(b"%d syslog %d %b\n" % (n, len(text), text) for n, text in numbered)

    def _hear(self, data: bytes) -> bytes:
        at = 0
        while found := _ANSWER.match(data, at):
            end = found.end() + int(found[3])
            if end >= len(data):
                break
            assert data[end] == 10, data[at:]
            if found[2] == b"rsp":
                assert data.startswith(b"200 ", found.end()), data[at:]
                if int(found[1]) > 1:
                    self._told(self._first + int(found[1]) - 2)
            at = end + 1
        return data[at:]


class Http(Sender):
    """One body after the other; one that is refused is sent again in a new turn."""

    port = "http"

    def _converse(self, port: int, over: threading.Event) -> bool:
        self.notes.begin()
        wire = HTTPConnection("127.0.0.1", port, DEADLINE)
        try:
            while not over.is_set():
                body = b"\n".join(self._some()) + b"\n"
                wire.request("POST", "/log", body, {"Content-Type": "text/plain"})
                answer = wire.getresponse()
                text = answer.read()
                if answer.status == 503:
                    over.wait(0.05)
                    return False
                count = body.count(b"\n")
                assert (answer.status, text) == (200, b'{"stored":%d}' % count), text
                self._told(self.notes.turns[-1].sent)
        finally:
            wire.close()
        return True


class Crowd:
    """Senders of all kinds, each in a thread as long as one life of the server."""

    def __init__(
        self, kinds: Sequence[type[Sender]] = (Plain, Relp, Http) * 2, *, window: int = WINDOW
    ) -> None:
        self._news = threading.Condition()
        self._acknowledged = 0
        self._failed = False
        self.senders = [
            kind(f"{kind.__name__.lower()}{number}", self._hear, number, window)
            for number, kind in enumerate(kinds)
        ]

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(len(self.senders))
        self._talks: list[Future[None]] = []
        self._over = threading.Event()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._pool.shutdown()

    def begin(self, server: Twistd) -> None:
        """Let all of them send, when the server is ready."""
        ports = {kind: server.port(kind) for kind in {each.port for each in self.senders}}
        self.dial(ports)

    def dial(self, ports: Mapping[str, int]) -> None:
        """Let all of them send."""
        self._over = threading.Event()
        self._talks = [
            self._pool.submit(self._talk, each, ports[each.port], self._over)
            for each in self.senders
        ]

    def wait(self, lines: int) -> None:
        """Wait until so many more are acknowledged."""
        with self._news:
            enough = self._acknowledged + lines
            self._news.wait_for(lambda: self._failed or self._acknowledged >= enough, DEADLINE)
            assert self._failed or self._acknowledged >= enough, "acknowledgements do not come"

    def gone(self) -> None:
        """The server was killed or stopped: let everybody see that."""
        for talk in self._talks:
            talk.result(DEADLINE * 2)

    def end(self) -> None:
        """Let everybody end when all of theirs is acknowledged."""
        self._over.set()
        self.gone()

    @property
    def acknowledged(self) -> int:
        """How many lines of all of them are."""
        return sum(each.notes.acknowledged for each in self.senders)

    def prove(self, folder: Path, name: str = "log.txt", **more: Any) -> Proof:
        """What `numbered.prove` finds for all of them."""
        return prove([each.notes for each in self.senders], folder, name, **more)

    def _hear(self, lines: int) -> None:
        with self._news:
            self._acknowledged += lines
            self._news.notify_all()

    def _talk(self, sender: Sender, port: int, over: threading.Event) -> None:
        try:
            sender.talk(port, over)
        except BaseException:
            with self._news:
                self._failed = True
                self._news.notify_all()
            raise
