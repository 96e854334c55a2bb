from __future__ import annotations

from typing import Any

import pytest
from wsgidav.dav_error import DAVError  # type: ignore[import-untyped]

from proto.web.davstate import LOCK_SECONDS, OWNER_BYTES, Locks, Properties


def lock(**changed: Any) -> dict[str, Any]:
    return {
        "root": "/a",
        "type": "write",
        "scope": "shared",
        "depth": "0",
        "owner": b"<owner/>",
        "timeout": 60.0,
        "principal": "ann",
        **changed,
    }


def locks(most: int) -> Locks:
    made = Locks(most)
    made.open()
    return made


def test_so_many_locks_and_no_more() -> None:
    made = locks(2)
    first = made.create("/a", lock())
    made.create("/b", lock(root="/b"))
    with pytest.raises(DAVError) as told:
        made.create("/c", lock(root="/c"))
    assert told.value.value == 507
    made.delete(first["token"])
    made.create("/c", lock(root="/c"))


def test_locks_that_are_over_make_room() -> None:
    made = locks(2)
    made.create("/a", lock())["expire"] = 0
    made.create("/b", lock(root="/b"))
    made.create("/c", lock(root="/c"))
    assert (
        made.get_lock_list("/a", include_root=True, include_children=False, token_only=True) == []
    )


def test_locks_of_a_folder_are_found_while_some_of_them_are_over() -> None:
    made = locks(20)
    tokens = []
    for number in range(8):
        found = made.create(f"/a/{number}", lock(root=f"/a/{number}"))
        if number % 2:
            found["expire"] = 0
        else:
            tokens.append(found["token"])
    both = {"include_root": True, "include_children": True}
    assert made.get_lock_list("/a", **both, token_only=True) == tokens
    assert [each["root"] for each in made.get_lock_list("/a/0", **both, token_only=False)] == [
        "/a/0"
    ]
    assert made.get_lock_list("/b", **both, token_only=True) == []


@pytest.mark.parametrize("seconds", [-1.0, 10.0 * LOCK_SECONDS])
def test_no_lock_is_for_ever(seconds: float) -> None:
    made = locks(2)
    token = made.create("/a", lock(timeout=seconds))["token"]
    assert made.get(token)["timeout"] == LOCK_SECONDS
    assert made.refresh(token, timeout=seconds)["timeout"] == LOCK_SECONDS
    assert made.refresh(token, timeout=5)["timeout"] == 5


def test_who_locks_has_a_short_name() -> None:
    with pytest.raises(DAVError) as told:
        locks(2).create("/a", lock(owner=b"x" * (OWNER_BYTES + 1)))
    assert told.value.value == 507


def test_so_many_bytes_of_properties_and_no_more() -> None:
    made = Properties(1_000)
    made.write_property("/a", "{x}y", "v" * 700, dry_run=True)
    made.write_property("/a", "{x}y", "v" * 700)
    for change in (
        lambda: made.write_property("/b", "{x}y", "v"),
        lambda: made.write_property("/b", "{x}y", "v", dry_run=True),
        lambda: made.copy_properties("/a", "/b"),
    ):
        with pytest.raises(DAVError) as told:
            change()
        assert told.value.value == 507
    assert made.get_property("/a", "{x}y") == "v" * 700
    made.remove_property("/a", "{x}y")
    made.write_property("/b", "{x}y", "v" * 700)


def test_properties_move_and_are_copied() -> None:
    made = Properties()
    made.copy_properties("/none", "/a")
    made.write_property("/a", "{x}y", "v")
    made.copy_properties("/a", "/b")
    assert made.get_property("/b", "{x}y") == "v"
