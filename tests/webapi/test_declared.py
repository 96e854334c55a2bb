from __future__ import annotations

import pytest

from proto.webapi.declared import Operation, Places, Reply, refusals_of
from proto.webapi.operations import OPERATIONS
from proto.webapi.shapes import TaskList

BY_NAME = {each.name: each for each in OPERATIONS}


def operation(method: str = "GET", path: str = "/a/<int:id>", name: str = "a") -> Operation:
    return Operation(name, method, path, "things", "Do", (Reply(200, "Done."),))


def test_a_path_finds_what_can_be_done_there() -> None:
    places = Places([operation(), operation("DELETE"), operation("POST", "/a")])
    place = places.find([b"a", b"7"])
    assert place is not None
    assert (place.values, place.allowed) == ({"id": 7}, ("GET", "HEAD", "DELETE", "OPTIONS"))
    assert place.operations["HEAD"] is place.operations["GET"]
    there = places.find([b"a"])
    assert there is not None
    assert there.allowed == ("POST", "OPTIONS")
    for segments in ([b"a", b"x"], [b"a", b""], [b"a", b"7", b""], [b"b"], []):
        assert places.find(segments) is None


def test_nothing_is_declared_twice() -> None:
    with pytest.raises(ValueError, match=r"GET /a/<int:id> is declared twice"):
        Places([operation(name="a"), operation(name="b")])


def test_what_an_operation_may_refuse_with_follows_from_what_it_takes() -> None:
    plain = operation(path="/a")
    assert refusals_of(plain, tokens=False) == (406, 500, 503)
    assert refusals_of(plain, tokens=True) == (401, 406, 429, 500, 503)
    assert refusals_of(operation("DELETE"), tokens=False) == (403, 404, 406, 500, 503)
    asked = Operation("a", "GET", "/a", "t", "s", (), query=TaskList)
    assert refusals_of(asked, tokens=False) == (400, 406, 422, 500, 503)
    put = (400, 403, 404, 406, 409, 412, 413, 415, 422, 428, 500, 503)
    assert refusals_of(BY_NAME["replace_task"], tokens=False) == put
    assert 428 not in refusals_of(BY_NAME["change_task"], tokens=False)
    assert 412 not in refusals_of(BY_NAME["get_task"], tokens=False)
