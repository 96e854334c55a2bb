"""Tasks, users and pages of them as they are sent, and what a list may be asked.

The bounds of the values themselves are in `proto.tasks.values`; no request, no store.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from proto.tasks.query import LIMIT, LIMIT_MOST, TASK_SORTS, TEXT_MOST, USER_SORTS
from proto.tasks.values import Description, Id, Name, Task, Title, User, Version

PATH: Final = "/api/v1"
PAGE_MOST: Final = 10_000
CURSOR_MOST: Final = 4096

Link: TypeAlias = Annotated[str, Meta(description="A path on this server.")]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
_NO_NUL: Final = r"^[^\u0000]*$"


def _sorts(fields: tuple[str, ...]) -> str:
    """The pattern of one to all of the fields, each perhaps with a minus sign before it."""
    one = f"-?({'|'.join(fields)})"
    return f"^{one}(,{one}){{0,{len(fields) - 1}}}$"


class TaskLinks(Struct, frozen=True, kw_only=True):
    """Where a task, and whose it is, can be read."""

    self: Link
    user: Link | None


class TaskResource(Struct, frozen=True, kw_only=True):
    """A task."""

    id: Id
    title: Title
    description: Description
    completed: bool
    user: Id | None
    created: Moment
    updated: Moment
    version: Version
    links: TaskLinks


class UserLinks(Struct, frozen=True, kw_only=True):
    """Where a user, and what they have to do, can be read."""

    self: Link
    tasks: Link


class UserResource(Struct, frozen=True, kw_only=True):
    """A user."""

    id: Id
    name: Name
    created: Moment
    updated: Moment
    version: Version
    links: UserLinks


class PageLinks(Struct, frozen=True, kw_only=True):
    """The way to other pages; null where there is none."""

    self: Link
    next: Link | None
    prev: Link | None
    last: Link | None


class TaskPage(Struct, frozen=True, kw_only=True):
    """Some of all the tasks that are asked for."""

    items: list[TaskResource]
    total: Annotated[int, Meta(ge=0)]
    page: Annotated[int, Meta(ge=1)] | None
    per_page: Annotated[int, Meta(ge=1)]
    links: PageLinks


class UserPage(Struct, frozen=True, kw_only=True):
    """Some of all the users that are asked for."""

    items: list[UserResource]
    total: Annotated[int, Meta(ge=0)]
    page: Annotated[int, Meta(ge=1)] | None
    per_page: Annotated[int, Meta(ge=1)]
    links: PageLinks


class UsersTaskDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task for the user that the path names."""

    title: Title
    description: Description = ""
    completed: bool = False


Text: TypeAlias = Annotated[
    str,
    Meta(
        max_length=TEXT_MOST,
        pattern=_NO_NUL,
        description="Only what has this text in it, whatever its case; empty is everything.",
    ),
]
Number: TypeAlias = Annotated[
    int, Meta(ge=1, le=PAGE_MOST, description="Which page, from 1 on; a cursor counts more.")
]
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=LIMIT_MOST, description="Items of a page.")]
Behind: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=CURSOR_MOST,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="Where a page begins, as the links next and prev tell it.",
    ),
]
_SORTED: Final = "What comes first; a minus sign before a field turns it round. The last one is id."


class UserList(Struct, frozen=True, kw_only=True):
    """Which users, and which page of them."""

    q: Text = ""
    sort: Annotated[str, Meta(pattern=_sorts(USER_SORTS), description=_SORTED)] = "id"
    page: Number | UnsetType = UNSET
    limit: Limit = LIMIT
    cursor: Behind | UnsetType = UNSET


class TaskList(Struct, frozen=True, kw_only=True):
    """Which tasks, and which page of them."""

    completed: Annotated[bool, Meta(description="Only those that are, or are not.")] | UnsetType = (
        UNSET
    )
    q: Text = ""
    sort: Annotated[str, Meta(pattern=_sorts(TASK_SORTS), description=_SORTED)] = "id"
    page: Number | UnsetType = UNSET
    limit: Limit = LIMIT
    cursor: Behind | UnsetType = UNSET


def task_path(id: int) -> str:
    """Where a task is."""
    return f"{PATH}/tasks/{id}"


def user_path(id: int) -> str:
    """Where a user is."""
    return f"{PATH}/users/{id}"


def task_resource(task: Task) -> TaskResource:
    """A task as it is sent."""
    return TaskResource(
        id=task.id,
        title=task.title,
        description=task.description,
        completed=task.completed,
        user=task.user,
        created=datetime.fromtimestamp(task.created, UTC),
        updated=datetime.fromtimestamp(task.updated, UTC),
        version=task.version,
        links=TaskLinks(
            **{"self": task_path(task.id)},
            user=None if task.user is None else user_path(task.user),
        ),
    )


def user_resource(user: User) -> UserResource:
    """A user as they are sent."""
    path = user_path(user.id)
    return UserResource(
        id=user.id,
        name=user.name,
        created=datetime.fromtimestamp(user.created, UTC),
        updated=datetime.fromtimestamp(user.updated, UTC),
        version=user.version,
        links=UserLinks(**{"self": path}, tasks=f"{path}/tasks"),
    )
