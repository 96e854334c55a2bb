"""Changes of tasks and users within one transaction.  Knows no threads and nothing of commits.

While the transaction lasts nobody else changes anything.  So what was read or written in it is
remembered, and a thousand changes that come too late cost no question of the database.
Whatever is refused is refused before anything of it is written.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from proto.storage.tasks_database import Link
from proto.storage.tasks_tables import TASKS, USERS, one
from proto.tasks.errors import NameTaken, NoSuch, NoSuchUser, VersionConflict
from proto.tasks.folding import folded
from proto.tasks.values import (
    Task,
    TaskDraft,
    TaskPatch,
    User,
    UserDraft,
    UserPatch,
    redrafted,
)

_T = TypeVar("_T", Task, User)

_ADD_TASK: Final = (
    "INSERT INTO tasks (title, title_folded, description, description_folded, completed, owner,"
    " created, updated, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1) RETURNING id"
)
_CHANGE_TASK: Final = (
    "UPDATE tasks SET title = ?, title_folded = ?, description = ?, description_folded = ?,"
    " completed = ?, owner = ?, updated = ?, version = ? WHERE id = ?"
)
_FREE_TASKS: Final = (
    "UPDATE tasks SET owner = NULL, updated = ?, version = version + 1 WHERE owner = ?"
)
_ADD_USER: Final = (
    "INSERT INTO users (name, name_folded, created, updated, version) VALUES (?, ?, ?, ?, 1)"
    " RETURNING id"
)
_CHANGE_USER: Final = (
    "UPDATE users SET name = ?, name_folded = ?, updated = ?, version = ? WHERE id = ?"
)
_NAMED: Final = "SELECT id FROM users WHERE name_folded = ?"


class Ledger:
    """One transaction's changes; `at` is its moment, in seconds since 1970."""

    def __init__(self, link: Link, at: float) -> None:
        self._link = link
        self._at = at
        self._tasks: dict[int, Task | None] = {}
        self._users: dict[int, User | None] = {}

    def add_task(self, draft: TaskDraft) -> Task:
        """Raises NoSuchUser."""
        self._check_owner(draft)
        with self._link.apart():
            ((id,),) = self._link.execute(_ADD_TASK, (*_task_columns(draft), self._at, self._at))
        return self._keep_task(id, draft, self._at, 1)

    def replace_task(self, id: int, draft: TaskDraft, expect: int | None) -> Task:
        """Raises NoSuch, VersionConflict, NoSuchUser."""
        return self._change_task(self._task(id, expect), draft)

    def change_task(self, id: int, patch: TaskPatch, expect: int | None) -> Task:
        """Raises NoSuch, VersionConflict, NoSuchUser."""
        old = self._task(id, expect)
        return old if patch == TaskPatch() else self._change_task(old, redrafted(old, patch))

    def remove_task(self, id: int, expect: int | None) -> None:
        """Raises NoSuch, VersionConflict."""
        self._task(id, expect)
        with self._link.apart():
            self._link.execute("DELETE FROM tasks WHERE id = ?", (id,))
        self._tasks[id] = None

    def add_user(self, draft: UserDraft) -> User:
        """Raises NameTaken."""
        self._check_name(draft.name)
        with self._link.apart():
            values = (draft.name, folded(draft.name), self._at, self._at)
            ((id,),) = self._link.execute(_ADD_USER, values)
        user = User(id=id, name=draft.name, created=self._at, updated=self._at, version=1)
        self._users[id] = user
        return user

    def replace_user(self, id: int, draft: UserDraft, expect: int | None) -> User:
        """Raises NoSuch, VersionConflict, NameTaken."""
        old = self._user(id, expect)
        self._check_name(draft.name, but=id)
        version = old.version + 1
        with self._link.apart():
            values = (draft.name, folded(draft.name), self._at, version, id)
            self._link.execute(_CHANGE_USER, values)
        user = msgspec.structs.replace(old, name=draft.name, updated=self._at, version=version)
        self._users[id] = user
        return user

    def change_user(self, id: int, patch: UserPatch, expect: int | None) -> User:
        """Raises NoSuch, VersionConflict, NameTaken."""
        if patch.name is msgspec.UNSET:
            return self._user(id, expect)
        return self.replace_user(id, UserDraft(name=patch.name), expect)

    def remove_user(self, id: int, expect: int | None) -> None:
        """Raises NoSuch, VersionConflict."""
        self._user(id, expect)
        with self._link.apart():
            self._link.execute(_FREE_TASKS, (self._at, id))
            self._link.execute("DELETE FROM users WHERE id = ?", (id,))
        self._users[id] = None
        self._tasks.clear()

    def _change_task(self, old: Task, draft: TaskDraft) -> Task:
        self._check_owner(draft)
        version = old.version + 1
        with self._link.apart():
            values = (*_task_columns(draft), self._at, version, old.id)
            self._link.execute(_CHANGE_TASK, values)
        return self._keep_task(old.id, draft, old.created, version)

    def _keep_task(self, id: int, draft: TaskDraft, created: float, version: int) -> Task:
        task = self._tasks[id] = Task(
            id=id,
            title=draft.title,
            description=draft.description,
            completed=draft.completed,
            user=draft.user,
            created=created,
            updated=self._at,
            version=version,
        )
        return task

    def _task(self, id: int, expect: int | None) -> Task:
        if id not in self._tasks:
            self._tasks[id] = one(self._link, TASKS, id, to_change=True)
        task = self._tasks[id]
        if task is None:
            raise NoSuch("task", id)
        return _expected(task, expect)

    def _user(self, id: int, expect: int | None) -> User:
        user = self._known(id)
        if user is None:
            raise NoSuch("user", id)
        return _expected(user, expect)

    def _known(self, id: int) -> User | None:
        if id not in self._users:
            self._users[id] = one(self._link, USERS, id, to_change=True)
        return self._users[id]

    def _check_owner(self, draft: TaskDraft) -> None:
        if draft.user is not None and self._known(draft.user) is None:
            raise NoSuchUser(draft.user)

    def _check_name(self, name: str, but: int | None = None) -> None:
        rows = self._link.execute(_NAMED, (folded(name),))
        if any(id != but for (id,) in rows):
            raise NameTaken(name)


def _expected(item: _T, expect: int | None) -> _T:
    if expect is not None and expect != item.version:
        raise VersionConflict(item)
    return item


def _task_columns(draft: TaskDraft) -> tuple[object, ...]:
    title, description = draft.title, draft.description
    texts = (title, folded(title), description, folded(description))
    return (*texts, draft.completed, draft.user)
