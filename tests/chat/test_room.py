from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.events import Entered, Event, Joined, Left, Moved, Refused, Renamed, Said
from proto.chat.history import MemoryHistory
from proto.chat.house import House
from proto.chat.room import LISTED, RoomBusy
from tests.chat.doubles import LateHistory, Somebody


def test_nobody_not_even_the_sender_sees_a_line_before_it_is_stored() -> None:
    late = LateHistory()
    house = House(late)
    alice, bob = Somebody(house), Somebody(house)
    house.admit(alice, "192.0.2.1")
    house.admit(bob, "192.0.2.2")
    late.answer()
    late.answer()
    alice.news(), bob.news()
    house.say(alice, "hello")
    assert (alice.news(), bob.news()) == ([], [])
    late.answer()
    assert alice.news() == bob.news() == [Said("192.0.2.1", "hello")]


def test_what_happens_after_a_line_waits_for_it() -> None:
    late = LateHistory()
    house = House(late)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        late.answer()
    alice.news(), bob.news()
    house.say(alice, "one")
    house.rename(alice, "alice")
    house.say(alice, "two")
    house.leave(bob, "too slow")
    assert not bob.has_departed
    late.answer(1)
    assert alice.news() == bob.news() == [Said("guest-1", "one"), Renamed("guest-1", "alice")]
    late.answer()
    assert bob.news() == [Said("alice", "two")]
    assert alice.news() == [Said("alice", "two"), Left("guest-2", "too slow")]
    assert bob.has_departed


def test_a_line_that_is_refused_is_told_to_its_sender_alone_and_the_rest_goes_on() -> None:
    late = LateHistory()
    house = House(late)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        late.answer()
    alice.news(), bob.news()
    house.say(alice, "lost")
    house.say(bob, "kept")
    late.broken = True
    late.answer(1)
    late.broken = False
    late.answer()
    assert alice.news() == [Refused("The disk is full."), Said("guest-2", "kept")]
    assert bob.news() == [Said("guest-2", "kept")]


def test_a_newcomer_sees_each_line_either_in_the_last_lines_or_live() -> None:
    late = LateHistory()
    house = House(late, last_lines=10)
    alice, bob = Somebody(house), Somebody(house)
    house.admit(alice, None)
    late.answer()
    house.say(alice, "before")
    late.answer()
    house.say(alice, "waiting")
    house.admit(bob, None)
    house.say(alice, "after")
    # "after" is stored by the time that bob's last lines are read, but comes live.
    late.answer()
    late.answer()
    entered = Entered(
        "lobby", "guest-2", ("guest-1",), 0, (Said("guest-1", "before"), Said("guest-1", "waiting"))
    )
    assert bob.news() == [entered, Said("guest-1", "after")]


def test_the_first_to_enter_a_room_sees_what_was_said_there_in_another_life() -> None:
    history = MemoryHistory()
    history.append("lobby", Said("old", "times"), lambda line: None, lambda reason: None)
    house = House(history)
    alice = Somebody(house)
    house.admit(alice, None)
    assert alice.news() == [Entered("lobby", "guest-1", (), 0, (Said("old", "times"),))]


def test_only_so_many_last_lines_are_shown() -> None:
    house = House(MemoryHistory(), last_lines=2)
    alice, bob = Somebody(house), Somebody(house)
    house.admit(alice, None)
    for text in "abc":
        house.say(alice, text)
    house.admit(bob, None)
    assert bob.news() == [
        Entered("lobby", "guest-2", ("guest-1",), 0, (Said("guest-1", "b"), Said("guest-1", "c")))
    ]


def test_a_crowd_is_counted_rather_than_listed() -> None:
    house = House(MemoryHistory())
    people = [Somebody(house) for _ in range(LISTED + 3)]
    for person in people:
        house.admit(person, None)
    (entered,) = people[-1].news()
    assert isinstance(entered, Entered)
    assert (len(entered.others), entered.unlisted) == (LISTED, 2)


def test_too_much_waiting_for_the_history_is_refused_and_leaves_nothing_behind() -> None:
    late = LateHistory()
    house = House(late, waiting_limit=3)
    alice = Somebody(house)
    house.admit(alice, None)
    late.answer()
    for text in "abc":
        house.say(alice, text)
    for refused in (lambda: house.say(alice, "d"), lambda: house.rename(alice, "alice")):
        with pytest.raises(RoomBusy):
            refused()
    assert alice.name == "guest-1"
    alice.news()
    late.answer()
    assert alice.news() == [Said("guest-1", text) for text in "abc"]


def test_people_who_come_and_go_while_the_history_is_stuck_leave_nothing_behind() -> None:
    late = LateHistory()
    house = House(late)
    alice = Somebody(house)
    house.admit(alice, None)
    late.answer()
    house.say(alice, "stuck")
    alice.news()
    for _ in range(50):
        passing = Somebody(house)
        house.admit(passing, None)
        house.leave(passing)
        assert passing.has_departed
        assert passing.saw == []
    assert len(late.waiting) == 1
    late.answer()
    assert alice.news() == [Said("guest-1", "stuck")]
    assert house.people == 1


def test_whoever_leaves_while_being_let_in_is_not_let_in() -> None:
    late = LateHistory()
    house = House(late)
    alice, bob = Somebody(house), Somebody(house)
    house.admit(alice, None)
    house.admit(bob, None)
    house.leave(alice)
    late.answer()
    late.answer()
    assert alice.saw == []
    assert bob.news() == [Entered("lobby", "guest-2", (), 0, ())]


def test_leaving_in_the_middle_of_a_broadcast_disturbs_nobody() -> None:
    house = House(MemoryHistory())
    people = [Somebody(house) for _ in range(5)]
    for person in people:
        house.admit(person, None)
    for person in people:
        person.news()
    second = people[1]

    def give_up(event: Event) -> None:
        second.when_told = lambda event: None
        house.leave(second)

    second.when_told = give_up
    house.say(people[0], "hello")
    for person in people:
        gone = [] if person is second else [Left("guest-2")]
        assert person.news() == [Said("guest-1", "hello"), *gone]
    assert second.has_departed


def test_joining_in_the_middle_of_a_broadcast_gets_what_follows() -> None:
    house = House(MemoryHistory())
    alice, late_comer = Somebody(house), Somebody(house)
    house.admit(alice, None)

    def invite(event: Event) -> None:
        alice.when_told = lambda event: None
        house.admit(late_comer, None)

    alice.when_told = invite
    alice.news()
    house.say(alice, "hello")
    assert alice.news() == [Said("guest-1", "hello"), Joined("guest-2")]
    assert late_comer.news() == [
        Entered("lobby", "guest-2", ("guest-1",), 0, (Said("guest-1", "hello"),))
    ]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "leave", "say", "say", "move", "answer"]), st.integers(0, 5)
    ),
    max_size=60,
)


@given(_STEPS)
def test_whatever_people_do_each_sees_a_room_in_one_order_without_gap_or_repeat(
    steps: list[tuple[str, int]],
) -> None:
    late = LateHistory()
    house = House(late, last_lines=1000)
    people: dict[int, Somebody] = {}
    everyone: list[Somebody] = []
    for count, (what, who) in enumerate(steps):
        person = people.get(who)
        if what == "admit" and person is None:
            people[who] = person = Somebody(house)
            everyone.append(person)
            house.admit(person, None)
        elif what == "leave" and person is not None:
            house.leave(people.pop(who))
        elif what == "answer":
            late.answer(who)
        elif person is not None and person.room is not None:
            if what == "say":
                house.say(person, f"{person.room.name} {count}")
            else:
                house.move(person, "den" if person.room is house.lobby else "lobby")
    while late.waiting:
        late.answer()
    for person in everyone:
        _check_order(person)
    assert all(person.room is not None for person in people.values())
    assert all(person.has_departed for person in everyone if person not in people.values())


def _check_order(person: Somebody) -> None:
    """Of each stay: the last lines, then every line live, in the order they were said."""
    stay: list[int] | None = None
    for event in person.saw:
        if isinstance(event, Entered):
            stay = [int(line.text.split()[1]) for line in event.lines]
        elif isinstance(event, Said):
            assert stay is not None
            stay.append(int(event.text.split()[1]))
        else:
            assert isinstance(event, Joined | Left | Moved)
        assert stay is None or stay == sorted(set(stay))
