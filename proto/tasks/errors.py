"""Why a store of tasks refuses.  Knows no database and no HTTP."""

from __future__ import annotations

from typing import Literal, TypeAlias

from proto.errors import PeerError
from proto.tasks.values import Task, User

Kind: TypeAlias = Literal["task", "user"]


class NoSuch(PeerError):
    """There is no task, or no user, with that id."""

    def __init__(self, kind: Kind, id: int) -> None:
        super().__init__(f"There is no {kind} {id}.")
        self.kind = kind
        self.id = id


class VersionConflict(PeerError):
    """Somebody else changed it first; `current` is how it stands, and nothing was changed."""

    def __init__(self, current: Task | User) -> None:
        kind = "task" if isinstance(current, Task) else "user"
        super().__init__(f"The {kind} {current.id} is at version {current.version} by now.")
        self.current = current


class NameTaken(PeerError):
    """Another user already bears that name, in whatever case."""

    def __init__(self, name: str) -> None:
        super().__init__("Another user already bears that name.")
        self.name = name


class NoSuchUser(PeerError):
    """A task is for a user that is not there."""

    def __init__(self, id: int) -> None:
        super().__init__(f"There is no user {id} whom the task could belong to.")
        self.id = id


class BadSort(PeerError):
    """What was asked for is no order."""


class BadCursor(PeerError):
    """That is no cursor of this order."""


class StoreBusy(PeerError):
    """Too much waits for the store already; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("The tasks are busy; try again in a moment.")


class StoreFailed(PeerError):
    """The store cannot do it at present: its disk is full, its database is away, it is closed.

    A change is then not there, but for one case: the database was lost in the very moment of the
    commit.  Who comes again with the version they expect finds out.
    """

    def __init__(self, reason: str) -> None:
        """`reason` is for the peer, as in `the disk is full`; empty when it is not to be told."""
        super().__init__(f"The tasks cannot be kept: {reason}." if reason else _NO_REASON)
        self.reason = reason


_NO_REASON = "The tasks cannot be kept at present."
