from __future__ import annotations

import pytest

from proto.chat.events import Entered, Event, Joined, Left, Refused, Renamed, Said, TopicSet
from proto.chat.history import MemoryHistory
from proto.chat.house import House
from proto.chat.room import LISTED, RoomBusy
from proto.chat.talk import emote, say, set_topic
from tests.chat.doubles import NOW, LateHistory, Somebody, house_of, stored


def late_pair(**options: int) -> tuple[House, LateHistory, Somebody, Somebody]:
    """Two guests in the lobby of a house whose history answers when told to."""
    late = LateHistory()
    house = house_of(late, **options)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        late.answer()
    alice.news(), bob.news()
    return house, late, alice, bob


def refuse(reason: object) -> None:
    raise AssertionError(reason)


def test_nobody_not_even_the_sender_sees_a_line_before_it_is_stored() -> None:
    _, late, alice, bob = late_pair()
    say(alice, "hello")
    assert (alice.news(), bob.news()) == ([], [])
    late.answer()
    assert alice.news() == bob.news() == [stored(1, Said("guest-1", "hello"))]


def test_what_happens_after_a_line_waits_for_it() -> None:
    house, late, alice, bob = late_pair()
    say(alice, "one")
    house.rename(alice, "alice")
    say(alice, "two")
    house.leave(bob, "too slow")
    assert not bob.has_departed
    late.answer(1)
    one, two = stored(1, Said("guest-1", "one")), stored(2, Said("alice", "two"))
    assert alice.news() == bob.news() == [one, Renamed("guest-1", "alice")]
    late.answer()
    assert bob.news() == [two]
    assert alice.news() == [two, Left("guest-2", "too slow")]
    assert bob.has_departed


def test_a_line_that_is_refused_is_told_to_its_sender_alone_and_the_rest_goes_on() -> None:
    _, late, alice, bob = late_pair()
    say(alice, "lost")
    say(bob, "kept")
    late.broken = True
    late.answer(1)
    late.broken = False
    late.answer()
    kept = stored(1, Said("guest-2", "kept"))
    assert alice.news() == [Refused("The disk is full."), kept]
    assert bob.news() == [kept]


def test_who_wants_to_know_is_told_when_a_line_is_shown() -> None:
    house, late, alice, _ = late_pair()
    shown: list[object] = []
    house.lobby.say(alice, Said("guest-1", "a"), shown.append)
    house.lobby.say(alice, Said("guest-1", "b"), shown.append)
    late.answer(1)
    assert shown == alice.news() == [stored(1, Said("guest-1", "a"))]
    late.broken = True
    late.answer()
    assert len(shown) == 1


def test_a_newcomer_sees_each_line_either_in_the_last_lines_or_live() -> None:
    house, late, alice, _ = late_pair(last_lines=10)
    bob = Somebody(house)
    say(alice, "before")
    late.answer()
    say(alice, "waiting")
    house.admit(bob, None)
    say(alice, "after")
    # "after" is stored by the time that bob's last lines are read, but comes live.
    late.answer()
    late.answer()
    lines = [stored(n, Said("guest-1", text)) for n, text in enumerate(("before", "waiting"), 1)]
    entered = Entered("lobby", "guest-3", ("guest-1", "guest-2"), 0, None, 2, tuple(lines))
    assert bob.news() == [entered, stored(3, Said("guest-1", "after"))]
    assert bob.person.entered == 2


def test_what_waits_behind_a_newcomer_comes_live_even_if_nothing_was_shown_before() -> None:
    late = LateHistory()
    house = house_of(late)
    room = house.room("den")
    speaker, bob = Somebody(house), Somebody(house)
    late.kept.append("den", Said("old", "times"), lambda line: None, refuse)
    room.say(speaker, Said("http", "lost"))
    room.enter(bob, lambda: None)
    room.say(speaker, Said("http", "kept"))
    late.broken = True
    late.answer(1)
    late.broken = False
    late.answer_all()
    old, kept = stored(1, Said("old", "times")), stored(2, Said("http", "kept"))
    assert bob.news() == [Entered("den", "", (), 0, None, 1, (old,)), kept]


def test_a_topic_that_waits_behind_a_newcomer_is_not_shown_before_it_is_set() -> None:
    house, late, alice, _ = late_pair()
    bob = Somebody(house)
    set_topic(alice, "tea")
    late.answer()
    say(alice, "waits")
    house.admit(bob, None)
    set_topic(alice, "cake")
    late.answer_all()
    entered, topic = bob.news()
    assert isinstance(entered, Entered)
    assert entered.topic == TopicSet("guest-1", "tea")
    assert topic == stored(3, TopicSet("guest-1", "cake"))
    assert house.lobby.topic == TopicSet("guest-1", "cake")


def test_older_lines_are_told_of_even_while_newer_ones_wait() -> None:
    house, late, alice, _ = late_pair(last_lines=3)
    bob = Somebody(house)
    for text in "abcd":
        say(alice, text)
    late.answer()
    say(alice, "waits")
    house.admit(bob, None)
    say(alice, "behind")
    late.answer_all()
    entered = bob.news()[0]
    assert isinstance(entered, Entered)
    assert [line.event.text for line in entered.lines] == ["c", "d", "waits"]
    assert (entered.more, entered.newest) == (True, 5)


def test_the_first_to_enter_a_room_sees_what_was_said_there_in_another_life() -> None:
    history = MemoryHistory(lambda: NOW)
    history.append("lobby", TopicSet("old", "tea"), lambda line: None, refuse)
    history.append("lobby", Said("old", "times"), lambda line: None, refuse)
    house = house_of(history)
    alice = Somebody(house)
    house.admit(alice, None)
    topic = TopicSet("old", "tea")
    lines = (stored(1, topic), stored(2, Said("old", "times")))
    assert alice.news() == [Entered("lobby", "guest-1", (), 0, topic, 2, lines)]
    assert house.lobby.topic == topic


def test_only_so_many_last_lines_are_shown_and_that_there_are_more() -> None:
    house = house_of(last_lines=2)
    alice, bob = Somebody(house), Somebody(house)
    house.admit(alice, None)
    for text in "abc":
        say(alice, text)
    house.admit(bob, None)
    lines = (stored(2, Said("guest-1", "b")), stored(3, Said("guest-1", "c")))
    assert bob.news() == [Entered("lobby", "guest-2", ("guest-1",), 0, None, 3, lines, more=True)]


def test_who_enters_when_the_log_cannot_be_read_is_in_and_hears_what_follows() -> None:
    late = LateHistory()
    house = house_of(late)
    alice = Somebody(house)
    late.broken = True
    house.admit(alice, None)
    late.answer()
    assert alice.news() == [Entered("lobby", "guest-1", (), 0, None, 0, ())]
    late.broken = False
    say(alice, "hello")
    late.answer()
    assert alice.news() == [stored(1, Said("guest-1", "hello"))]


def test_a_crowd_is_counted_rather_than_listed() -> None:
    house = house_of()
    people = [Somebody(house) for _ in range(LISTED + 3)]
    for person in people:
        house.admit(person, None)
    (entered,) = people[-1].news()
    assert isinstance(entered, Entered)
    assert (len(entered.others), entered.unlisted) == (LISTED, 2)


def test_too_much_waiting_for_the_history_is_refused_and_leaves_nothing_behind() -> None:
    house, late, alice, _ = late_pair(waiting_limit=3)
    for text in "abc":
        say(alice, text)
    for refused in (
        lambda: say(alice, "d"),
        lambda: emote(alice, "d"),
        lambda: house.rename(alice, "alice"),
    ):
        with pytest.raises(RoomBusy):
            refused()
    assert (alice.name, len(late.waiting)) == ("guest-1", 3)
    late.answer()
    assert alice.heard() == ["a", "b", "c"]


def test_people_who_come_and_go_while_the_history_is_stuck_leave_nothing_behind() -> None:
    house, late, alice, _ = late_pair()
    say(alice, "stuck")
    for _ in range(50):
        passing = Somebody(house)
        house.admit(passing, None)
        house.leave(passing)
        assert passing.has_departed
        assert passing.saw == []
    late.answer_all()
    assert alice.news() == [stored(1, Said("guest-1", "stuck"))]
    assert house.people == 2
    assert not house.lobby.entries
    assert house.lobby.cancelled == house.lobby.waiting == 0


def test_a_thousand_who_come_at_once_ask_at_once_and_nobody_is_refused_a_line_for_them() -> None:
    house, late, alice, _ = late_pair(waiting_limit=10)
    newcomers = [Somebody(house) for _ in range(1000)]
    for newcomer in newcomers:
        house.admit(newcomer, None)
    assert len(late.waiting) == 1000
    say(alice, "hello")
    late.answer_all()
    assert {newcomer.room for newcomer in newcomers} == {house.lobby}
    assert all(newcomer.heard() == ["hello"] for newcomer in newcomers)


def test_whoever_leaves_while_being_let_in_is_not_let_in() -> None:
    late = LateHistory()
    house = house_of(late)
    alice, bob = Somebody(house), Somebody(house)
    house.admit(alice, None)
    house.admit(bob, None)
    house.leave(alice)
    late.answer()
    late.answer()
    assert alice.saw == []
    assert bob.news() == [Entered("lobby", "guest-2", (), 0, None, 0, ())]


def test_leaving_in_the_middle_of_a_broadcast_disturbs_nobody() -> None:
    house = house_of()
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
    say(people[0], "hello")
    for person in people:
        gone = [] if person is second else [Left("guest-2")]
        assert person.news() == [stored(1, Said("guest-1", "hello")), *gone]
    assert second.has_departed


def test_joining_in_the_middle_of_a_broadcast_gets_what_follows() -> None:
    house = house_of()
    alice, late_comer = Somebody(house), Somebody(house)
    house.admit(alice, None)

    def invite(event: Event) -> None:
        alice.when_told = lambda event: None
        house.admit(late_comer, None)

    alice.when_told = invite
    alice.news()
    say(alice, "hello")
    hello = stored(1, Said("guest-1", "hello"))
    assert alice.news() == [hello, Joined("guest-2")]
    assert late_comer.news() == [Entered("lobby", "guest-2", ("guest-1",), 0, None, 1, (hello,))]
