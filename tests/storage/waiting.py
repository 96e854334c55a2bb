"""A reactor that is a queue: what the log's threads hand over is run by the test, when it asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any, Final

from proto.chat.events import Said, Spoken, Stored
from proto.chat.history import Lines, Recent, Session, Span
from proto.errors import PeerError
from proto.storage.chatlog import DurableHistory
from proto.storage.opening import is_url
from proto.storage.postgres import PostgresStore
from proto.storage.sqlite import SqliteStore
from proto.storage.store import Store

DEADLINE: Final = 20.0


class Asker:
    """Somebody who asks a log, and remembers the answers in the order in which they came."""

    def __init__(self, where: Path | str | Store, **more: Any) -> None:
        self.handed: Queue[Callable[[], None]] = Queue()
        self.answers: list[Any] = []
        if isinstance(where, Path | str):
            where = opened(str(where))
        self.log = DurableHistory(where, self.handed.put, **more)

    def say(self, room: str, text: str, said: type[Spoken] = Said) -> None:
        self.log.append(room, said("bob", text), self.answered, self.refused)
        self.rest()  # each is asked in a turn of its own

    def look(self, room: str, count: int = 100) -> None:
        self.log.recent(room, count, self.answered, self.refused)
        self.rest()

    def find(self, digest: bytes) -> None:
        self.log.find_session(digest, self.answered, self.refused)
        self.rest()

    def wait(self, count: int) -> list[Any]:
        """The answers, when there are so many."""
        while len(self.answers) < count:
            self.handed.get(timeout=DEADLINE)()
        answers, self.answers = self.answers, []
        assert len(answers) == count
        return answers

    def rest(self) -> None:
        """Run what was handed over and nobody waited for."""
        while not self.handed.empty():
            self.handed.get()()

    def recent(self, room: str, count: int = 100) -> Recent:
        """How the room stands."""
        self.look(room, count)
        (recent,) = self.wait(1)
        assert isinstance(recent, Recent), recent
        return recent

    def lines(self, room: str, count: int = 100) -> list[tuple[int, str]]:
        """The newest lines as their numbers and texts."""
        return told(self.recent(room, count).lines)

    def read(self, room: str, span: Span) -> Lines | str:
        self.log.read(room, span, self.answered, self.refused)
        (lines,) = self.wait(1)
        assert isinstance(lines, Lines | str)
        return lines

    def search(self, room: str, words: str, span: Span | None = None) -> Lines | str:
        wanted = span or Span(100)
        self.log.search(room, words, wanted, self.answered, self.refused)
        (lines,) = self.wait(1)
        assert isinstance(lines, Lines | str)
        return lines

    def found(self, room: str, words: str) -> list[str]:
        """The texts that a search finds."""
        lines = self.search(room, words)
        assert isinstance(lines, Lines), lines
        return [line.event.text for line in lines.lines]

    def insist(self, room: str, text: str) -> tuple[Stored, list[str]]:
        """Say it until it is stored, as a person would; the refusals before that."""
        refusals: list[str] = []
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            self.say(room, text)
            (answer,) = self.wait(1)
            if isinstance(answer, Stored):
                return answer, refusals
            refusals.append(answer)
        raise AssertionError(refusals[-1])

    def answered(self, answer: object) -> None:
        self.answers.append(answer)

    def refused(self, reason: PeerError) -> None:
        self.answers.append(str(reason))


def opened(where: str, patience: float = 5.0) -> Store:
    """The store that is there; a folder's waits so long for another program's lock."""
    return PostgresStore(where) if is_url(where) else SqliteStore(Path(where), patience)


def told(lines: tuple[Stored, ...]) -> list[tuple[int, str]]:
    """The numbers and texts of lines."""
    return [(line.sequence, line.event.text) for line in lines]


def session(digest: bytes, sequence: int = 1, at: int | None = None) -> Session:
    """Where bob was, a moment ago."""
    return Session(digest, "bob", "lobby", sequence, int(time.time() * 1000) if at is None else at)
