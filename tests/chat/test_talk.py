from __future__ import annotations

import pytest

from proto.chat import talk
from proto.chat.events import (
    Emoted,
    Pasted,
    People,
    Recalled,
    Refused,
    Rooms,
    Said,
    Stored,
    Told,
    TopicSet,
    WentAway,
    YouTold,
)
from proto.chat.house import House, NotInARoom
from proto.chat.room import LISTED, RoomBusy
from proto.chat.talk import (
    ASKING,
    LONGEST_NOTE,
    LONGEST_PASTE,
    MOST_RECALLED,
    Impatient,
    NobodyCalled,
    NothingSeen,
    NothingToDo,
    NotReading,
    NotToYourself,
    TooLong,
)
from tests.chat.doubles import NOW, LateHistory, Somebody, house_of, present, stored


def trio() -> tuple[House, Somebody, Somebody, Somebody]:
    house = house_of()
    alice, bob, carol = (present(house, name) for name in ("alice", "bob", "carol"))
    return house, alice, bob, carol


# To the room.


def test_several_lines_are_said_as_one_and_the_end_is_trimmed() -> None:
    _, alice, bob, _ = trio()
    talk.say(alice, "one  \n\n two \n \n")
    assert bob.news() == [stored(1, Pasted("alice", "one  \n\n two"))]
    talk.say(alice, " alone\n\n")
    assert bob.news() == [stored(2, Said("alice", " alone"))]


@pytest.mark.parametrize("text", ["", "  ", "\n \n"])
def test_nothing_is_not_said(text: str) -> None:
    house, alice, bob, _ = trio()
    with pytest.raises(NothingSeen):
        talk.say(alice, text)
    with pytest.raises(NothingSeen):
        talk.tell(house, alice, "bob", text)
    assert bob.news() == []


def test_so_much_is_said_at_once_and_no_more() -> None:
    house, alice, bob, _ = trio()
    most = "\u00e9" * 8190 + "\n" + "xyz"
    assert len(most.encode()) == LONGEST_PASTE
    talk.say(alice, most)
    assert len(bob.news()) == 1
    for refused in (
        lambda: talk.say(alice, most + "x"),
        lambda: talk.tell(house, alice, "bob", most + "x"),
    ):
        with pytest.raises(TooLong, match="16384 bytes is the most"):
            refused()
    assert bob.news() == []


def test_several_lines_are_made_safe_one_by_one_and_each_has_an_end() -> None:
    assert talk.cleaned("a\x1b[2J\r\nb\tc\x85\n\n\u202ed\r", 9) == "a\nb c\n\nd"
    with pytest.raises(TooLong, match="9 bytes is the most"):
        talk.cleaned("short\n" + "\u00e9" * 5, 9)


@pytest.mark.parametrize(("size", "turns"), [(0, 0), (4095, 0), (4096, 1), (16384, 4)])
def test_a_long_text_counts_as_several_lines(size: int, turns: int) -> None:
    assert talk.extra_turns("x" * size) == turns


def test_nothing_is_done_between_two_rooms() -> None:
    house, alice, *_ = trio()
    alice.room = None
    alice.person.away = "out"
    for refused in (
        lambda: talk.say(alice, "a"),
        lambda: talk.emote(alice, "a"),
        lambda: talk.set_topic(alice, "a"),
        lambda: talk.go_away(alice, "a"),
        lambda: talk.come_back(alice),
        lambda: talk.recall(house, alice, count=1),
    ):
        with pytest.raises(NotInARoom):
            refused()
    assert talk.people_in(house, alice) == People("no room", (), 0)
    assert (alice.person.away, alice.person.asking) == ("out", 0)


def test_a_topic_is_set_changed_and_taken_away_but_not_to_what_it_is() -> None:
    house, alice, bob, _ = trio()
    talk.set_topic(alice, "tea")
    with pytest.raises(NothingToDo):
        talk.set_topic(bob, "tea")
    talk.set_topic(bob, "cake")
    assert alice.news() == [
        stored(1, TopicSet("alice", "tea")),
        stored(2, TopicSet("bob", "cake")),
    ]
    assert house.lobby.topic == TopicSet("bob", "cake")
    talk.set_topic(bob, "")
    with pytest.raises(NothingToDo, match="There is no topic"):
        talk.set_topic(alice, "")


def test_notes_have_an_end() -> None:
    _, alice, bob, _ = trio()
    longest = "x" * LONGEST_NOTE
    talk.go_away(alice, longest)
    talk.set_topic(alice, longest)
    bob.news()
    for refused in (
        lambda: talk.go_away(alice, longest + "x"),
        lambda: talk.set_topic(alice, longest + "x"),
    ):
        with pytest.raises(TooLong, match="300 characters is the most"):
            refused()
    assert (bob.news(), alice.person.away) == ([], longest)


def test_going_away_waits_for_no_log_that_is_too_slow() -> None:
    late = LateHistory()
    house = house_of(late, waiting_limit=1)
    alice = Somebody(house)
    house.admit(alice, None)
    late.answer()
    talk.say(alice, "waits")
    with pytest.raises(RoomBusy):
        talk.go_away(alice, "out")
    assert alice.person.away is None
    alice.person.away = "out"
    with pytest.raises(RoomBusy):
        talk.come_back(alice)
    assert alice.person.away == "out"


# To one person.


def test_a_private_line_reaches_one_person_in_whatever_room() -> None:
    house, alice, bob, carol = trio()
    house.move(bob, "den")
    for person in (alice, bob, carol):
        person.news()
    talk.tell(house, alice, "BOB", "psst\nand more ")
    assert alice.news() == [YouTold("bob", "psst\nand more")]
    assert bob.news() == [Told("alice", "psst\nand more")]
    assert carol.news() == []


def test_a_private_line_to_nobody_to_oneself_or_to_whoever_does_not_read_is_refused() -> None:
    house, alice, bob, _ = trio()
    with pytest.raises(NobodyCalled):
        talk.tell(house, alice, "nobody", "psst")
    with pytest.raises(NotToYourself):
        talk.tell(house, alice, "Alice", "psst")
    bob.congested = True
    with pytest.raises(NotReading, match="bob does not keep up"):
        talk.tell(house, alice, "bob", "psst")
    assert (alice.news(), bob.news(), bob.person.correspondent) == ([], [], None)


def test_who_writes_to_somebody_away_is_told_so() -> None:
    house, alice, bob, _ = trio()
    talk.go_away(bob, "asleep")
    alice.news(), bob.news()
    talk.tell(house, alice, "bob", "psst")
    assert alice.news() == [YouTold("bob", "psst"), WentAway("bob", "asleep")]
    assert bob.news() == [Told("alice", "psst")]


def test_who_is_ignored_is_not_told_so_and_is_not_answered() -> None:
    house, alice, bob, carol = trio()
    talk.tell(house, carol, "alice", "hello")
    talk.ignore(house, alice, "bob")
    alice.news()
    talk.tell(house, bob, "alice", "let me in")
    assert bob.news() == [YouTold("alice", "let me in")]
    assert (alice.news(), alice.person.correspondent) == ([], carol)


def test_one_answers_who_wrote_last_whatever_they_are_called_now() -> None:
    house, alice, bob, carol = trio()
    with pytest.raises(NobodyCalled, match="Nobody has written"):
        talk.reply(house, bob, "hm")
    talk.tell(house, carol, "bob", "one")
    talk.tell(house, alice, "bob", "two")
    house.rename(alice, "al")
    alice.news(), carol.news()
    talk.reply(house, bob, "yes?")
    assert (alice.news(), carol.news()) == ([Told("bob", "yes?")], [])


def test_who_left_is_not_answered_and_neither_is_who_has_their_name_now() -> None:
    house, alice, bob, carol = trio()
    talk.tell(house, alice, "bob", "bye")
    house.leave(alice)
    house.rename(carol, "alice")
    carol.news()
    with pytest.raises(NobodyCalled, match="alice, who wrote to you last, has left"):
        talk.reply(house, bob, "wait")
    assert carol.news() == []


# Who is where.


def test_who_is_in_a_room_is_listed_with_what_they_said_on_going_away() -> None:
    house, alice, bob, carol = trio()
    house.move(carol, "den")
    talk.go_away(bob, "")
    assert talk.people_in(house, alice) == People("lobby", (("alice", None), ("bob", "")), 0)


def test_a_crowd_is_counted() -> None:
    house, alice, *_ = trio()
    for _ in range(LISTED):
        house.admit(Somebody(house), None)
    people = talk.people_in(house, alice)
    assert (len(people.people), people.unlisted) == (LISTED, 3)


def test_the_fullest_rooms_come_first() -> None:
    house, alice, bob, carol = trio()
    house.move(alice, "attic")
    house.move(bob, "Den")
    house.move(carol, "den")
    assert talk.open_rooms(house) == Rooms((("Den", 2), ("attic", 1), ("lobby", 0)), 0)


def test_many_rooms_are_counted() -> None:
    house = house_of()
    for n in range(LISTED + 2):
        house.admit(Somebody(house), None, room=f"room{n}")
    rooms = talk.open_rooms(house)
    assert (len(rooms.rooms), rooms.unlisted) == (LISTED, 3)


def test_whois_tells_what_is_known_and_no_hidden_address() -> None:
    now = [NOW]
    house = House(LateHistory().kept, lambda: now[0])
    guest, named = Somebody(house), Somebody(house)
    house.admit(guest, "192.0.2.1", host="192.0.2.1")
    house.admit(named, None, host="192.0.2.2")
    house.rename(named, "Bob")
    assert talk.whois(house, "192.0.2.1") == "192.0.2.1: in lobby, came just now."
    now[0] += 150
    talk.go_away(named, "asleep")
    assert talk.whois(house, "bob") == "Bob: in lobby, here for 2 min, away: asleep."
    house.rename(guest, "ann")
    talk.go_away(guest, "")
    guest.room = None
    assert talk.whois(house, "ann") == (
        "ann: between two rooms, from 192.0.2.1, here for 2 min, away."
    )
    with pytest.raises(NobodyCalled):
        talk.whois(house, "nobody")


def test_ignoring_needs_somebody_else_who_is_here() -> None:
    house, alice, *_ = trio()
    assert talk.ignore(house, alice, "BOB") == "bob"
    with pytest.raises(NotToYourself):
        talk.ignore(house, alice, "ALICE")
    with pytest.raises(NobodyCalled):
        talk.ignore(house, alice, "nobody")


# Looking back.


def test_what_was_said_is_found_by_place_and_by_words() -> None:
    house, alice, bob, _ = trio()
    lines: list[Stored] = []
    for text in ("a fish", "b", "c fish"):
        talk.emote(alice, text)
        lines.append(stored(len(lines) + 1, Emoted("alice", text)))
    bob.news()
    talk.recall(house, bob, count=2)
    talk.recall(house, bob, count=2, before=3, mark=7)
    talk.recall(house, bob, count=1, after=1, mark="x")
    talk.recall(house, bob, count=9, words="FISH")
    assert bob.news() == [
        Recalled("lobby", tuple(lines[1:]), True),
        Recalled("lobby", tuple(lines[:2]), False, None, 7),
        Recalled("lobby", (lines[1],), True, None, "x", 1),
        Recalled("lobby", (lines[0], lines[2]), False, "FISH"),
    ]
    assert alice.person.asking == bob.person.asking == 0


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-5, 1), (10**9, MOST_RECALLED)])
def test_an_answer_has_at_least_one_line_and_so_many_at_most(asked: int, given: int) -> None:
    house = House(LateHistory().kept, lambda: NOW)
    history = house.history
    for n in range(MOST_RECALLED + 1):
        history.append("lobby", Said("old", str(n)), lambda line: None, lambda reason: None)
    alice = present(house, "alice")
    talk.recall(house, alice, count=asked)
    (answer,) = alice.news()
    assert isinstance(answer, Recalled)
    kept = 100  # of each room, in memory
    assert len(answer.lines) == min(given, kept)


def late_alice() -> tuple[House, LateHistory, Somebody]:
    late = LateHistory()
    house = house_of(late)
    alice = Somebody(house)
    house.admit(alice, None)
    late.answer()
    alice.news()
    return house, late, alice


def test_one_may_wait_for_so_many_answers_and_no_more() -> None:
    house, late, alice = late_alice()
    for _ in range(ASKING):
        talk.recall(house, alice, count=1)
    with pytest.raises(Impatient, match="wait a moment"):
        talk.recall(house, alice, count=1)
    assert len(late.reading) == ASKING
    late.answer_read(2)
    talk.recall(house, alice, count=1, words="x")
    with pytest.raises(Impatient):
        talk.recall(house, alice, count=1)
    late.answer_all()
    assert len(alice.news()) == ASKING + 1
    assert alice.person.asking == 0


def test_a_log_that_cannot_be_read_says_so_and_may_be_asked_again() -> None:
    house, late, alice = late_alice()
    late.broken = True
    talk.recall(house, alice, count=1, mark=5)
    late.answer_read()
    (refused,) = alice.news()
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.mark) == ("The disk is full.", 5)
    assert alice.person.asking == 0


@pytest.mark.parametrize("broken", [False, True])
def test_who_left_is_not_answered(broken: bool) -> None:
    house, late, alice = late_alice()
    talk.recall(house, alice, count=1)
    house.leave(alice)
    late.broken = broken
    late.answer_all()
    assert (alice.has_departed, alice.news()) == (True, [])
