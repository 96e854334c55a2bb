from __future__ import annotations

import pytest

from proto.chat.events import Emoted, Entered, Joined, Left, Moved, Refused, Renamed, Told, YouTold
from proto.chat.history import MemoryHistory
from proto.chat.house import (
    AlreadyThere,
    House,
    NobodyCalled,
    NotInARoom,
    NotReading,
    NotToYourself,
    RoomsFull,
)
from proto.chat.names import NameInvalid, NameTaken
from tests.chat.doubles import LateHistory, Somebody, present


def test_a_newcomer_enters_the_lobby_and_the_others_hear_of_it() -> None:
    house = House(MemoryHistory())
    alice = present(house, "alice")
    newcomer = Somebody(house)
    house.admit(newcomer, "192.0.2.1")
    assert newcomer.news() == [Entered("lobby", "192.0.2.1", ("alice",), 0, ())]
    assert alice.news() == [Joined("192.0.2.1")]
    assert (house.people, newcomer.room) == (2, house.lobby)


def test_names_are_unique_in_the_whole_house_and_a_refusal_changes_nothing() -> None:
    house = House(MemoryHistory())
    alice, bob = present(house, "alice"), present(house, "bob")
    house.move(alice, "den")
    bob.news()
    with pytest.raises(NameTaken):
        house.rename(bob, "ALICE")
    assert (bob.name, bob.news()) == ("bob", [])
    house.rename(bob, "Bobby")
    assert bob.news() == [Renamed("bob", "Bobby")]
    assert house.people == 2


def test_leaving_frees_the_name_and_tells_the_room() -> None:
    house = House(MemoryHistory())
    alice, bob = present(house, "alice"), present(house, "bob")
    alice.news()
    house.leave(bob, "too slow")
    assert alice.news() == [Left("bob", "too slow")]
    assert bob.has_departed
    house.rename(alice, "bob")


def test_leaving_quietly_tells_nobody() -> None:
    house = House(MemoryHistory())
    alice, bob = present(house, "alice"), present(house, "bob")
    alice.news()
    house.leave(bob, quietly=True)
    assert alice.news() == []
    assert bob.has_departed


def test_a_private_line_reaches_one_person_in_whatever_room() -> None:
    house = House(MemoryHistory())
    alice, bob, carol = (present(house, name) for name in ("alice", "bob", "carol"))
    house.move(bob, "den")
    for person in (alice, bob, carol):
        person.news()
    house.tell(alice, "BOB", "psst")
    assert (alice.news(), bob.news()) == ([YouTold("bob", "psst")], [Told("alice", "psst")])
    assert carol.news() == []


def test_a_private_line_to_nobody_to_oneself_or_to_whoever_does_not_read_is_refused() -> None:
    house = House(MemoryHistory())
    alice, bob = present(house, "alice"), present(house, "bob")
    with pytest.raises(NobodyCalled):
        house.tell(alice, "nobody", "psst")
    with pytest.raises(NotToYourself):
        house.tell(alice, "Alice", "psst")
    bob.congested = True
    with pytest.raises(NotReading, match="bob does not keep up"):
        house.tell(alice, "bob", "psst")
    assert bob.news() == []


def test_one_is_in_one_room_at_a_time_and_hears_only_that() -> None:
    house = House(MemoryHistory())
    alice, bob = present(house, "alice"), present(house, "bob")
    house.move(alice, "Den")
    assert alice.news() == [Joined("bob"), Entered("Den", "alice", (), 0, ())][-1:]
    assert bob.news() == [Moved("alice", "Den")]
    house.emote(alice, "waves")
    assert (alice.news(), bob.news()) == ([Emoted("alice", "waves")], [])
    house.move(bob, "den")
    assert bob.news() == [Entered("Den", "bob", ("alice",), 0, (Emoted("alice", "waves"),))]
    assert alice.news() == [Joined("bob")]


def test_one_cannot_move_to_where_one_is_or_to_what_is_no_name() -> None:
    house = House(MemoryHistory())
    alice = present(house, "alice")
    with pytest.raises(AlreadyThere, match="You are in lobby already"):
        house.move(alice, "LOBBY")
    with pytest.raises(NameInvalid, match="A room is one word"):
        house.move(alice, "my den")
    assert (alice.room, len(house.rooms)) == (house.lobby, 1)


def test_an_empty_room_vanishes_with_its_lines_and_the_lobby_stays() -> None:
    house = House(MemoryHistory())
    alice = present(house, "alice")
    house.move(alice, "den")
    house.say(alice, "secret")
    assert [room.name for room in house.rooms] == ["lobby", "den"]
    house.move(alice, "lobby")
    assert [room.name for room in house.rooms] == ["lobby"]
    alice.news()
    house.move(alice, "den")
    assert alice.news() == [Entered("den", "alice", (), 0, ())]


def test_there_are_only_so_many_rooms() -> None:
    house = House(MemoryHistory(), rooms_limit=2)
    alice, bob = present(house, "alice"), present(house, "bob")
    house.move(alice, "den")
    with pytest.raises(RoomsFull):
        house.move(bob, "attic")
    house.move(bob, "den")
    assert bob.room is alice.room


def test_if_the_last_room_is_taken_on_the_way_one_ends_up_in_the_lobby() -> None:
    late = LateHistory()
    house = House(late, rooms_limit=2)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        late.answer()
    house.say(alice, "wait")
    house.move(alice, "den")
    house.move(bob, "attic")
    with pytest.raises(NotInARoom):
        house.say(bob, "between")
    alice.news(), bob.news()
    late.answer()
    late.answer()
    assert [room.name for room in house.rooms] == ["lobby", "den"]
    assert bob.room is house.lobby
    assert any(isinstance(event, Refused) for event in bob.news())


def test_whoever_goes_while_between_two_rooms_departs_and_opens_no_room() -> None:
    late = LateHistory()
    house = House(late)
    alice = Somebody(house)
    house.admit(alice, None)
    late.answer()
    house.say(alice, "wait")
    house.move(alice, "den")
    house.leave(alice)
    departed_early = alice.has_departed
    late.answer()
    late.answer()
    assert (departed_early, alice.has_departed) == (False, True)
    assert (house.people, [room.name for room in house.rooms]) == (0, ["lobby"])


def test_whoever_goes_while_being_let_into_a_new_room_leaves_no_room() -> None:
    late = LateHistory()
    house = House(late)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        late.answer()
    house.move(alice, "den")
    house.leave(alice)
    assert alice.has_departed
    assert [room.name for room in house.rooms] == ["lobby"]
    house.move(bob, "den")
    late.answer()  # the answer that alice no longer waits for comes too
    assert [room.name for room in house.rooms] == ["lobby", "den"]
    assert bob.room is house.rooms[1]
