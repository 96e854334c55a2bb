"""Where a `History` is kept that outlives the process: in a folder, or in a PostgreSQL database."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from proto.storage import sqlite
from proto.storage.chatlog import DurableHistory, InReactor
from proto.storage.postgres import PostgresStore
from proto.storage.pruning import Keep
from proto.storage.sqlite import SqliteStore

_SCHEMES: Final = ("postgresql://", "postgres://")


def open_history(
    where: str,
    in_reactor: InReactor,
    *,
    keep: Keep | None = None,
    now: Callable[[], float] = time.time,
    at_end_of_turn: InReactor | None = None,
) -> DurableHistory:
    """The history in that folder, or at that URL.  Raises StartError.

    `in_reactor` is reactor.callFromThread; `now` is in seconds since 1970; `at_end_of_turn` is as
    in `DurableHistory`.
    """
    store = PostgresStore(where) if is_url(where) else SqliteStore(Path(where))
    return DurableHistory(store, in_reactor, keep=keep, now=now, at_end_of_turn=at_end_of_turn)


def check(where: str, *, connect: bool = True) -> None:
    """Raises StartError where a history could not be opened; makes nothing and takes no lock.

    A database is asked only if it may be waited for: `connect` takes some seconds at worst.
    """
    if not is_url(where):
        sqlite.check(Path(where))
    else:
        store = PostgresStore(where)
        if connect:
            store.check()


def is_url(where: str) -> bool:
    """Whether it is a database that is meant, not a folder."""
    return where.startswith(_SCHEMES)
