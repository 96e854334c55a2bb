"""How the house lets somebody go on who comes through a new door with a token."""

from __future__ import annotations

import pytest

from proto.chat.events import (
    Entered,
    Joined,
    Left,
    Refused,
    Said,
    Stored,
    TakenOver,
)
from proto.chat.house import Return
from proto.chat.talk import ignore, say
from tests.chat.doubles import LateHistory, Somebody, house_of, present, stored
from tests.chat.returning import come_back, refuse, texts


def test_who_comes_back_has_name_room_and_exactly_the_lines_they_missed() -> None:
    house = house_of(last_lines=1)
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    for person in (alice, bob):
        house.move(person, "den")
    say(bob, "read")
    house.leave(alice)
    for text in ("a", "b"):
        say(bob, text)
    bob.news()
    back = come_back(house, token)
    assert bob.news() == [Joined("alice")]
    missed = (stored(2, Said("bob", "a")), stored(3, Said("bob", "b")))
    assert back.news() == [Entered("den", "alice", ("bob",), 0, None, 3, missed, resumed=True)]
    assert house.sessions.token_of(back) == token


def test_who_knows_what_they_read_is_shown_what_follows_that() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    for text in "abc":
        say(bob, text)
    house.leave(alice)
    assert texts(come_back(house, token, after=1).saw[0]) == ["b", "c"]


def test_when_the_name_was_taken_one_is_a_guest_and_told_why() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    house.leave(alice)
    house.rename(bob, "alice")
    back = come_back(house, token)
    refused, entered = back.news()
    assert isinstance(refused, Refused)
    assert refused.reason.endswith("alice is taken; choose another name.")
    assert isinstance(entered, Entered)
    assert entered.name == back.name != "alice"


def test_a_name_that_was_given_is_not_given_back() -> None:
    house = house_of()
    alice = Somebody(house)
    house.admit(alice, None)
    token = house.sessions.token_of(alice)
    house.leave(alice)
    back = come_back(house, token)
    assert (back.name, [type(event) for event in back.saw]) == ("guest-2", [Entered])


def test_when_the_room_is_gone_it_opens_again_and_when_it_cannot_one_is_in_the_lobby() -> None:
    house = house_of(rooms_limit=2)
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    house.move(alice, "Den")
    house.leave(alice)
    back = come_back(house, token)
    assert (back.room and back.room.name, house.sessions.holder(token)) == ("Den", back)
    house.leave(back)
    house.move(bob, "attic")
    again = come_back(house, token)
    assert again.room is house.lobby
    assert isinstance(again.saw[0], Refused)
    entered = again.saw[-1]
    assert isinstance(entered, Entered)
    assert not entered.resumed


def test_when_memory_began_anew_the_last_lines_are_shown() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    house.move(alice, "den")
    for text in "abc":
        say(alice, text)
    house.leave(alice)
    house.move(bob, "den")
    say(bob, "new")
    back = come_back(house, token)
    entered = back.saw[0]
    assert isinstance(entered, Entered)
    assert (texts(entered), entered.resumed) == (["new"], False)


def test_whom_one_ignored_one_ignores_again() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob", "192.0.2.7")
    token = house.sessions.token_of(alice)
    ignore(house, alice, "bob")
    house.leave(alice)
    back = come_back(house, token)
    back.news()
    say(bob, "hello?")
    assert (back.heard(), house.ignoring.ignored(back)) == ([], ["bob"])


# Taking over.


def test_who_comes_back_while_still_here_takes_over_and_the_other_is_told_and_leaves() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    ignore(house, alice, "bob")
    house.move(alice, "den")
    say(alice, "mine")
    alice.news(), bob.news()
    back = come_back(house, token)
    assert (alice.news(), alice.has_departed) == ([TakenOver()], True)
    entered = back.news()[0]
    assert isinstance(entered, Entered)
    assert (entered.name, entered.room, entered.others) == ("alice", "den", ())
    assert (house.people, house.holder("alice"), bob.news()) == (2, back, [])
    assert house.ignoring.ignored(back) == ["bob"]


def test_the_others_read_that_a_session_went_on_elsewhere() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    come_back(house, house.sessions.token_of(alice))
    assert bob.news() == [Left("alice", "went on elsewhere"), Joined("alice")]


def test_who_is_taken_over_may_leave_once_more_and_the_newcomer_stays() -> None:
    house = house_of()
    alice = present(house, "alice")
    back = come_back(house, house.sessions.token_of(alice))
    house.leave(alice, "stuck")
    assert (house.holder("alice"), house.is_here(back), house.people) == (back, True, 1)
    house.leave(back)
    assert house.people == 0


def test_lines_that_are_stored_during_a_take_over_are_read_by_the_newcomer_once() -> None:
    late = LateHistory()
    house = house_of(late)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        late.answer()
    house.rename(alice, "alice")
    token = house.sessions.token_of(alice)
    newcomer = Somebody(house)
    say(bob, "a")
    late.answer()

    def found(back: Return) -> None:
        house.admit(newcomer, None, back=back)

    house.come_back(token, None, found, refuse)
    say(bob, "b")
    late.answer(2)  # where alice is was kept and found; b is being stored
    say(bob, "c")
    late.answer_all()
    read = [
        line.sequence
        for event in newcomer.saw
        for line in (event.lines if isinstance(event, Entered) else [event])
        if isinstance(line, Stored)
    ]
    assert read == [2, 3]
    assert newcomer.name == "alice"


@pytest.mark.parametrize("answered", [0, 1])
def test_who_is_between_two_rooms_is_taken_over_with_what_was_kept_of_them(answered: int) -> None:
    late = LateHistory()
    house = house_of(late)
    alice, newcomer = Somebody(house), Somebody(house)
    house.admit(alice, None)
    late.answer()
    house.rename(alice, "alice")
    token = house.sessions.token_of(alice)
    house.sessions.checkpoint()
    late.answer()
    alice.news()

    def found(back: Return) -> None:
        house.admit(newcomer, None, back=back)

    house.come_back(token, None, found, refuse)
    say(alice, "waits")
    house.move(alice, "den")
    house.sessions.checkpoint()  # who is in no room has no place to be kept
    late.answer(2 + answered)
    late.answer_all()
    assert TakenOver() in alice.saw
    assert alice.has_departed
    assert (newcomer.name, newcomer.room, house.people) == ("alice", house.lobby, 1)
    assert [room.name for room in house.rooms] == ["lobby"]
