"""A `Store` of tasks that outlives the process, in whatever database.  Knows neither that nor HTTP.

One thread changes: what was asked while it waited for the disk is its next transaction.  Another
thread reads on a connection of its own, so that whoever changes something keeps no reader waiting.
The reactor never waits for a disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from proto.metrics import Metrics
from proto.storage.chatlog import InReactor
from proto.storage.tasks_answering import Changes, Lookups
from proto.storage.tasks_database import Database, Link
from proto.storage.tasks_lane import Lane
from proto.storage.tasks_ledger import Ledger
from proto.storage.tasks_tables import TASKS, USERS, one, page
from proto.storage.troubles import Troubles
from proto.tasks.query import Page, TaskQuery, UserQuery
from proto.tasks.values import Task, TaskDraft, TaskPatch, User, UserDraft, UserPatch

CHANGES_WAITING: Final = 10_000
READS_WAITING: Final = 1000
"""Questions above which the answer is StoreBusy."""
CHANGES_AT_ONCE: Final = 1000
"""Changes of one transaction, or somewhat more."""
READS_AT_ONCE: Final = 16
"""Answers that are handed over together: a quick one does not wait for all the others."""
PATIENCE: Final = 10.0
"""Seconds that `close` waits for the database."""


class DurableTasks:
    """A `proto.tasks.store.Store` that survives `kill -9` and a restart."""

    log = Logger()

    def __init__(
        self,
        database: Database,
        in_reactor: InReactor,
        *,
        now: Callable[[], float] = time.time,
        patience: float = PATIENCE,
        at_end_of_turn: InReactor | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Prepare the database; raises StartError.

        `in_reactor` is reactor.callFromThread.  Neither a thread nor a connection is left behind,
        as twistd may fork before `start`.  `now` is in seconds since 1970; `patience` is how many
        seconds `close` takes at most; `at_end_of_turn` is what the reactor has for that.
        """
        self._database = database
        self._in_reactor = in_reactor
        self._patience = patience
        troubles = Troubles(database.name)
        self._changes: Lane[Ledger] = Lane(
            "tasks",
            Changes(database, troubles, now),
            in_reactor,
            most=CHANGES_WAITING,
            at_once=CHANGES_AT_ONCE,
            at_end_of_turn=at_end_of_turn,
        )
        self._lookups: Lane[Link] = Lane(
            "tasks reader",
            Lookups(database, troubles),
            in_reactor,
            most=READS_WAITING,
            at_once=READS_AT_ONCE,
            at_end_of_turn=at_end_of_turn,
        )
        self._closing: list[Deferred[None]] = []
        self._closed = False
        self._measure(metrics)
        database.prepare()

    def start(self) -> None:
        """Begin to answer; what was asked before then is answered now."""
        self._changes.start()
        self._lookups.start()

    def close(self) -> Deferred[None]:
        """Answer what waits; done when the database is released, or does not answer for too long.

        What is not answered by then never is.
        """
        closed: Deferred[None] = Deferred()
        if self._closed:
            closed.callback(None)
            return closed
        self._closing.append(closed)
        if len(self._closing) == 1:
            self._changes.end()
            self._lookups.end()
            Thread(target=self._end, name="tasks end", daemon=True).start()
        return closed

    def tasks(self, query: TaskQuery) -> Deferred[Page[Task]]:
        """A page of tasks."""
        return self._lookups.ask(lambda link: page(link, TASKS, query))

    def task(self, id: int) -> Deferred[Task | None]:
        """One task."""
        return self._lookups.ask(lambda link: one(link, TASKS, id))

    def add_task(self, draft: TaskDraft) -> Deferred[Task]:
        """A new task."""
        return self._changes.ask(lambda ledger: ledger.add_task(draft))

    def replace_task(self, id: int, draft: TaskDraft, expect: int | None) -> Deferred[Task]:
        """A task with all of it replaced."""
        return self._changes.ask(lambda ledger: ledger.replace_task(id, draft, expect))

    def change_task(self, id: int, patch: TaskPatch, expect: int | None) -> Deferred[Task]:
        """A task with some of it replaced."""
        return self._changes.ask(lambda ledger: ledger.change_task(id, patch, expect))

    def remove_task(self, id: int, expect: int | None) -> Deferred[None]:
        """A task is gone."""
        return self._changes.ask(lambda ledger: ledger.remove_task(id, expect))

    def users(self, query: UserQuery) -> Deferred[Page[User]]:
        """A page of users."""
        return self._lookups.ask(lambda link: page(link, USERS, query))

    def user(self, id: int) -> Deferred[User | None]:
        """One user."""
        return self._lookups.ask(lambda link: one(link, USERS, id))

    def add_user(self, draft: UserDraft) -> Deferred[User]:
        """A new user."""
        return self._changes.ask(lambda ledger: ledger.add_user(draft))

    def replace_user(self, id: int, draft: UserDraft, expect: int | None) -> Deferred[User]:
        """A user with all of them replaced."""
        return self._changes.ask(lambda ledger: ledger.replace_user(id, draft, expect))

    def change_user(self, id: int, patch: UserPatch, expect: int | None) -> Deferred[User]:
        """A user with some of them replaced."""
        return self._changes.ask(lambda ledger: ledger.change_user(id, patch, expect))

    def remove_user(self, id: int, expect: int | None) -> Deferred[None]:
        """A user is gone, and their tasks are nobody's."""
        return self._changes.ask(lambda ledger: ledger.remove_user(id, expect))

    def _measure(self, metrics: Metrics | None) -> None:
        if metrics is not None:
            lanes: tuple[tuple[str, Lane[Ledger] | Lane[Link]], ...] = (
                ("change", self._changes),
                ("read", self._lookups),
            )
            for what, lane in lanes:
                metrics.gauge(
                    "tasks_waiting",
                    "Questions that wait for the store of tasks.",
                    partial(getattr, lane, "waiting"),
                    what=what,
                )

    # The reactor calls this.
    def _tell(self, ended: bool) -> None:
        if not ended:
            self.log.error(
                "{name} did not answer for {patience} s; {waiting} questions were not answered",
                name=self._database.name,
                patience=self._patience,
                waiting=self._changes.waiting + self._lookups.waiting,
            )
        self._closed = True
        closing, self._closing = self._closing, []
        for each in closing:
            each.callback(None)

    # A thread of its own runs this.
    def _end(self) -> None:
        """What is changed is waited for first; then what is being read need not be finished."""
        end = time.monotonic() + self._patience
        changed = self._changes.join(end - time.monotonic())
        if not self._lookups.join(min(1.0, end - time.monotonic())):
            self._database.interrupt()
        read = self._lookups.join(end - time.monotonic())
        self._in_reactor(partial(self._tell, changed and read))
