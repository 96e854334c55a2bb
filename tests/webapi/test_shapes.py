from __future__ import annotations

import json
import re

import msgspec
import pytest

from proto.tasks.query import TASK_SORTS
from proto.tasks.values import Task, User
from proto.webapi.shapes import TaskList, task_resource, user_resource

TASK = Task(
    id=7,
    title="t",
    description="",
    completed=False,
    user=3,
    created=1_700_000_000.25,
    updated=1_700_000_000.5,
    version=2,
)


def test_a_task_is_sent_with_its_links_and_times_of_rfc_3339() -> None:
    assert json.loads(msgspec.json.encode(task_resource(TASK))) == {
        "id": 7,
        "title": "t",
        "description": "",
        "completed": False,
        "user": 3,
        "created": "2023-11-14T22:13:20.250000Z",
        "updated": "2023-11-14T22:13:20.500000Z",
        "version": 2,
        "links": {"self": "/api/v1/tasks/7", "user": "/api/v1/users/3"},
    }
    nobodys = msgspec.structs.replace(TASK, user=None)
    assert task_resource(nobodys).links.user is None


def test_a_user_is_sent_with_the_way_to_their_tasks() -> None:
    user = User(id=3, name="Ann", created=0.0, updated=0.0, version=1)
    told = json.loads(msgspec.json.encode(user_resource(user)))
    assert told["links"] == {"self": "/api/v1/users/3", "tasks": "/api/v1/users/3/tasks"}


@pytest.mark.parametrize(
    ("sort", "fits"),
    [
        ("id", True),
        ("-created", True),
        (",".join(TASK_SORTS), True),
        ("-title,-title", True),
        ("", False),
        ("name", False),
        ("title,", False),
        ("--title", False),
        ("title -id", False),
        ("id," * 5 + "id", False),
    ],
)
def test_the_pattern_of_an_order_is_the_order(sort: str, fits: bool) -> None:
    _, told = msgspec.json.schema_components([TaskList])
    pattern = told["TaskList"]["properties"]["sort"]["pattern"]
    assert bool(re.search(pattern, sort)) is fits
