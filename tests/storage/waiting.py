"""A reactor that is a queue: what the log's thread hands over is run by the test, when it asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Queue
from typing import Any, Final

from proto.chat.events import Said, Spoken
from proto.chat.history import Stored
from proto.errors import PeerError
from proto.storage.chatlog import SqliteHistory

DEADLINE: Final = 20.0


class Asker:
    """Somebody who asks a log, and remembers the answers in the order in which they came."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.handed: Queue[Callable[[], None]] = Queue()
        self.answers: list[Stored | str | Sequence[Stored]] = []
        self.log = SqliteHistory(folder, self.handed.put, **more)

    def say(self, room: str, text: str, said: type[Spoken] = Said) -> None:
        self.log.append(room, said("bob", text), self.answers.append, self._refused)

    def look(self, room: str, count: int = 100) -> None:
        self.log.last(room, count, self.answers.append)

    def wait(self, count: int) -> list[Stored | str | Sequence[Stored]]:
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

    def lines(self, room: str, count: int = 100) -> list[tuple[int, str]]:
        """The newest lines as their numbers and texts."""
        self.look(room, count)
        (lines,) = self.wait(1)
        assert not isinstance(lines, (str, Stored))
        return [(line.sequence, line.event.text) for line in lines]

    def _refused(self, reason: PeerError) -> None:
        self.answers.append(str(reason))
