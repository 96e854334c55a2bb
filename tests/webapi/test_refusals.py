from __future__ import annotations

import pytest

from proto.errors import PeerError
from proto.tasks import errors
from proto.tasks.values import User
from proto.web.response import HTTPError
from proto.webapi.refusals import refused

USER = User(id=1, name="a", created=0.0, updated=0.0, version=4)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NoSuch("task", 1), 404, "no_such_task"),
        (errors.NoSuch("user", 1), 404, "no_such_user"),
        (errors.VersionConflict(USER), 412, "version_conflict"),
        (errors.NameTaken("a"), 409, "name_taken"),
        (errors.NoSuchUser(1), 409, "no_such_user"),
        (errors.BadCursor("That is no cursor."), 404, "no_such_page"),
        (errors.StoreBusy(), 503, "busy"),
        (errors.StoreFailed("the disk is full"), 503, "unavailable"),
    ],
)
def test_each_refusal_of_the_store_has_its_status(error: PeerError, status: int, code: str) -> None:
    told = refused(error)
    assert (told.status, getattr(told, "code", None)) == (status, code)
    assert str(told) == str(error)
    assert ("Retry-After" in dict(told.headers)) is (status == 503)


def test_who_was_too_late_is_told_the_version_that_is_there() -> None:
    assert dict(refused(errors.VersionConflict(USER)).headers) == {"ETag": '"4"'}


def test_what_is_new_to_us_is_a_failure() -> None:
    class Strange(PeerError):
        """Nobody told us of it."""

    with pytest.raises(Strange):
        refused(Strange("?"))
    error = HTTPError(418)
    assert refused(error) is error
