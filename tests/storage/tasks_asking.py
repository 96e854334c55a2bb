"""A reactor that is a queue, for a store of tasks: the test runs what the threads hand over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Final, TypeVar

import pytest
from twisted.internet.defer import Deferred

from proto.storage.tasks_opening import open_tasks
from proto.tasks.errors import StoreFailed
from proto.tasks.query import TASK_SORTS, TaskQuery, sorting
from proto.tasks.store import Store
from proto.tasks.values import TaskDraft
from tests.storage.postgres import Server

PLACES: Final = ("sqlite", "postgres")
"""Where the tests keep tasks: those of `place` are run with both."""
DEADLINE: Final = 60.0
"""Seconds that anything may take before a test gives up."""
_T = TypeVar("_T")


_databases: dict[Path, str] = {}


def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, or a database without tasks.

    A server has one such for all tests: the more there are, the longer it takes after a crash.
    """
    if request.param == "sqlite":
        return str(tmp_path / "state")
    server: Server = request.getfixturevalue("server")
    if server.folder not in _databases:
        _databases[server.folder] = server.new()
    where = _databases[server.folder]
    with server.ask(where) as database:
        database.execute("SET client_min_messages = warning")
        database.execute("DROP SCHEMA IF EXISTS proto_tasks CASCADE")
    return where


class Asking:
    """Somebody who asks a store, and waits."""

    def __init__(
        self, where: str, now: Callable[[], float] = time.time, start: bool = True
    ) -> None:
        self._handed: Queue[Callable[[], None]] = Queue()
        self.store: Store = open_tasks(where, self._handed.put, now=now)
        if start:
            self.store.start()

    def __call__(self, asked: Deferred[_T]) -> _T:
        """The answer; raises what it fails with."""
        (answer,) = self.all(asked)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    def all(self, *asked: Deferred[Any]) -> list[Any]:
        """The answers, an exception for each that failed."""
        answers: dict[int, Any] = {}
        for place, each in enumerate(asked):
            each.addErrback(lambda failure: failure.value)
            each.addCallback(partial(answers.__setitem__, place))
        self.until(lambda: len(answers) == len(asked))
        return [answers[place] for place in range(len(asked))]

    def until(self, is_so: Callable[[], bool]) -> None:
        """Run what is handed over until it is so."""
        end = time.monotonic() + DEADLINE
        while not is_so():
            try:
                self._handed.get(timeout=end - time.monotonic())()
            except (Empty, ValueError):
                raise AssertionError("no answer came") from None

    def insist(self, asked: Callable[[], Deferred[_T]]) -> tuple[_T, set[str]]:
        """The first answer that is no failure of the store; why it failed before."""
        reasons: set[str] = set()
        end = time.monotonic() + DEADLINE
        while True:
            try:
                return self(asked()), reasons
            except StoreFailed as failed:
                reasons.add(failed.reason)
                if time.monotonic() > end:
                    raise

    def titles(self, sort: str = "id", **query: Any) -> list[str]:
        """The titles of a page."""
        asked = TaskQuery(sort=sorting(sort, TASK_SORTS), limit=100, **query)
        return [task.title for task in self(self.store.tasks(asked)).items]


@contextmanager
def asking(where: str, now: Callable[[], float] = time.time) -> Iterator[Asking]:
    """The store at that place, closed at the end."""
    ask = Asking(where, now)
    try:
        yield ask
    finally:
        ask(ask.store.close())


def draft(title: str, **more: Any) -> TaskDraft:
    return TaskDraft(title=title, **more)
