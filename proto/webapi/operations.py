"""The operations on tasks and users: what each takes and answers.  Who answers is in `answers`."""

from __future__ import annotations

from typing import Any, Final

from proto.tasks.values import TaskDraft, TaskPatch, UserDraft, UserPatch
from proto.web.response import JSON
from proto.webapi.declared import MERGE_PATCH, Operation, Reply
from proto.webapi.shapes import (
    PATH,
    TaskList,
    TaskPage,
    TaskResource,
    UserList,
    UserPage,
    UserResource,
    UsersTaskDraft,
)

_PATCHES: Final = (JSON, MERGE_PATCH)
_REPLACES: Final = (
    "The whole of it is replaced, so If-Match has to tell which version is meant: the entity tag "
    "that was read, or * for whichever is there by now."
)
_CHANGES: Final = (
    "What the body does not name stays as it is. With If-Match only the version of that entity tag "
    "is changed; without, whichever is there."
)
_REMOVES: Final = "With If-Match only the version of that entity tag; without, whichever is there."


def _read(says: str, shape: Any) -> tuple[Reply, ...]:
    unchanged = Reply(304, "It is what If-None-Match names.", headers=("ETag",))
    return (Reply(200, says, shape, headers=("ETag",)), unchanged)


def _made(says: str, shape: Any, *leads: str) -> tuple[Reply, ...]:
    return (Reply(201, says, shape, headers=("Location", "ETag"), leads=leads),)


def _changed(says: str, shape: Any) -> tuple[Reply, ...]:
    return (Reply(200, says, shape, headers=("ETag",)),)


def _gone(says: str) -> tuple[Reply, ...]:
    return (Reply(204, says),)


_TASK: Final = f"{PATH}/tasks/<int:id>"
_USER: Final = f"{PATH}/users/<int:id>"
_TASK_LEADS: Final = ("get_task", "change_task", "remove_task")
_USER_LEADS: Final = (
    "get_user",
    "change_user",
    "remove_user",
    "list_users_tasks",
    "add_users_task",
)

TASKS: Final = (
    Operation(
        "list_tasks",
        "GET",
        f"{PATH}/tasks",
        "tasks",
        "List tasks",
        _read("A page of the tasks that were asked for.", TaskPage),
        "The links next and prev lead on from the items themselves: while others come and go, none "
        "is seen twice or left out. Who asks for pages by number gets links with numbers.",
        query=TaskList,
        match="read",
        refusals=(404,),
    ),
    Operation(
        "add_task",
        "POST",
        f"{PATH}/tasks",
        "tasks",
        "Add a task",
        _made("The task as it is kept.", TaskResource, *_TASK_LEADS),
        body=TaskDraft,
        refusals=(409,),
    ),
    Operation(
        "get_task",
        "GET",
        _TASK,
        "tasks",
        "Read a task",
        _read("The task.", TaskResource),
        match="read",
    ),
    Operation(
        "replace_task",
        "PUT",
        _TASK,
        "tasks",
        "Replace a task",
        _changed("The task as it is now.", TaskResource),
        _REPLACES,
        body=TaskDraft,
        match="must",
        refusals=(409,),
    ),
    Operation(
        "change_task",
        "PATCH",
        _TASK,
        "tasks",
        "Change a task",
        _changed("The task as it is now.", TaskResource),
        _CHANGES,
        body=TaskPatch,
        kinds=_PATCHES,
        match="may",
        refusals=(409,),
    ),
    Operation(
        "remove_task",
        "DELETE",
        _TASK,
        "tasks",
        "Remove a task",
        _gone("It is gone, and its id is never used again."),
        _REMOVES,
        match="may",
    ),
)
USERS: Final = (
    Operation(
        "list_users",
        "GET",
        f"{PATH}/users",
        "users",
        "List users",
        _read("A page of the users that were asked for.", UserPage),
        query=UserList,
        match="read",
        refusals=(404,),
    ),
    Operation(
        "add_user",
        "POST",
        f"{PATH}/users",
        "users",
        "Add a user",
        _made("The user as they are kept.", UserResource, *_USER_LEADS),
        "A name is had once, in whatever case.",
        body=UserDraft,
        refusals=(409,),
    ),
    Operation(
        "get_user",
        "GET",
        _USER,
        "users",
        "Read a user",
        _read("The user.", UserResource),
        match="read",
    ),
    Operation(
        "replace_user",
        "PUT",
        _USER,
        "users",
        "Replace a user",
        _changed("The user as they are now.", UserResource),
        _REPLACES,
        body=UserDraft,
        match="must",
        refusals=(409,),
    ),
    Operation(
        "change_user",
        "PATCH",
        _USER,
        "users",
        "Change a user",
        _changed("The user as they are now.", UserResource),
        _CHANGES,
        body=UserPatch,
        kinds=_PATCHES,
        match="may",
        refusals=(409,),
    ),
    Operation(
        "remove_user",
        "DELETE",
        _USER,
        "users",
        "Remove a user",
        _gone("The user is gone; their tasks stay, and are nobody's."),
        _REMOVES,
        match="may",
    ),
    Operation(
        "list_users_tasks",
        "GET",
        f"{_USER}/tasks",
        "users",
        "List a user's tasks",
        _read("A page of the user's tasks.", TaskPage),
        query=TaskList,
        match="read",
    ),
    Operation(
        "add_users_task",
        "POST",
        f"{_USER}/tasks",
        "users",
        "Add a task for a user",
        _made("The task as it is kept.", TaskResource, *_TASK_LEADS),
        body=UsersTaskDraft,
    ),
)
OPERATIONS: Final = (*TASKS, *USERS)
