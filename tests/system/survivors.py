"""People who talk through many lives of a real chat, and come back with their token each time.

Each has a thread as long as the server lives; when that is killed they read what is left of it.
"""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final

from websockets.exceptions import ConnectionClosed, InvalidMessage

from tests.system.talkers import PATIENCE, Json, Kept, Telnet

BURST: Final = 20
"""Lines that are said at once."""


class Ear:
    """Counts the lines that people hear, so that a test can wait for the next so many."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._lines = 0
        self._over = False

    def give_up(self) -> None:
        """Somebody failed: nobody need wait any more."""
        with self._news:
            self._over = True
            self._news.notify_all()

    def heard(self, lines: int) -> None:
        with self._news:
            self._lines += lines
            self._news.notify_all()

    def wait(self, lines: int) -> bool:
        """Wait until so many more were heard; false if that did not come to pass."""
        with self._news:
            enough = self._lines + lines
            self._news.wait_for(lambda: self._over or self._lines >= enough, PATIENCE)
            return self._lines >= enough


class Talker(ABC):
    """Somebody who talks through many lives of the server.  Every line is said once only.

    `heard` is called with the number of lines that came at once.
    """

    def __init__(self, name: str, heard: Callable[[int], None]) -> None:
        self.name = name
        self.heard = heard
        self.token = ""
        self.last = 0
        """The number of the last line that they have read."""
        self.seen = 0
        """Lines that they saw live, or were shown when they came back."""
        self.refused: list[str] = []
        self.resumed = 0
        self.returns = 0
        self._numbers = count(1)

    def burst(self) -> list[str]:
        return [f"{self.name}-{next(self._numbers)}" for _ in range(BURST)]

    @abstractmethod
    def arrive(self, port: int) -> None:
        """Come for the first time, and get a token."""

    @abstractmethod
    def talk(self, port: int, together: threading.Barrier | None, kept: Kept) -> None:
        """Come back, and talk until the server is gone; `kept` is how the log was before."""

    @abstractmethod
    def settle(self, kept: Kept) -> None:
        """Find what they saw in the log: once, in that order, in one piece."""


class TelnetTalker(Talker):
    """Telnet shows no numbers: they come back with the token alone, or with what /HISTORY told."""

    def __init__(self, name: str, heard: Callable[[int], None], counts: bool) -> None:
        super().__init__(name, heard)
        self._counts = counts
        self._live: list[str] = []
        self.repeated = 0

    def arrive(self, port: int) -> None:
        client = Telnet(port)
        client.hears(r"^You are ")
        client.say(f"/NAME {self.name}", "/RESUME")
        self.token = client.hears(r"come back with: /RESUME ").split()[-1]
        client.say("/EXIT")
        client.drain()

    def talk(self, port: int, together: threading.Barrier | None, kept: Kept) -> None:
        client = Telnet(port)
        client.hears(r"^You are ")
        client.say(f"/RESUME {self.token} {self.last}" if self._counts else f"/RESUME {self.token}")
        answer = re.compile(r"You missed|! ")
        client.wait(lambda: any(answer.match(line) for line in client.told))
        client.say(f"/WHOIS {self.name}")
        assert client.hears(rf"^{self.name}: |^! ").startswith(f"{self.name}: in lobby")
        self._check(client, kept)
        if together is not None:
            together.wait(PATIENCE)
        with suppress(ConnectionError):
            self._say_on(client)
        client.drain()
        self._live = client.shown["live"]
        self.refused += client.refusals

    def _check(self, client: Telnet, kept: Kept) -> None:
        """What they missed begins where they had stopped to read, or before; it has no hole."""
        missed = client.shown["missed"]
        self.returns += 1
        if not missed:
            assert self.last == len(kept.texts), self.name
            return
        first = kept.texts.index(missed[0]) + 1
        assert first == self.last + 1 if self._counts else first <= self.last + 1, self.name
        assert kept.holds(missed, first), self.name
        assert client.more or first + len(missed) - 1 == len(kept.texts), self.name
        self.resumed += max(0, first + len(missed) - 1 - self.last)
        self.repeated += min(len(missed), max(0, self.last + 1 - first))
        self.seen += len(missed)
        self.last = max(self.last, first + len(missed) - 1)

    def settle(self, kept: Kept) -> None:
        if self._live:
            first = kept.texts.index(self._live[0]) + 1
            assert kept.holds(self._live, first), self.name
            self.last = first + len(self._live) - 1
            self.seen += len(self._live)
            self._live = []

    def _say_on(self, client: Telnet) -> None:
        live = client.shown["live"]
        while True:
            texts = self.burst()
            client.say(*texts)
            while texts[-1] not in live[-1000:]:
                before = len(live)
                if not client.read():
                    return
                self.heard(len(live) - before)


class JsonTalker(Talker):
    """JSON has numbers: they come back with the last one that they have read."""

    def __init__(self, name: str, heard: Callable[[int], None]) -> None:
        super().__init__(name, heard)
        self._read_by_now: list[str] = []
        self._ahead: list[dict[str, Any]] = []
        """Lines that came while they still read what they had missed."""

    def arrive(self, port: int) -> None:
        with Json.visiting(port) as client:
            client.ask(type="hello", name=self.name)
            self.token = client.hears("welcome")["token"]
            assert client.hears("entered")["lines"] == []

    def talk(self, port: int, together: threading.Barrier | None, kept: Kept) -> None:
        # Who comes late may find the server dead already.
        dead = suppress(ConnectionClosed, ConnectionError, InvalidMessage)
        with dead, Json.visiting(port) as client:
            self._come_back(client)
            if together is not None:
                together.wait(PATIENCE)
            self._say_on(client)

    def _come_back(self, client: Json) -> None:
        client.ask(type="hello", token=self.token, after=self.last)
        client.hears("welcome")
        entered = client.hears("entered")
        assert (entered["name"], entered["resumed"]) == (self.name, True)
        self.returns += 1
        newest = entered["newest"]
        before = self.last
        self._read(entered["lines"])
        while self.last < newest:
            assert entered["more"]
            client.ask(type="history", after=self.last, count=200)
            while (message := client.next())["type"] != "lines":
                self._ahead += [message] if message["type"] == "line" else []
            assert message["lines"]
            self._read([line for line in message["lines"] if line["sequence"] <= newest])
        self.resumed += self.last - before
        ahead, self._ahead = self._ahead, []
        self._read(ahead)

    def settle(self, kept: Kept) -> None:
        assert kept.holds(self._read_by_now, 1), self.name
        for line in self._ahead:
            assert kept.holds([line["text"]], line["sequence"]), self.name
        self._ahead = []
        self.seen = len(self._read_by_now)

    def _say_on(self, client: Json) -> None:
        texts: list[str] = []
        while True:
            if not texts:
                texts = self.burst()
                with suppress(ConnectionClosed):  # there may be something left to read
                    client.say(*texts)
            message = client.next()
            if message["type"] == "line":
                self._read([message])
                self.heard(1)
                if message["text"] == texts[-1]:
                    texts = []
            elif message["type"] == "error":
                self.refused.append(message["text"])

    def _read(self, lines: Sequence[dict[str, Any]]) -> None:
        """Each line has the next number."""
        for line in lines:
            assert line["sequence"] == self.last + 1, (self.name, self.last, line)
            self.last += 1
            self._read_by_now.append(line["text"])
