from __future__ import annotations

import pytest

from proto.chat.events import Emoted, Entered, Joined, Left, Moved, Refused, Renamed, Said
from proto.chat.house import AlreadyThere, NotInARoom, RoomsFull
from proto.chat.names import NameInvalid, NameReserved, NameTaken
from proto.chat.talk import emote, say
from tests.chat.doubles import LateHistory, Somebody, house_of, present, stored


def test_a_newcomer_enters_the_lobby_and_the_others_hear_of_it() -> None:
    house = house_of()
    alice = present(house, "alice")
    newcomer = Somebody(house)
    house.admit(newcomer, "192.0.2.1")
    assert newcomer.news() == [Entered("lobby", "192.0.2.1", ("alice",), 0, None, 0, ())]
    assert alice.news() == [Joined("192.0.2.1")]
    assert (house.people, newcomer.room) == (2, house.lobby)


def test_a_newcomer_may_enter_another_room_and_a_room_that_cannot_be_is_the_lobby() -> None:
    house = house_of()
    alice, bob = Somebody(house), Somebody(house)
    house.admit(alice, None, room="Den")
    assert alice.news() == [Entered("Den", "guest-1", (), 0, None, 0, ())]
    house.admit(bob, None, room="my den")
    refused, entered = bob.news()
    assert refused == Refused("A room is one word, without spaces.")
    assert entered == Entered("lobby", "guest-2", (), 0, None, 0, ())


def test_what_is_known_of_a_newcomer_is_when_and_from_where_they_came() -> None:
    house = house_of()
    shown, hidden = Somebody(house), Somebody(house)
    house.admit(shown, "192.0.2.1", host="192.0.2.1")
    house.admit(hidden, None, host="192.0.2.2")
    assert [(p.person.address, p.person.host, p.person.since) for p in (shown, hidden)] == [
        ("192.0.2.1", "192.0.2.1", house.now()),
        (None, "192.0.2.2", house.now()),
    ]


def test_names_are_unique_in_the_whole_house_and_a_refusal_changes_nothing() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    house.move(alice, "den")
    bob.news()
    with pytest.raises(NameTaken):
        house.rename(bob, "ALICE")
    assert (bob.name, bob.news()) == ("bob", [])
    house.rename(bob, "Bobby")
    assert bob.news() == [Renamed("bob", "Bobby")]
    assert house.people == 2
    assert (house.holder("BOBBY"), house.holder("bob")) == (bob, None)


def test_a_name_can_be_asked_for_before_anybody_has_it() -> None:
    house = house_of()
    present(house, "alice")
    assert house.check_name(" Bob ") == "Bob"
    with pytest.raises(NameTaken):
        house.check_name("ALICE")
    with pytest.raises(NameReserved):
        house.check_name("admin")
    assert house.people == 1


def test_leaving_frees_the_name_and_tells_the_room() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    house.leave(bob, "too slow")
    assert alice.news() == [Left("bob", "too slow")]
    assert bob.has_departed
    assert (house.is_here(alice), house.is_here(bob)) == (True, False)
    house.rename(alice, "bob")


def test_leaving_quietly_tells_nobody() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    house.leave(bob, quietly=True)
    assert alice.news() == []
    assert bob.has_departed


def test_who_left_and_leaves_again_takes_nothing_from_who_has_their_name_now() -> None:
    late = LateHistory()
    house = house_of(late)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        late.answer()
    house.rename(alice, "carol")
    say(alice, "waits")
    house.leave(alice)
    house.rename(bob, "carol")
    house.leave(alice, "too slow")
    late.answer_all()
    house.leave(alice)
    assert (alice.has_departed, house.holder("carol"), house.people) == (True, bob, 1)
    assert bob.news()[-2:] == [Left("carol"), Renamed("guest-2", "carol")]


def test_one_is_in_one_room_at_a_time_and_hears_only_that() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    house.move(alice, "Den")
    assert alice.news() == [Entered("Den", "alice", (), 0, None, 0, ())]
    assert bob.news() == [Moved("alice", "Den")]
    emote(alice, "waves")
    waves = stored(1, Emoted("alice", "waves"))
    assert alice.news() == [waves]
    assert bob.news() == []
    house.move(bob, "den")
    assert bob.news() == [Entered("Den", "bob", ("alice",), 0, None, 1, (waves,))]
    assert alice.news() == [Joined("bob")]


def test_one_cannot_move_to_where_one_is_or_to_what_is_no_name() -> None:
    house = house_of()
    alice = present(house, "alice")
    with pytest.raises(AlreadyThere, match="You are in lobby already"):
        house.move(alice, "LOBBY")
    with pytest.raises(NameInvalid, match="A room is one word"):
        house.move(alice, "my den")
    assert (alice.room, len(house.rooms)) == (house.lobby, 1)


def test_an_empty_room_vanishes_with_its_lines_and_the_lobby_stays() -> None:
    house = house_of()
    alice = present(house, "alice")
    house.move(alice, "den")
    say(alice, "secret")
    assert [room.name for room in house.rooms] == ["lobby", "den"]
    house.move(alice, "lobby")
    assert [room.name for room in house.rooms] == ["lobby"]
    alice.news()
    house.move(alice, "den")
    assert alice.news() == [Entered("den", "alice", (), 0, None, 0, ())]


def test_a_room_in_which_only_a_line_was_said_is_gone_when_it_is_stored() -> None:
    late = LateHistory()
    house = house_of(late)
    room = house.room("Den")
    assert house.room("den") is room
    room.say(Somebody(house), Said("somebody", "hello"))
    assert room in house.rooms
    late.answer()
    assert house.rooms == [house.lobby]


def test_there_are_only_so_many_rooms() -> None:
    house = house_of(rooms_limit=2)
    alice, bob = present(house, "alice"), present(house, "bob")
    house.move(alice, "den")
    with pytest.raises(RoomsFull):
        house.move(bob, "attic")
    with pytest.raises(RoomsFull):
        house.room("attic")
    house.move(bob, "den")
    assert bob.room is alice.room


def test_if_the_last_room_is_taken_on_the_way_one_ends_up_in_the_lobby() -> None:
    late = LateHistory()
    house = house_of(late, rooms_limit=2)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        late.answer()
    say(alice, "wait")
    house.move(alice, "den")
    house.move(bob, "attic")
    with pytest.raises(NotInARoom):
        say(bob, "between")
    alice.news(), bob.news()
    late.answer()
    late.answer()
    assert [room.name for room in house.rooms] == ["lobby", "den"]
    assert bob.room is house.lobby
    assert any(isinstance(event, Refused) for event in bob.news())


def test_whoever_goes_while_between_two_rooms_departs_and_opens_no_room() -> None:
    late = LateHistory()
    house = house_of(late)
    alice = Somebody(house)
    house.admit(alice, None)
    late.answer()
    say(alice, "wait")
    house.move(alice, "den")
    house.leave(alice)
    departed_early = alice.has_departed
    late.answer()
    late.answer()
    assert (departed_early, alice.has_departed) == (False, True)
    assert (house.people, [room.name for room in house.rooms]) == (0, ["lobby"])


def test_whoever_goes_while_being_let_into_a_new_room_leaves_no_room() -> None:
    late = LateHistory()
    house = house_of(late)
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


def test_those_who_left_are_not_held_by_a_chain_of_private_lines() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    bob.person.correspondent = alice
    house.leave(bob)
    assert bob.person.correspondent is None


def test_everyone_hears_each_line_of_their_stay_once() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    say(alice, "one")
    house.move(bob, "den")
    say(alice, "two")
    house.move(bob, "lobby")
    say(alice, "three")
    assert alice.heard() == ["one", "two", "three"]
    assert bob.heard() == ["one", "three"]
    lines = (stored(1, Said("alice", "one")), stored(2, Said("alice", "two")))
    carol = Somebody(house)
    house.admit(carol, None)
    entered = carol.saw[0]
    assert isinstance(entered, Entered)
    assert entered.lines[:2] == lines
