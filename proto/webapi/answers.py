"""Who answers the operations on tasks and users: plain values in, a store asked, a response out.

Knows no request: what was asked is parsed and checked by then, and what the store refuses is told
by others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred

from proto.tasks.errors import NoSuch, NoSuchUser, VersionConflict
from proto.tasks.query import TASK_SORTS, USER_SORTS, TaskQuery, UserQuery
from proto.tasks.store import Store
from proto.tasks.values import Task, TaskDraft, User
from proto.web.patterns import Value
from proto.web.response import JSON, Response
from proto.webapi import shapes
from proto.webapi.conditions import (
    ANYTHING,
    NO_VERSION,
    Preconditions,
    is_known,
    tag_of,
    tag_of_bytes,
    versions_of,
)
from proto.webapi.paging import links_of, page_of, span_of
from proto.webapi.problems import NEVER_KEPT
from proto.webapi.shapes import TaskList, TaskPage, UserPage, task_resource, user_resource

ASKED_AGAIN: Final = ("Cache-Control", "private, no-cache")
"""What is read may be kept by who read it, if they ask each time whether it still is so."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, all of it as its operation declares."""

    path: str
    query_text: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    query: Any = None
    body: Any = None
    conditions: Preconditions = ANYTHING

    @property
    def id(self) -> int:
        """The number in the path."""
        return int(self.values["id"])


Answering = Callable[[Asked], Coroutine[Any, Any, Response]]


def answers_from(store: Store) -> dict[str, Answering]:
    """Who answers which operation, by its name."""
    tasks, users = TaskAnswers(store), UserAnswers(store)
    return {
        "list_tasks": tasks.list_all,
        "add_task": tasks.add,
        "get_task": tasks.get,
        "replace_task": tasks.replace,
        "change_task": tasks.change,
        "remove_task": tasks.remove,
        "list_users": users.list_all,
        "add_user": users.add,
        "get_user": users.get,
        "replace_user": users.replace,
        "change_user": users.change,
        "remove_user": users.remove,
        "list_users_tasks": tasks.list_of_user,
        "add_users_task": tasks.add_for_user,
    }


class TaskAnswers:
    """The operations on tasks.  Each raises what the store refuses with."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list_all(self, asked: Asked) -> Response:
        """A page of all tasks."""
        return await self._list(asked, None)

    async def list_of_user(self, asked: Asked) -> Response:
        """A page of one user's tasks."""
        if await self._store.user(asked.id) is None:
            raise NoSuch("user", asked.id)
        return await self._list(asked, asked.id)

    async def add(self, asked: Asked) -> Response:
        """A new task."""
        return _made(await self._store.add_task(asked.body))

    async def add_for_user(self, asked: Asked) -> Response:
        """A new task for the user whom the path names."""
        told = msgspec.structs.asdict(asked.body)
        try:
            return _made(await self._store.add_task(TaskDraft(**told, user=asked.id)))
        except NoSuchUser as error:
            raise NoSuch("user", asked.id) from error

    async def get(self, asked: Asked) -> Response:
        """One task."""
        task = await self._store.task(asked.id)
        if task is None:
            raise NoSuch("task", asked.id)
        return _read(asked, task)

    async def replace(self, asked: Asked) -> Response:
        """The whole of a task."""
        expect = await _expected(asked, self._store.task)
        return _whole(await self._store.replace_task(asked.id, asked.body, expect))

    async def change(self, asked: Asked) -> Response:
        """Some of a task."""
        expect = await _expected(asked, self._store.task)
        return _whole(await self._store.change_task(asked.id, asked.body, expect))

    async def remove(self, asked: Asked) -> Response:
        """A task that is no more."""
        await self._store.remove_task(asked.id, await _expected(asked, self._store.task))
        return Response(204, headers=[NEVER_KEPT])

    async def _list(self, asked: Asked, user: int | None) -> Response:
        query: TaskList = asked.query
        span = span_of(query, TASK_SORTS)
        page = await self._store.tasks(
            TaskQuery(
                completed=None if query.completed is msgspec.UNSET else query.completed,
                text=query.q,
                user=user,
                sort=span.sort,
                limit=span.limit,
                offset=span.offset,
                after=span.after,
            )
        )
        told = TaskPage(
            items=[task_resource(each) for each in page.items],
            total=page.total,
            page=page_of(query),
            per_page=query.limit,
            links=links_of(asked.path, asked.query_text, query, page),
        )
        return _listed(asked, told)


class UserAnswers:
    """The operations on users.  Each raises what the store refuses with."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list_all(self, asked: Asked) -> Response:
        """A page of all users."""
        span = span_of(asked.query, USER_SORTS)
        page = await self._store.users(
            UserQuery(
                text=asked.query.q,
                sort=span.sort,
                limit=span.limit,
                offset=span.offset,
                after=span.after,
            )
        )
        told = UserPage(
            items=[user_resource(each) for each in page.items],
            total=page.total,
            page=page_of(asked.query),
            per_page=asked.query.limit,
            links=links_of(asked.path, asked.query_text, asked.query, page),
        )
        return _listed(asked, told)

    async def add(self, asked: Asked) -> Response:
        """A new user."""
        return _made(await self._store.add_user(asked.body))

    async def get(self, asked: Asked) -> Response:
        """One user."""
        user = await self._store.user(asked.id)
        if user is None:
            raise NoSuch("user", asked.id)
        return _read(asked, user)

    async def replace(self, asked: Asked) -> Response:
        """The whole of a user."""
        expect = await _expected(asked, self._store.user)
        return _whole(await self._store.replace_user(asked.id, asked.body, expect))

    async def change(self, asked: Asked) -> Response:
        """Some of a user."""
        expect = await _expected(asked, self._store.user)
        return _whole(await self._store.change_user(asked.id, asked.body, expect))

    async def remove(self, asked: Asked) -> Response:
        """A user who is no more."""
        await self._store.remove_user(asked.id, await _expected(asked, self._store.user))
        return Response(204, headers=[NEVER_KEPT])


async def _expected(
    asked: Asked, read: Callable[[int], Deferred[Task | None] | Deferred[User | None]]
) -> int | None:
    """The version that a change is meant for; None is whichever is there.

    Of several the one that is there; the store looks again when it changes it.
    """
    versions = versions_of(asked.conditions)
    if versions is None:
        return None
    if len(versions) == 1:
        return min(versions)
    if not versions:
        return NO_VERSION
    waiting: Awaitable[Task | User | None] = read(asked.id)
    current = await waiting
    if current is None:
        return NO_VERSION
    if current.version not in versions:
        raise VersionConflict(current)
    return current.version


def _encoded(item: Task | User) -> bytes:
    if isinstance(item, Task):
        return msgspec.json.encode(task_resource(item))
    return msgspec.json.encode(user_resource(item))


def _whole(item: Task | User) -> Response:
    """What became of it; the answer to a change is nobody's to keep."""
    headers = (("ETag", tag_of(item.version)), NEVER_KEPT)
    return Response(200, _encoded(item), JSON, headers)


def _made(item: Task | User) -> Response:
    path = shapes.task_path(item.id) if isinstance(item, Task) else shapes.user_path(item.id)
    headers = (("Location", path), ("ETag", tag_of(item.version)), NEVER_KEPT)
    return Response(201, _encoded(item), JSON, headers)


def _read(asked: Asked, item: Task | User) -> Response:
    return _if_wanted(asked, tag_of(item.version), _encoded(item))


def _listed(asked: Asked, page: TaskPage | UserPage) -> Response:
    body = msgspec.json.encode(page)
    return _if_wanted(asked, tag_of_bytes(body), body)


def _if_wanted(asked: Asked, etag: str, body: bytes) -> Response:
    headers = (("ETag", etag), ASKED_AGAIN)
    if is_known(asked.conditions, etag):
        return Response(304, headers=headers)
    return Response(200, body, JSON, headers)
