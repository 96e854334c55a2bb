"""People in a real chat, at telnet and at a WebSocket, who remember what they saw.

They do not know what the log holds: `Kept` does.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count
from typing import Any, Final, Self

from websockets.sync.client import ClientConnection, connect

from proto.chat.history import Span
from proto.storage.reading import lines
from tests.storage.waiting import opened

PATIENCE: Final = 60.0
"""Seconds that anything may take before a test gives up."""
_EVERYTHING: Final = Span(1 << 30, size=1 << 50)
_LINE: Final = re.compile(r"(\S+) says (.*)")


class Kept:
    """The lobby's lines as the store has them, whoever else has it open."""

    def __init__(self, where: str) -> None:
        self._store = opened(where)
        self.texts: list[str] = []
        """Of line 1, 2, 3 ..."""

    def read(self) -> list[str]:
        """Look for lines that are new; they have the next numbers, without a gap."""
        with closing(self._store.reading()) as link:
            span = Span(_EVERYTHING.count, after=len(self.texts), size=_EVERYTHING.size)
            found = lines(link, "lobby", span).lines
        first = len(self.texts) + 1
        assert [line.sequence for line in found] == list(range(first, first + len(found)))
        self.texts += [line.event.text for line in found]
        return self.texts

    def everything(self) -> list[str]:
        """All of it, read once more from the first line on."""
        self.texts.clear()
        return self.read()

    def holds(self, piece: Sequence[str], first: int) -> bool:
        """Whether the lines from that number on are that piece."""
        return self.texts[first - 1 : first - 1 + len(piece)] == list(piece)


class Telnet:
    """Somebody at telnet: bytes -> what was said before, what was missed, what is said."""

    def __init__(self, port: int) -> None:
        self.wire = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._rest = b""
        self._section = "live"
        self.shown: dict[str, list[str]] = {"earlier": [], "missed": [], "live": []}
        """The texts of the lines, in the order in which they came."""
        self.told: list[str] = []
        """Everything else: the server's own lines."""
        self.refusals: list[str] = []
        self.more = False
        """More was missed than they were shown."""

    @property
    def lines(self) -> list[str]:
        """What was said since they came."""
        return self.shown["live"]

    def say(self, *texts: str) -> None:
        self.wire.sendall("".join(f"{text}\n" for text in texts).encode())

    def wait(self, done: Callable[[], object]) -> None:
        """Read until that is so; ConnectionError at the end."""
        while not done():
            if not self.read():
                raise ConnectionError(f"the connection ended; it said {self.told[-3:]}")

    def hears(self, mark: str) -> str:
        """Wait for a line of the server's that matches; it is forgotten, and what came before."""
        found: list[int] = []

        def came() -> list[int]:
            found[:] = [at for at, line in enumerate(self.told) if re.search(mark, line)][:1]
            return found

        self.wait(came)
        line = self.told[found[0]]
        del self.told[: found[0] + 1]
        return line

    def read(self) -> bool:
        """Take what comes; false at the end."""
        data = self.wire.recv(1 << 18)
        *whole, self._rest = (self._rest + data).split(b"\r\n")
        for line in whole:
            self._take(line.decode())
        return bool(data)

    def drain(self) -> None:
        """Read what a dead server had sent."""
        with suppress(ConnectionError):
            while self.read():
                pass
        self.wire.close()

    def _take(self, line: str) -> None:
        said = _LINE.fullmatch(line)
        if said is not None:
            self.shown[self._section].append(said[2])
            return
        if line == "Earlier here:":
            self._section = "earlier"
        elif line == "You missed:":
            self._section = "missed"
        elif line == "Now:":
            self._section = "live"
        elif line.startswith("There is more; /HISTORY 200 "):
            self.more = True
        elif line.startswith("! "):
            self.refusals.append(line.removeprefix("! "))
        self.told.append(line)


class Json:
    """Somebody at a WebSocket: a message is an object."""

    def __init__(self, wire: ClientConnection) -> None:
        self.wire = wire
        self.lines: list[str] = []
        """The texts of the lines that came live."""
        self.refusals: list[str] = []

    @classmethod
    @contextmanager
    def visiting(cls, port: int) -> Iterator[Self]:
        """Somebody who is there for the `with` block."""
        url = f"ws://127.0.0.1:{port}/api/v1/chat/socket"
        with connect(
            url, proxy=None, open_timeout=PATIENCE, close_timeout=PATIENCE, max_size=None
        ) as wire:
            yield cls(wire)

    def say(self, *texts: str) -> None:
        for text in texts:
            self.ask(type="line", text=text)

    def ask(self, **message: Any) -> None:
        self.wire.send(json.dumps(message))

    def next(self) -> dict[str, Any]:
        """The next message; ConnectionClosed at the end."""
        message: dict[str, Any] = json.loads(self.wire.recv(PATIENCE))
        if message["type"] == "line":
            self.lines.append(message["text"])
        elif message["type"] == "error":
            self.refusals.append(message["text"])
        return message

    def wait(self, done: Callable[[], object]) -> None:
        """Read until that is so."""
        while not done():
            self.next()

    def hears(self, *kinds: str) -> dict[str, Any]:
        """The next message of such a type; others are forgotten."""
        while (message := self.next())["type"] not in kinds:
            pass
        return message


class Party:
    """People in the lobby who each say a line, and hear what came of it, again and again."""

    def __init__(self, ports: Mapping[str, int], stack: ExitStack) -> None:
        """Some come by the chat's port, one by the web's; they go with the stack."""
        self._numbers = count(1)
        self.refused: dict[str, str] = {}
        """Texts, and why."""
        self.telnet = [Telnet(ports["chat"]) for _ in range(2)]
        self.json = stack.enter_context(Json.visiting(ports["web"]))
        self.people: dict[str, Telnet | Json] = {"cat": self.json}
        self.json.ask(type="hello", name="cat")
        self.json.hears("entered")
        for name, person in zip(("ann", "bob"), self.telnet, strict=True):
            stack.enter_context(person.wire)
            person.hears(r"^You are ")
            person.say(f"/NAME {name}")
            person.hears(f" changed name to {name}$")
            self.people[name] = person

    def round(self) -> set[str]:
        """Everybody says a line, and waits for it; why some were refused."""
        number = next(self._numbers)
        before = {name: len(person.refusals) for name, person in self.people.items()}
        for name, person in self.people.items():
            person.say(f"{name}-{number}")
        return {
            why for name in self.people if (why := self._outcome(f"{name}-{number}", before[name]))
        }

    def _outcome(self, text: str, before: int) -> str | None:
        person = self.people[text.partition("-")[0]]
        person.wait(lambda: text in person.lines[-10:] or len(person.refusals) > before)
        if len(person.refusals) == before:
            return None
        self.refused[text] = person.refusals[-1]
        return person.refusals[-1]

    def insist(self) -> None:
        """Talk until nobody is refused any more."""
        end = time.monotonic() + PATIENCE
        while self.round():
            assert time.monotonic() < end, list(self.refused.values())[-3:]

    def until_refused(self, each_time: Callable[[], None]) -> set[str]:
        """Talk until somebody is refused; why."""
        end = time.monotonic() + PATIENCE
        told: set[str] = set()
        while not told:
            assert time.monotonic() < end, "nobody was refused"
            each_time()
            told = self.round()
        return told

    def check(self, kept: Kept) -> None:
        """Everybody saw what is in the log, and nothing else; nothing refused is there."""
        texts = kept.read()
        for name, person in self.people.items():
            lines = person.lines
            person.wait(lambda: texts[-1] in lines)  # noqa: B023
            assert person.lines == texts[-len(person.lines) :], name
        assert texts == self.json.lines
        assert not set(texts) & set(self.refused)
