"""What keeps tasks and users has to do.  Knows no database and no thread.

Every answer comes later, by a Deferred that fails with one of the refusals of `errors.py`:

- `StoreBusy` and `StoreFailed` may be the answer to everything.
- `expect` is the version that the change is meant for, None for whatever is there; is it another
  one by then, the answer is `VersionConflict`, and nothing is changed.
- A change that was answered survives the process and the machine.
- Who reads after the answer to a change sees it.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from proto.tasks.query import Page, TaskQuery, UserQuery
from proto.tasks.values import Task, TaskDraft, TaskPatch, User, UserDraft, UserPatch


class Store(Protocol):
    """Tasks and users, kept for good."""

    def start(self) -> None:
        """Begin to answer; what was asked before then is answered now."""
        ...

    def close(self) -> Deferred[None]:
        """Answer what waits, then nothing more; done when the store is released."""
        ...

    def tasks(self, query: TaskQuery) -> Deferred[Page[Task]]:
        """A page of the tasks that are asked for; fails with `BadCursor`."""
        ...

    def task(self, id: int) -> Deferred[Task | None]:
        """That task, None when there is none."""
        ...

    def add_task(self, draft: TaskDraft) -> Deferred[Task]:
        """A new task, of version 1; fails with `NoSuchUser`."""
        ...

    def replace_task(self, id: int, draft: TaskDraft, expect: int | None) -> Deferred[Task]:
        """The task as it is now; fails with `NoSuch`, `VersionConflict`, `NoSuchUser`."""
        ...

    def change_task(self, id: int, patch: TaskPatch, expect: int | None) -> Deferred[Task]:
        """The same, but only what the patch names; a patch that is empty leaves the version."""
        ...

    def remove_task(self, id: int, expect: int | None) -> Deferred[None]:
        """It is gone, and its id is never used again; fails with `NoSuch`, `VersionConflict`."""
        ...

    def users(self, query: UserQuery) -> Deferred[Page[User]]:
        """A page of the users that are asked for; fails with `BadCursor`."""
        ...

    def user(self, id: int) -> Deferred[User | None]:
        """That user, None when there is none."""
        ...

    def add_user(self, draft: UserDraft) -> Deferred[User]:
        """A new user, of version 1; fails with `NameTaken`."""
        ...

    def replace_user(self, id: int, draft: UserDraft, expect: int | None) -> Deferred[User]:
        """The user as they are now; fails with `NoSuch`, `VersionConflict`, `NameTaken`."""
        ...

    def change_user(self, id: int, patch: UserPatch, expect: int | None) -> Deferred[User]:
        """The same, but only what the patch names; a patch that is empty leaves the version."""
        ...

    def remove_user(self, id: int, expect: int | None) -> Deferred[None]:
        """The user is gone, their tasks stay and are nobody's; fails as `remove_task` does.

        Their tasks count that as a change.
        """
        ...
