"""What a database has to do so that tasks can be kept in it.  Knows none itself.

Both speak nearly the same SQL: a parameter is `?`, whatever the database calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol, TypeAlias

from proto.storage.store import Trouble

Role: TypeAlias = Literal["writer", "reader"]


class Link(Protocol):
    """A connection; it belongs to one thread."""

    instr: str
    """The function that tells where in a text another one begins, 0 for nowhere."""
    locked: str
    """Behind a SELECT, what lets nobody else change the row until the transaction's end."""

    def alive(self) -> bool:
        """It still leads to the database, as far as can be seen without asking it."""
        ...

    def execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows that it gives."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """All that is read within is of one moment."""
        ...

    def begin(self) -> None:
        """A transaction that changes something; until its end no other process changes anything."""
        ...

    def commit(self) -> None:
        """Returns when what was changed survives a crash."""
        ...

    def rollback(self) -> None:
        """End the transaction, if there is one; raises nothing."""
        ...

    def apart(self) -> AbstractContextManager[None]:
        """What is changed within is undone where an error leaves it; the rest of the transaction
        stays, or `within` is false from then on."""
        ...

    def within(self) -> bool:
        """A transaction is begun and can still be committed."""
        ...

    def close(self) -> None:
        """End it; raises nothing."""
        ...


class Database(Protocol):
    """A database.  Neither a thread nor a connection is there before it is asked for one."""

    name: str
    """What the log calls it; no secret is in it."""

    def prepare(self) -> None:
        """Make or migrate it.  Raises StartError."""
        ...

    def link(self, role: Role) -> Link:
        """A connection for the thread that asks."""
        ...

    def trouble(self, error: Exception) -> Trouble | None:
        """What the error means; None for one that is not the database's."""
        ...

    def interrupt(self) -> None:
        """End what is being read just now, if that can be; any thread may ask."""
        ...
