from __future__ import annotations

from typing import Any

import pytest

from proto.chat.events import Said
from tests.chat.browsers import Browser, Buggy, Message, Place
from tests.chat.doubles import NOW, LateHistory, present


def types(messages: list[Message]) -> list[str]:
    return [each["type"] for each in messages]


def error(browser: Browser) -> Message:
    """The refusal that they were just told, and nothing else."""
    (told,) = browser.news()
    assert told["type"] == "error"
    return told


def test_the_welcome_comes_before_the_room_whether_the_history_is_quick_or_late() -> None:
    for history in (None, LateHistory()):
        place = Place(history)
        browser = place.come(name="bob", id=5)
        if history is not None:
            history.answer_all()
        welcome, entered = browser.news()
        token = browser.member.person.token
        assert welcome == {
            "type": "welcome",
            "name": "bob",
            "token": token,
            "motd": ["Be kind."],
            "id": 5,
        }
        assert (entered["type"], entered["room"], entered["name"]) == ("entered", "lobby", "bob")
        assert "id" not in entered


def test_who_does_not_say_hello_within_ten_seconds_is_closed_with_1008() -> None:
    place = Place()
    browser = Browser(place)
    browser.member.text("{}")
    browser.say("who")
    place.clock.advance(9.9)
    assert not browser.pipe.ended
    place.clock.advance(0.2)
    assert browser.pipe.ended == [(1008, "nothing was said")]
    browser.say("hello")
    browser.leave(1008)
    assert (place.house.people, browser.gone, place.timers()) == (0, 1, [])


def test_whoever_said_hello_may_be_silent_for_as_long_as_they_like() -> None:
    place = Place()
    browser = place.come()
    assert place.timers() == []
    place.clock.advance(1000)
    assert not browser.pipe.ended


def test_anything_before_hello_is_refused_and_hello_still_works() -> None:
    browser = Browser(Place())
    browser.line("hi", id="q")
    refused = error(browser)
    assert (refused["field"], refused["id"]) == ("type", "q")
    browser.member.text("nonsense")
    assert error(browser)["field"] is None
    browser.say("hello")
    assert types(browser.news()) == ["welcome", "entered"]
    browser.say("hello", id=2)
    assert error(browser)["id"] == 2


@pytest.mark.parametrize("wish", ["ann", "admin", "two words", "", "x" * 5000])
def test_a_wish_that_is_refused_leaves_one_in_as_somebody_else(wish: str) -> None:
    place = Place()
    present(place.house, "ann")
    browser = place.come(name=wish)
    welcome, refused, entered = browser.news()
    assert refused["type"] == "error"
    assert welcome["name"] == entered["name"] == browser.member.name
    assert welcome["name"].startswith("guest-")


@pytest.mark.parametrize("room", ["two words", "#", "x" * 5000, "\ud83d\ude00"])
def test_a_room_that_cannot_be_leads_to_the_lobby(room: str) -> None:
    browser = Place().come(room=room)
    assert types(browser.news()) == ["welcome", "error", "entered"]
    assert browser.member.room is browser.member.house.lobby


def test_a_line_is_said_and_a_command_obeyed_as_on_a_terminal() -> None:
    place = Place()
    ann = present(place.house, "ann")
    bob = place.come(name="bob")
    bob.news()
    ann.news()
    bob.line("hi\n")
    bob.line("//slash")
    bob.line("/me waves")
    bob.line("/topic tea\r\n")
    assert ann.heard() == ["hi", "/slash", "waves", "tea"]
    assert bob.heard() == ["hi", "/slash", "waves", "tea"]
    bob.line("/whois ann", id=1)
    (told,) = bob.news()
    assert (told["type"], told["id"]) == ("notice", 1)
    bob.line("/jion tea", id=2)
    assert error(bob)["id"] == 2
    bob.line("/join tea")
    assert [each["room"] for each in bob.news()] == ["tea"]


@pytest.mark.parametrize("text", ["/paste", "/time on", "/color off"])
def test_commands_for_terminals_are_refused(text: str) -> None:
    bob = Place().come()
    bob.news()
    bob.line(text)
    assert error(bob)["text"].startswith(("Here a message", "Times and colours"))


def test_several_lines_are_one_message_and_never_a_command() -> None:
    place = Place()
    bob = place.come()
    bob.news()
    bob.line("/exit\n/exit\x1b[2J\n")
    (told,) = bob.news()
    assert (told["kind"], told["text"]) == ("pasted", "/exit\n/exit")
    assert not bob.pipe.ended


@pytest.mark.parametrize("text", ["", "  \n \n", "\x1b[2J", "x" * 5000, "a\n" * 9000])
def test_what_cannot_be_said_is_refused_with_its_id(text: str) -> None:
    bob = Place().come()
    bob.news()
    bob.line(text, id=1)
    assert error(bob)["id"] == 1


def test_a_private_line_reaches_one() -> None:
    place = Place()
    ann, eve = place.come(name="ann"), place.come(name="eve")
    ann.news(), eve.news()
    ann.say("tell", to="EVE", text="a\nb\x07", id=3)
    told = {"type": "youtold", "recipient": "eve", "text": "a\nb", "id": 3}
    assert ann.news() == [told]
    assert eve.news() == [{"type": "told", "sender": "ann", "text": "a\nb"}]
    eve.say("tell", to="ann", text="y", id=5)
    assert ann.news() == [{"type": "told", "sender": "eve", "text": "y"}]
    for to in ("ann", "nobody"):
        ann.say("tell", to=to, text="x", id=4)
        assert error(ann)["id"] == 4


def test_long_private_texts_cost_more_turns() -> None:
    place = Place(flood_lines=6, flood_rate=1)
    ann, eve = place.come(name="ann"), place.come(name="eve")
    text = "\n".join(["x" * 4000] * 4)
    ann.say("tell", to="eve", text=text)
    ann.say("tell", to="eve", text=text)
    ann.say("tell", to="eve", text=text)
    assert types(eve.news()).count("told") == 2


def test_history_and_search_are_answered_with_their_ids_however_late_or_refused() -> None:
    history = LateHistory()
    place = Place(history, flood_lines=50)
    bob = place.come()
    history.answer_all()
    for number in range(5):
        bob.line(f"line {number}")
    history.answer_all()
    bob.news()
    bob.say("history", before=4, count=2, id="h")
    bob.say("search", words="LINE 3", id=9)
    bob.say("history", after=2, count=1)
    history.answer_all()
    late, found, newer = bob.news()
    assert ([each["sequence"] for each in late["lines"]], late["more"], late["id"]) == (
        [2, 3],
        True,
        "h",
    )
    assert ([each["sequence"] for each in found["lines"]], found["words"], found["id"]) == (
        [4],
        "LINE 3",
        9,
    )
    assert ([each["sequence"] for each in newer["lines"]], newer["id"]) == ([3], None)
    history.broken = True
    bob.say("history", id=1)
    history.answer_all()
    assert error(bob)["id"] == 1
    for mark in range(5):
        bob.say("search", words="x", id=mark)
    assert error(bob)["id"] == 4


def test_people_and_rooms_are_listed() -> None:
    place = Place()
    ann = present(place.house, "ann")
    ann.person.away = "tea"
    bob = place.come(name="bob")
    bob.news()
    bob.say("who", id=1)
    bob.say("rooms", id=2)
    people, rooms = bob.news()
    assert people["people"] == [{"name": "ann", "away": "tea"}, {"name": "bob", "away": None}]
    assert rooms["rooms"] == [{"name": "lobby", "people": 2}]
    assert (people["id"], rooms["id"]) == (1, 2)


def test_lines_that_come_too_fast_are_delayed_and_never_lost() -> None:
    place = Place(flood_lines=3, flood_rate=2)
    bob = place.come()
    lines = [f"line {number}" for number in range(9)]
    for line in lines:
        bob.line(line)
    assert bob.heard() == lines[:2]  # the hello was the first
    place.clock.advance(0.5)
    assert bob.heard() == lines[2:3]
    place.clock.pump([0.5] * 6)
    assert bob.heard() == lines[3:]
    assert place.timers() == []


def test_above_the_backlog_reading_pauses_and_goes_on() -> None:
    place = Place(flood_lines=1, flood_rate=1, backlog_limit=3)
    bob = place.come()
    for number in range(4):
        bob.line(f"line {number}")
    assert bob.pipe.reads is False
    bob.line("one that was read already")
    place.clock.pump([1] * 6)
    assert bob.pipe.switched == 2
    assert len(bob.heard()) == 5


def test_who_does_not_read_is_not_listened_to_until_they_do() -> None:
    place = Place(soft_mark=1000)
    ann, bob = present(place.house, "ann"), place.come(name="bob")
    bob.pipe.stuck = True
    ann.room.say(ann, Said("ann", "x" * 2000))  # type: ignore[union-attr]
    place.turn()
    assert bob.member.congested
    ann.news()
    bob.line("one")
    bob.line("two")
    assert (ann.heard(), bob.pipe.reads) == ([], False)
    bob.pipe.drain()
    bob.member.writable()
    assert (ann.heard(), bob.pipe.reads) == (["one", "two"], True)


def end_by_binary(bob: Browser) -> None:
    bob.member.binary(b"x")


def end_by_exit(bob: Browser) -> None:
    bob.line("/exit")


def end_by_a_bug(bob: Browser) -> None:
    bob.line("met by a bug")


@pytest.mark.parametrize(
    ("act", "code"), [(end_by_binary, 1003), (end_by_exit, 1000), (end_by_a_bug, 1011)]
)
def test_every_end_has_its_code_and_frees_the_name(act: Any, code: int) -> None:
    place = Place(Buggy(lambda: NOW))
    ann, bob = present(place.house, "ann"), place.come(name="bob")
    act(bob)
    place.turn()
    assert bob.pipe.ended[0][0] == code
    assert (place.house.people, place.timers()) == (1, [])
    bob.line("too late")
    bob.leave(code)
    assert (ann.heard(), bob.gone, place.house.people) == ([], 1, 1)


def test_a_session_taken_over_ends_with_4001_and_its_name_is_the_others() -> None:
    place = Place(flood_lines=2)
    old = place.come(name="bob", room="tea")
    token = old.news()[0]["token"]
    for number in range(3):
        old.line(f"line {number}")
    new = place.come(token=token)
    assert types(old.news())[-1] == "takenover"
    assert old.pipe.ended == [(4001, "")]
    assert new.member.name == "bob"
    old.leave(4001)
    place.clock.advance(10)
    assert place.house.holder("bob") is new.member
    assert (place.house.people, old.gone, new.gone, place.timers()) == (1, 1, 0, [])
    old.line("from beyond")
    assert "from beyond" not in new.heard()


def test_a_client_that_is_cut_off_for_not_reading_leaves_with_that_reason() -> None:
    place = Place()
    ann, bob = place.come(name="ann"), place.come(name="bob")
    ann.news()
    bob.leave(1006, "did not read for 30 s")
    left = {"type": "left", "name": "bob", "reason": "did not read for 30 s"}
    assert ann.news() == [left]


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1009, 1011, 3000, 4999])
def test_nobody_is_shown_the_words_with_which_a_client_closes(code: int) -> None:
    place = Place()
    ann, bob = place.come(name="ann"), place.come(name="bob")
    ann.news()
    bob.leave(code, "x\r\nann says I am a fool\x1b[2J")
    assert ann.news() == [{"type": "left", "name": "bob", "reason": ""}]


def test_lines_sent_just_before_the_close_are_still_said() -> None:
    place = Place(flood_lines=5)
    ann, bob = present(place.house, "ann"), Browser(place)
    ann.news()
    bob.say("hello")
    for number in range(9):
        bob.line(str(number))
    bob.leave(1000)
    assert (ann.heard(), place.house.people, place.timers()) == (["0", "1", "2", "3"], 1, [])


def test_lines_of_somebody_who_is_still_on_the_way_in_are_said_when_they_are() -> None:
    history = LateHistory()
    place = Place(history)
    bob = place.come()
    bob.line("early")
    history.answer_all()
    place.turn()
    history.answer_all()
    assert bob.heard() == ["early"]
    eve = place.come(name="eve")
    eve.line("and gone")
    eve.leave(1000)
    assert eve.gone == 1
    history.answer_all()
    place.turn()
    history.answer_all()
    assert bob.heard() == ["and gone"]
    assert (place.house.people, place.timers()) == (1, [])


def test_nobody_waits_for_ever_for_a_history_that_does_not_answer() -> None:
    place = Place(LateHistory())
    bob = place.come()
    bob.line("early")
    bob.leave()
    assert place.house.people == 1
    place.clock.advance(30)
    assert (place.house.people, bob.gone, place.timers()) == (0, 1, [])
