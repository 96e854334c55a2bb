from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proto.tasks.values import (
    ID_MOST,
    Task,
    TaskDraft,
    TaskPatch,
    User,
    UserDraft,
    UserPatch,
    keepable,
    redrafted,
)


def decoded(text: str, kind: type[Any]) -> Any:
    return msgspec.json.decode(text, type=kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"title": ""}', TaskDraft),
        ('{"title": "%s"}' % ("x" * 201), TaskDraft),
        ('{"title": "a\\u0000b"}', TaskDraft),
        ('{"title": "a\\ud83d"}', TaskDraft),
        ('{"title": "a", "description": "%s"}' % ("x" * 10_001), TaskDraft),
        ('{"title": "a", "description": "\\u0000"}', TaskDraft),
        ('{"title": "a", "completed": 1}', TaskDraft),
        ('{"title": "a", "user": 0}', TaskDraft),
        ('{"title": "a", "user": 9223372036854775808}', TaskDraft),
        ('{"title": "a", "user": true}', TaskDraft),
        ('{"title": "a", "id": 1}', TaskDraft),
        ('{"description": "a"}', TaskDraft),
        ('{"title": null}', TaskPatch),
        ('{"title": ""}', TaskPatch),
        ('{"version": 1}', TaskPatch),
        ('{"name": ""}', UserDraft),
        ('{"name": "%s"}' % ("x" * 81), UserDraft),
        ("{}", UserDraft),
        ('{"name": null}', UserPatch),
        ('{"name": "\\u0000"}', UserPatch),
    ],
)
def test_what_is_out_of_bounds_is_no_draft_and_no_patch(text: str, kind: type[Any]) -> None:
    with pytest.raises(msgspec.DecodeError):
        decoded(text, kind)


def test_bounds_are_characters_and_belong_to_what_is_bounded() -> None:
    title, description = "\U0001f600" * 200, "\n" * 10_000
    draft = TaskDraft(title=title, description=description, completed=True, user=ID_MOST)
    assert decoded(msgspec.json.encode(draft).decode(), TaskDraft) == draft
    assert decoded('{"title": "a"}', TaskDraft) == TaskDraft(title="a")
    assert decoded('{"name": "%s"}' % ("\u00e4" * 80), UserDraft).name == "\u00e4" * 80


@pytest.mark.parametrize("text", ["a\0", "\0", "\ud83d", "\u00e9\udc00"])
def test_what_no_database_takes_no_value_holds(text: str) -> None:
    with pytest.raises(ValueError):
        keepable(text)
    for make in (
        lambda: TaskDraft(title=text),
        lambda: TaskDraft(title="a", description=text),
        lambda: TaskPatch(title=text),
        lambda: TaskPatch(description=text),
        lambda: UserDraft(name=text),
        lambda: UserPatch(name=text),
    ):
        with pytest.raises(ValueError):
            make()


def test_a_patch_tells_nobody_from_no_change() -> None:
    assert decoded("{}", TaskPatch) == TaskPatch()
    assert decoded('{"user": null}', TaskPatch) == TaskPatch(user=None) != TaskPatch()


def test_a_patched_task_keeps_what_the_patch_does_not_name() -> None:
    task = Task(
        id=1,
        title="a",
        description="d",
        completed=True,
        user=2,
        created=1.0,
        updated=2.0,
        version=3,
    )
    same = TaskDraft(title="a", description="d", completed=True, user=2)
    assert redrafted(task, TaskPatch()) == same
    everything = TaskPatch(title="b", description="", completed=False, user=None)
    assert redrafted(task, everything) == TaskDraft(title="b")


def test_values_are_told_as_json_with_all_their_fields() -> None:
    user = User(id=1, name="Ann", created=1.5, updated=2.5, version=3)
    told = b'{"id":1,"name":"Ann","created":1.5,"updated":2.5,"version":3}'
    assert msgspec.json.encode(user) == told
