from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.web.resource import Resource

from proto.errors import StartError
from proto.tap.service import Part
from proto.tap.webdoors import DoorSettings, WebDoor, mount_doors
from proto.web.handlers import Handlers
from proto.web.mounts import Mounts


def door(path: str) -> WebDoor:
    def mount(settings: object, process: object, mounts: Mounts, handlers: object) -> list[Part]:
        mounts.add(path, Resource())
        return [Part()]

    return WebDoor(lambda settings: None, mount)


def mounted(doors: Sequence[WebDoor]) -> list[Part]:
    process: Any = None
    return mount_doors(DoorSettings(), process, Mounts(), Handlers(), doors)


def test_each_door_gives_what_starts_and_ends_with_the_service() -> None:
    assert len(mounted([door("/a"), door("/b")])) == 2


def test_two_doors_at_one_path_are_refused_in_one_line() -> None:
    with pytest.raises(StartError) as refused:
        mounted([door("/a"), door("/a")])
    assert str(refused.value) == "/a is given twice; mount each at a path of its own"
