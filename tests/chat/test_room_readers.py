"""Those in a room who only listen, who come back, or who read in their own way."""

from __future__ import annotations

from proto.chat.events import Entered, Joined, Left, Said
from proto.chat.history import MemoryHistory
from proto.chat.house import House
from proto.chat.room import MISSED, Room
from proto.chat.talk import emote, ignore, say, set_topic
from tests.chat.doubles import NOW, LateHistory, OneByOne, Somebody, house_of, present, stored


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


# Those who only listen.


def test_a_quiet_listener_hears_everything_and_nobody_hears_of_them() -> None:
    house = house_of()
    alice, ear = present(house, "alice"), Somebody(house)
    house.lobby.enter(ear, lambda: None, quietly=True)
    say(alice, "hello")
    hello = stored(1, Said("alice", "hello"))
    assert alice.news() == [hello]
    assert ear.news() == [Entered("lobby", "", ("alice",), 0, None, 0, ()), hello]
    house.lobby.exit(ear, None, ear.departed)
    say(alice, "more")
    assert (ear.has_departed, ear.saw, len(house.lobby.people)) == (True, [], 1)
    assert alice.heard() == ["more"]


def test_a_room_stays_as_long_as_somebody_listens() -> None:
    gone: list[Room] = []
    room = Room(
        "Den",
        "den",
        MemoryHistory(lambda: NOW),
        gone.append,
        waiting_limit=9,
        last_lines=9,
    )
    ear, alice = Somebody(house_of()), Somebody(house_of())
    room.enter(ear, lambda: None, quietly=True)
    room.enter(alice, lambda: None)
    room.exit(alice, Left("alice"), alice.departed)
    assert (gone, ear.news()[1:]) == ([], [Joined(""), Left("alice")])
    room.exit(ear, None, ear.departed)
    assert gone == [room]


# Those who come back.


def test_who_comes_back_reads_what_they_missed_and_not_the_last_lines() -> None:
    house = house_of(last_lines=2)
    alice, bob = present(house, "alice"), Somebody(house)
    for text in "abcde":
        say(alice, text)
    house.lobby.enter(bob, lambda: None, after=1)
    (entered,) = bob.news()
    assert isinstance(entered, Entered)
    assert [line.event.text for line in entered.lines] == ["b", "c", "d", "e"]
    assert (entered.resumed, entered.more, entered.newest) == (True, False, 5)


def test_who_missed_nothing_reads_nothing() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), Somebody(house)
    say(alice, "a")
    house.lobby.enter(bob, lambda: None, after=1)
    assert bob.news() == [Entered("lobby", "", ("alice",), 0, None, 1, (), resumed=True)]


def test_who_missed_too_much_reads_the_first_of_it_and_that_there_is_more() -> None:
    house = house_of(MemoryHistory(lambda: NOW, kept=1000))
    alice, bob = present(house, "alice"), Somebody(house)
    for n in range(MISSED + 2):
        say(alice, str(n))
    house.lobby.enter(bob, lambda: None, after=1)
    (entered,) = bob.news()
    assert isinstance(entered, Entered)
    assert [line.sequence for line in entered.lines] == list(range(2, MISSED + 2))
    assert (entered.more, entered.newest) == (True, MISSED + 2)


def test_who_comes_back_to_a_log_that_began_anew_reads_the_last_lines() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), Somebody(house)
    say(alice, "a")
    house.lobby.enter(bob, lambda: None, after=17)
    lines = (stored(1, Said("alice", "a")),)
    assert bob.news() == [Entered("lobby", "", ("alice",), 0, None, 1, lines)]


def test_what_is_stored_while_the_missed_lines_are_read_comes_live_and_once() -> None:
    house, late, alice, _ = late_pair()
    bob = Somebody(house)
    for text in "abc":
        say(alice, text)
    late.answer()
    house.lobby.enter(bob, lambda: None, after=1)
    late.answer()
    say(alice, "d")
    late.answer()  # d is stored before the missed lines are read
    assert bob.saw == []
    late.answer_read()
    entered, live = bob.news()
    assert isinstance(entered, Entered)
    assert [line.event.text for line in entered.lines] == ["b", "c"]
    assert (entered.more, live) == (False, stored(4, Said("guest-1", "d")))


def test_who_comes_back_while_the_log_cannot_be_read_is_told_that_there_is_more() -> None:
    house, late, alice, _ = late_pair()
    bob = Somebody(house)
    say(alice, "a")
    late.answer()
    house.lobby.enter(bob, lambda: None, after=0)
    late.answer()
    late.broken = True
    late.answer_read()
    (entered,) = bob.news()
    assert isinstance(entered, Entered)
    assert (entered.lines, entered.resumed, entered.more) == ((), True, True)


# Who reads what, and how.


def test_who_ignores_a_sender_reads_nothing_of_them_and_the_others_do() -> None:
    house = house_of()
    alice, bob, carol = (present(house, name) for name in ("alice", "bob", "carol"))
    ignore(house, alice, "bob")
    carol.news(), alice.news(), bob.news()
    say(bob, "a")
    emote(bob, "b")
    say(carol, "c")
    assert alice.heard() == ["c"]
    assert bob.heard() == carol.heard() == ["a", "b", "c"]


def test_a_topic_is_read_by_everyone_whoever_sets_it() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    ignore(house, alice, "bob")
    set_topic(bob, "tea")
    assert alice.heard()[-1:] == ["tea"]


def test_the_last_line_of_somebody_ignored_who_left_at_once_is_not_read_either() -> None:
    house, late, alice, bob = late_pair()
    ignore(house, alice, "guest-2")
    say(bob, "rude")
    house.leave(bob)
    late.answer_all()
    assert alice.news() == [Left("guest-2")]


class Fancy:
    """Another form, whose readers are told apart only by their audience."""

    def __init__(self) -> None:
        self.made: list[OneByOne] = []

    def audience(self) -> OneByOne:
        self.made.append(OneByOne())
        return self.made[-1]


def test_who_reads_another_form_goes_to_its_audience_and_misses_nothing() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    fancy = Fancy()
    alice.news(), bob.news()
    say(bob, "a")
    bob.form = fancy  # type: ignore[assignment]
    house.lobby.reform(bob)
    say(bob, "b")
    assert [len(audience) for audience in fancy.made] == [1]
    assert alice.heard() == bob.heard() == ["a", "b"]
    house.leave(bob)
    assert [len(audience) for audience in fancy.made] == [0]


def test_an_audience_that_everybody_left_is_forgotten() -> None:
    house = house_of()
    bob = Somebody(house)
    fancy = Fancy()
    bob.form = fancy  # type: ignore[assignment]
    for _ in range(3):
        house.admit(bob, None)
        house.leave(bob)
        bob.has_departed = False
    assert len(fancy.made) == 3


def test_who_is_not_in_is_not_given_another_form() -> None:
    house = house_of()
    bob = Somebody(house)
    house.lobby.reform(bob)
    say(present(house, "alice"), "a")
    assert bob.saw == []
