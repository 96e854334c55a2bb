"""A client that speaks JSON loses its connection and comes back; see also test_browser.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.events import Said
from proto.chat.house import room_of
from tests.chat.browsers import Browser, Message, Place
from tests.chat.doubles import LateHistory, present


def numbers(messages: list[Message]) -> list[int]:
    """The lines in what somebody was sent, by their numbers."""
    found = []
    for each in messages:
        lines = [each] if each["type"] == "line" else each.get("lines", ())
        found += [line["sequence"] for line in lines]
    return found


def token_of(browser: Browser) -> str:
    token = browser.member.person.token
    assert token is not None
    return token


def say(speaker: Any, count: int) -> None:
    for _ in range(count):
        room_of(speaker).say(speaker, Said(speaker.name, "x"))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 10))
def test_who_comes_back_reads_exactly_what_they_missed(seen: int, missed: int, lost: int) -> None:
    place = Place()
    ann, bob = present(place.house, "ann"), place.come(name="bob", room="lobby")
    bob.news()
    say(ann, seen)
    assert numbers(bob.news()) == list(range(1, seen + 1))
    bob.leave()
    say(ann, missed)
    after = max(0, seen - lost)  # what was sent last may not have arrived
    again = place.come(token=token_of(bob), after=after, room="lobby")
    welcome, entered = again.news()
    assert (welcome["name"], welcome["token"]) == ("bob", token_of(bob))
    assert (entered["resumed"], entered["more"]) == (True, False)
    assert numbers([entered]) == list(range(after + 1, seen + missed + 1))


@given(st.lists(st.sampled_from(["say", "answer", "read", "cut", "turn"]), max_size=60))
def test_no_line_is_lost_or_doubled_however_often_the_connection_is_cut(acts: list[str]) -> None:
    history = LateHistory()
    place = Place(history)
    ann, bob = place.come().member, place.come()
    history.answer_all()
    got = numbers(bob.news())
    token = token_of(bob)
    for act in [*acts, "cut"]:
        if act == "say":
            say(ann, 1)
        elif act == "answer":
            history.answer(1)
        elif act == "read":
            history.answer_read()
        elif act == "turn":
            place.turn()
        else:
            bob.leave()
            got += numbers(bob.pipe.sent)  # what has come before the cut
            bob = place.come(token=token, after=got[-1] if got else 0, room="lobby")
    history.answer_all()
    place.turn()
    history.answer_all()
    got += numbers(bob.news())
    assert got == list(range(1, acts.count("say") + 1))


def test_more_than_is_shown_at_once_is_said_to_be_there() -> None:
    place = Place()
    ann, bob = present(place.house, "ann"), place.come()
    bob.leave()
    for _ in range(90):
        room_of(ann).say(ann, Said("ann", "x" * 4000))
    again = place.come(token=token_of(bob), after=0)
    entered = again.news()[1]
    assert (entered["resumed"], entered["more"], numbers([entered])[0]) == (True, True, 1)


def test_a_number_from_another_room_does_not_count() -> None:
    place = Place()
    ann, bob = present(place.house, "ann"), place.come(room="tea")
    place.house.move(ann, "tea")
    say(ann, 5)
    bob.news()
    bob.leave()
    say(ann, 2)
    again = place.come(token=token_of(bob), after=99, room="lobby")
    entered = again.news()[1]
    assert (entered["room"], entered["resumed"], numbers([entered])) == ("tea", True, [6, 7])


@pytest.mark.parametrize("room", [None, "tea", "TEA"])
def test_a_number_without_a_room_or_with_the_right_one_counts(room: str | None) -> None:
    place = Place()
    ann, bob = present(place.house, "ann"), place.come(room="tea")
    place.house.move(ann, "tea")
    say(ann, 5)
    bob.news()
    bob.leave()
    again = place.come(token=token_of(bob), after=3, room=room)
    assert numbers(again.news()) == [4, 5]


def test_a_number_beyond_the_last_line_shows_the_last_ones() -> None:
    place = Place()
    ann, bob = present(place.house, "ann"), place.come()
    say(ann, 3)
    bob.leave()
    again = place.come(token=token_of(bob), after=99)
    entered = again.news()[1]
    assert (entered["resumed"], numbers([entered])) == (False, [1, 2, 3])


def test_people_who_come_and_go_do_not_undo_what_was_read() -> None:
    place = Place()
    ann = present(place.house, "ann")
    say(ann, 5)
    bob = place.come()
    assert numbers(bob.news()) == [1, 2, 3, 4, 5]
    place.come(name="eve")
    place.turn()
    bob.leave()
    again = place.come(token=token_of(bob))
    assert numbers(again.news()) == []


def test_what_still_waited_for_them_is_sent_again() -> None:
    place = Place()
    ann, bob = present(place.house, "ann"), place.come()
    say(ann, 2)
    bob.news()
    bob.pipe.stuck = True
    say(ann, 2)
    place.turn()
    bob.leave(1006, "did not read for 30 s")
    again = place.come(token=token_of(bob))
    assert numbers(again.news()) == [3, 4]


@pytest.mark.parametrize("token", ["", "nobody's", "x" * 5000, "\u0000"])
def test_an_unknown_token_is_told_and_its_bearer_is_a_newcomer(token: str) -> None:
    bob = Place().come(token=token, name="bob", id=1)
    *refused, welcome, entered = bob.news()
    assert [(each["field"], each["id"]) for each in refused] == ([("token", 1)] if token else [])
    assert (welcome["name"], entered["name"]) == ("bob", "bob")
    assert welcome["token"] != token


def test_a_name_that_was_taken_meanwhile_stays_taken() -> None:
    place = Place()
    bob = place.come(name="bob")
    bob.leave()
    other = place.come(name="bob")
    again = place.come(token=token_of(bob))
    welcome, refused, _ = again.news()
    assert (welcome["token"], refused["type"]) == (token_of(bob), "error")
    assert place.house.holder("bob") is other.member


def lost(place: Place, browser: Browser) -> None:
    """Nothing is left of that client."""
    assert (browser.gone, place.house.people, place.timers()) == (1, 0, [])
    assert all(not room.people for room in place.house.rooms)


def test_a_client_that_goes_while_it_is_looked_up_was_never_here() -> None:
    history = LateHistory()
    place = Place(history)
    bob = place.come()
    history.answer_all()
    bob.leave()
    history.answer_all()
    again = place.come(token=token_of(bob))
    again.leave()
    history.answer_all()
    lost(place, again)
    third = place.come(token=token_of(bob))
    history.answer_all()
    assert token_of(third) == token_of(bob)


def test_a_client_that_goes_on_its_way_in_is_out_at_once() -> None:
    history = LateHistory()
    place = Place(history)
    bob = place.come(room="tea")
    bob.leave()
    lost(place, bob)
    history.answer_all()
    lost(place, bob)
    assert [room.name for room in place.house.rooms] == ["lobby"]


def test_a_client_that_goes_while_it_leaves_is_gone_once() -> None:
    history = LateHistory()
    place = Place(history)
    bob = place.come()
    history.answer_all()
    bob.line("last words")
    bob.line("/exit")
    assert not bob.pipe.ended
    bob.leave()
    history.answer_all()
    lost(place, bob)


def test_a_client_that_changes_rooms_when_it_goes_is_in_neither() -> None:
    history = LateHistory()
    place = Place(history)
    bob = place.come()
    history.answer_all()
    bob.line("/join tea")
    bob.line("said too late to wait for")
    bob.leave()
    place.clock.advance(30)
    history.answer_all()
    lost(place, bob)


# When the server hangs up.


def test_whoever_is_dismissed_hears_what_is_being_stored_and_of_what_was_not_said() -> None:
    late = LateHistory()
    place = Place(late, flood_lines=2, flood_rate=1)
    ann = place.come(name="ann")
    late.answer_all()
    ann.news()
    for text in ("stored", "too fast", "too"):
        ann.line(text)
    ann.member.dismissed()
    ann.member.dismissed()
    late.answer_all()
    news = ann.news()
    assert [each["text"] for each in news] == ["2 of your lines were not said.", "stored"]
    assert ann.pipe.ended == [(1001, "the server hangs up")]
    assert place.house.people == 0


def test_whoever_has_not_said_hello_is_dismissed_at_once() -> None:
    place = Place()
    stranger = Browser(place)
    stranger.member.dismissed()
    assert stranger.pipe.ended == [(1001, "the server hangs up")]
    assert place.timers() == []


def test_a_line_that_is_not_stored_is_refused_with_its_id() -> None:
    late = LateHistory()
    place = Place(late)
    ann = place.come(name="ann")
    late.answer_all()
    ann.news()
    ann.line("lost", id="a")
    ann.line("lost too", id=2)
    late.broken = True
    late.answer_all()
    assert [(each["type"], each["id"]) for each in ann.news()] == [("error", "a"), ("error", 2)]
