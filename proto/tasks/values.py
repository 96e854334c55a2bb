"""What a task is, and what a user is.  Knows neither where they are kept nor who asks.

The bounds are in the types, so that a decoder checks them and a schema can tell them.  What every
database refuses, NUL and half a surrogate pair, a draft or a patch cannot hold at all.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

ID_MOST: Final = (1 << 63) - 1
TITLE_MOST: Final = 200
DESCRIPTION_MOST: Final = 10_000
NAME_MOST: Final = 80
"""Characters, but for the id."""

_NO_NUL: Final = r"^[^\u0000]*$"

Id: TypeAlias = Annotated[int, Meta(ge=1, le=ID_MOST)]
Title: TypeAlias = Annotated[str, Meta(min_length=1, max_length=TITLE_MOST, pattern=_NO_NUL)]
Description: TypeAlias = Annotated[str, Meta(max_length=DESCRIPTION_MOST, pattern=_NO_NUL)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=NAME_MOST, pattern=_NO_NUL)]
Version: TypeAlias = Annotated[int, Meta(ge=1, le=ID_MOST)]
Moment: TypeAlias = float
"""Seconds since 1970."""


class Task(Struct, frozen=True, kw_only=True):
    """Something to be done, perhaps by a user; each change counts its version up by one."""

    id: Id
    title: Title
    description: Description
    completed: bool
    user: Id | None
    created: Moment
    updated: Moment
    version: Version


class User(Struct, frozen=True, kw_only=True):
    """Somebody tasks belong to; each change counts its version up by one."""

    id: Id
    name: Name
    created: Moment
    updated: Moment
    version: Version


class TaskDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole task as somebody wants it to be."""

    title: Title
    description: Description = ""
    completed: bool = False
    user: Id | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for text that cannot be kept."""
        keepable(self.title)
        keepable(self.description)


class UserDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole user as somebody wants them to be."""

    name: Name

    def __post_init__(self) -> None:
        """Raises ValueError for text that cannot be kept."""
        keepable(self.name)


class TaskPatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a task is to be changed; the rest stays.  A user of None takes it from its user."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    completed: bool | UnsetType = UNSET
    user: Id | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        """Raises ValueError for text that cannot be kept."""
        keepable(self.title)
        keepable(self.description)


class UserPatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a user is to be changed; the rest stays."""

    name: Name | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Raises ValueError for text that cannot be kept."""
        keepable(self.name)


def keepable(text: str | UnsetType) -> None:
    """Raises ValueError for NUL, which PostgreSQL refuses, and for half a surrogate pair."""
    if text is UNSET or (text.isascii() and "\0" not in text):
        return
    if "\0" in text:
        raise ValueError("NUL is no part of a text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("half a surrogate pair is no part of a text") from error


def redrafted(task: Task, patch: TaskPatch) -> TaskDraft:
    """The task as the patch wants it to be."""
    return TaskDraft(
        title=task.title if patch.title is UNSET else patch.title,
        description=task.description if patch.description is UNSET else patch.description,
        completed=task.completed if patch.completed is UNSET else patch.completed,
        user=task.user if patch.user is UNSET else patch.user,
    )
