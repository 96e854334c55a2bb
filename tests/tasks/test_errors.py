from __future__ import annotations

import pytest

from proto.errors import PeerError
from proto.tasks.errors import (
    BadCursor,
    BadSort,
    NameTaken,
    NoSuch,
    NoSuchUser,
    StoreBusy,
    StoreFailed,
    VersionConflict,
)
from proto.tasks.values import User

ANN = User(id=7, name="Ann", created=1.0, updated=1.0, version=3)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NoSuch("task", 5), "There is no task 5."),
        (NoSuchUser(5), "There is no user 5 whom the task could belong to."),
        (VersionConflict(ANN), "The user 7 is at version 3 by now."),
        (NameTaken("Ann"), "Another user already bears that name."),
        (StoreBusy(), "The tasks are busy; try again in a moment."),
        (StoreFailed("the disk is full"), "The tasks cannot be kept: the disk is full."),
        (StoreFailed(""), "The tasks cannot be kept at present."),
        (BadSort("no"), "no"),
        (BadCursor("no"), "no"),
    ],
)
def test_every_refusal_is_safe_to_show(error: Exception, told: str) -> None:
    assert isinstance(error, PeerError)
    assert str(error) == told


def test_a_refusal_tells_what_it_is_about() -> None:
    assert (NoSuch("user", 5).kind, NoSuch("user", 5).id, NoSuchUser(6).id) == ("user", 5, 6)
    assert VersionConflict(ANN).current is ANN
    assert NameTaken("Ann").name == "Ann"
    assert StoreFailed("why").reason == "why"
