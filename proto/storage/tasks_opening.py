"""Where tasks are kept: in a folder, or in a PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from proto.metrics import Metrics
from proto.storage import tasks_sqlite
from proto.storage.chatlog import InReactor
from proto.storage.opening import is_url
from proto.storage.tasks import DurableTasks
from proto.storage.tasks_postgres import PostgresTasks
from proto.storage.tasks_sqlite import SqliteTasks


def open_tasks(
    where: str,
    in_reactor: InReactor,
    *,
    now: Callable[[], float] = time.time,
    at_end_of_turn: InReactor | None = None,
    metrics: Metrics | None = None,
) -> DurableTasks:
    """The store in that folder, or at that URL.  Raises StartError.

    `in_reactor` is reactor.callFromThread; the others are as in `DurableTasks`.
    """
    database = PostgresTasks(where) if is_url(where) else SqliteTasks(Path(where))
    return DurableTasks(
        database, in_reactor, now=now, at_end_of_turn=at_end_of_turn, metrics=metrics
    )


def check(where: str, *, connect: bool = True) -> None:
    """Raises StartError where tasks could not be kept; makes nothing.

    A database is asked only if it may be waited for: `connect` takes some seconds at worst.
    """
    if not is_url(where):
        tasks_sqlite.check(Path(where))
    else:
        database = PostgresTasks(where)
        if connect:
            database.check()
