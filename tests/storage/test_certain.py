from __future__ import annotations

from proto.storage.certain import Certain
from proto.storage.store import ANY


def test_what_is_under_way_is_not_read_before_it_is_stored() -> None:
    certain = Certain()
    certain.learn("lobby", 4)
    failures, below = certain.limit("lobby")
    assert below == ANY
    certain.begin(["lobby"])
    assert certain.limit("lobby") == (failures, 5)
    assert certain.limit("den") == (failures, ANY)
    assert certain.holds("lobby", failures, 4)
    assert not certain.holds("lobby", failures, 5)
    certain.stored({"lobby": 6})
    assert certain.newest("lobby") == 6
    assert certain.limit("lobby") == (failures, ANY)
    assert certain.holds("lobby", failures, 6)


def test_what_failed_is_in_doubt_until_that_is_settled() -> None:
    certain = Certain()
    certain.learn("lobby", 4)
    failures, _ = certain.limit("lobby")
    certain.begin(["lobby"])
    certain.failed()
    assert certain.doubts == {"lobby": 4}
    assert certain.newest("lobby") == 4
    again, below = certain.limit("lobby")
    assert below == 5
    certain.settled()
    assert certain.doubts == {}
    assert certain.limit("lobby") == (again, ANY)
    # What was read before the failure may hold lines that are gone by now.
    assert not certain.holds("lobby", failures, 1)
    assert certain.holds("lobby", again, 5)


def test_after_somebody_else_wrote_numbers_only_grow() -> None:
    certain = Certain()
    for room, newest in (("lobby", 4), ("den", 9)):
        certain.learn(room, newest)
    certain.begin(["lobby"])
    certain.failed()
    certain.renewed()
    assert certain.doubts == {}
    assert certain.unknown(["lobby", "den", "attic"]) == {"lobby", "den", "attic"}
    certain.learn("lobby", 7)
    certain.learn("den", 0)
    assert (certain.newest("lobby"), certain.newest("den")) == (7, 9)


def test_the_rooms_asked_for_longest_ago_are_forgotten() -> None:
    certain = Certain(most=2)
    for room in ("a", "b", "c"):
        certain.learn(room, 1)
    certain.newest("a")
    certain.shed()
    assert certain.unknown(["a", "b", "c"]) == {"b"}
    certain.renewed()
    for room in ("d", "e", "f"):
        certain.learn(room, 1)
    certain.renewed()
    certain.shed()
    for room in ("a", "c", "d", "e", "f"):
        certain.learn(room, 0)
    assert [certain.newest(room) for room in ("a", "c", "d", "e", "f")] == [0, 0, 0, 1, 1]
