"""How the house lets somebody go on who is here and types a token."""

from __future__ import annotations

import pytest

from proto.chat.commands import obey
from proto.chat.events import (
    Entered,
    Left,
    Missed,
    Moved,
    Refused,
    Renamed,
    Said,
    TakenOver,
)
from proto.chat.history import MemoryHistory
from proto.chat.room import MISSED
from proto.chat.talk import say
from tests.chat.doubles import NOW, LateHistory, Somebody, house_of, present, stored
from tests.chat.returning import resume, texts


def test_who_types_their_token_goes_on_where_they_were() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    house.move(alice, "den")
    house.leave(alice)
    typist = Somebody(house)
    house.admit(typist, None)
    bob.news(), typist.news()
    resume(house, typist, token)
    assert bob.news() == [Renamed("guest-3", "alice"), Moved("alice", "den")]
    renamed, entered = typist.news()
    assert renamed == Renamed("guest-3", "alice")
    assert isinstance(entered, Entered)
    assert (entered.room, typist.room and typist.room.name) == ("den", "den")


def test_in_the_room_where_they_were_they_are_shown_what_came_before_they_did() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    say(bob, "read")
    house.leave(alice)
    say(bob, "missed")
    typist = Somebody(house)
    house.admit(typist, None)
    say(bob, "live")
    typist.news()
    resume(house, typist, token)
    assert typist.news() == [
        Renamed("guest-3", "alice"),
        Missed((stored(2, Said("bob", "missed")),), False),
    ]
    again = Somebody(house)
    house.admit(again, None)
    house.leave(typist)
    again.news()
    resume(house, again, token)
    assert again.news()[-1] == Missed((), False)


def test_what_one_reads_live_is_not_more_of_what_one_missed() -> None:
    house = house_of(MemoryHistory(lambda: NOW, kept=1000))
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    house.leave(alice)
    say(bob, "missed")
    typist = Somebody(house)
    house.admit(typist, None)
    for n in range(MISSED):
        say(bob, str(n))
    typist.news()
    resume(house, typist, token)
    assert typist.news()[-1] == Missed((stored(1, Said("bob", "missed")),), False)


def test_of_much_that_was_missed_the_first_is_shown_and_that_there_is_more() -> None:
    house = house_of(MemoryHistory(lambda: NOW, kept=1000))
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    house.leave(alice)
    for n in range(MISSED + 1):
        say(bob, str(n))
    typist = Somebody(house)
    house.admit(typist, None)
    resume(house, typist, token)
    missed = typist.news()[-1]
    assert isinstance(missed, Missed)
    assert texts(missed) == [str(n) for n in range(MISSED)]
    assert missed.more


def test_who_types_the_token_of_somebody_here_takes_over() -> None:
    house = house_of()
    alice, typist = present(house, "alice"), Somebody(house)
    token = house.sessions.token_of(alice)
    house.admit(typist, None)
    alice.news(), typist.news()
    resume(house, typist, token)
    assert alice.news() == [TakenOver()]
    assert alice.has_departed
    assert (typist.name, house.people) == ("alice", 1)
    assert typist.news()[0] == Left("alice", "went on elsewhere")


def test_asking_twice_brings_one_back_once() -> None:
    late = LateHistory()
    house = house_of(late)
    alice, typist = Somebody(house), Somebody(house)
    house.admit(alice, None)
    late.answer()
    token = house.sessions.token_of(alice)
    house.leave(alice)
    house.admit(typist, None)
    late.answer_all()
    typist.news()
    resume(house, typist, token)
    resume(house, typist, token)
    late.answer_all()
    answers = typist.news()
    assert sorted(type(answer).__name__ for answer in answers) == ["Missed", "Refused"]
    assert (house.people, typist.person.asking) == (1, 0)


def test_who_leaves_before_they_are_answered_takes_nothing_over() -> None:
    late = LateHistory()
    house = house_of(late)
    alice, typist = Somebody(house), Somebody(house)
    for person in (alice, typist):
        house.admit(person, None)
        late.answer()
    token = house.sessions.token_of(alice)
    alice.news()
    resume(house, typist, token)
    house.leave(typist)
    late.answer_all()
    assert alice.news() == [Left("guest-2")]
    assert (house.is_here(alice), house.people) == (True, 1)


def test_who_is_between_two_rooms_when_they_are_answered_may_try_again() -> None:
    late = LateHistory()
    house = house_of(late)
    alice, typist = Somebody(house), Somebody(house)
    house.admit(alice, None)
    late.answer()
    house.rename(alice, "alice")
    token = house.sessions.token_of(alice)
    house.leave(alice)
    house.admit(typist, None)
    late.answer_all()
    resume(house, typist, token)
    house.move(typist, "den")
    typist.news()
    late.answer(1)
    assert typist.news() == [Refused("You are between two rooms; try again in a moment.")]
    late.answer_all()
    resume(house, typist, token)
    late.answer_all()
    assert (typist.name, typist.room) == ("alice", house.lobby)


def test_a_room_that_waits_for_its_log_refuses_and_nothing_has_changed() -> None:
    late = LateHistory()
    house = house_of(late, waiting_limit=2)
    alice, typist = Somebody(house), Somebody(house)
    house.admit(alice, None)
    late.answer()
    house.rename(alice, "alice")
    token = house.sessions.token_of(alice)
    house.leave(alice)
    house.admit(typist, None)
    late.answer_all()
    typist.news()
    resume(house, typist, token)
    say(typist, "a")
    say(typist, "b")
    late.answer(1)
    assert [type(event) for event in typist.news()] == [Refused]
    assert (typist.name, house.sessions.holder(token)) == ("guest-2", None)
    late.answer_all()
    assert typist.heard() == ["a", "b"]


@pytest.mark.parametrize("broken", [False, True])
def test_who_left_is_not_answered_by_a_log_that_was_late(broken: bool) -> None:
    late = LateHistory()
    house = house_of(late)
    alice, typist = Somebody(house), Somebody(house)
    house.admit(alice, None)
    late.answer()
    token = house.sessions.token_of(alice)
    house.leave(alice)
    house.admit(typist, None)
    late.answer_all()
    resume(house, typist, token)
    late.answer()
    typist.news()
    late.broken = broken
    if broken:
        late.answer_read()
        assert typist.news() == [Refused("The disk is full.")]
        return
    house.leave(typist)
    late.answer_all()
    assert typist.saw == []


def test_who_left_is_not_told_that_their_token_was_refused() -> None:
    late = LateHistory()
    house = house_of(late)
    typist = Somebody(house)
    house.admit(typist, None)
    late.answer()
    typist.news()
    obey(typist, "/RESUME nonsense")
    house.leave(typist)
    late.answer_all()
    assert (typist.saw, typist.person.asking) == ([], 0)
