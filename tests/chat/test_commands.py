from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.chat.commands import BY_NAME, COMMANDS, Incomplete, UnknownCommand, obey
from proto.chat.events import (
    CameBack,
    Emoted,
    Entered,
    Notice,
    People,
    Recalled,
    Refused,
    Renamed,
    Rooms,
    Said,
    Told,
    TopicSet,
    WentAway,
    YouTold,
)
from proto.chat.house import AlreadyThere
from proto.chat.ignoring import NotIgnored
from proto.chat.names import NameEmpty, NameInvalid
from proto.chat.talk import NobodyCalled, NothingSeen, NothingToDo, NotToYourself, TooLong
from proto.chat.text import clean
from proto.errors import PeerError
from tests.chat.doubles import Somebody, house_of, present, stored


def pair() -> tuple[Somebody, Somebody]:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    return alice, bob


def notice(person: Somebody, line: str) -> str:
    """The one notice that a command is answered with."""
    person.news()
    obey(person, line)
    (event,) = person.news()
    assert isinstance(event, Notice)
    return event.text


@pytest.mark.parametrize(
    ("line", "text"),
    [("hello", "hello"), (" two  spaces ", " two  spaces"), ("//NAME", "/NAME"), ("a /b", "a /b")],
)
def test_a_line_is_said_to_the_room_and_two_slashes_are_one(line: str, text: str) -> None:
    alice, bob = pair()
    obey(alice, line)
    assert alice.news() == bob.news() == [stored(1, Said("alice", text))]


@pytest.mark.parametrize("line", ["", "   "])
def test_a_line_of_which_nothing_is_seen_is_refused(line: str) -> None:
    alice, bob = pair()
    with pytest.raises(NothingSeen):
        obey(alice, line)
    assert alice.news() == bob.news() == []


@pytest.mark.parametrize(("word", "ends"), [("foo", False), ("nickname", False), ("exi", True)])
def test_the_nearest_command_ends_the_session_only_if_it_is_very_like(
    word: str, ends: bool
) -> None:
    alice, _ = pair()
    with pytest.raises(UnknownCommand) as refused:
        obey(alice, f"/{word}")
    assert any(f"/{name}." in str(refused.value) for name in ("EXIT", "QUIT")) is ends


@pytest.mark.parametrize("line", ["/NAME carol", "/name carol", "/Name   carol  "])
def test_commands_are_known_in_any_case(line: str) -> None:
    alice, _ = pair()
    obey(alice, line)
    assert alice.news() == [Renamed("alice", "carol")]


@pytest.mark.parametrize(("line", "refusal"), [("/NAME", NameEmpty), ("/NAME a b", NameInvalid)])
def test_a_name_that_cannot_be_is_refused(line: str, refusal: type[PeerError]) -> None:
    alice, _ = pair()
    with pytest.raises(refusal):
        obey(alice, line)


@pytest.mark.parametrize("line", ["/EXIT", "/quit", "/exit now"])
def test_exit_and_quit_let_one_go(line: str) -> None:
    alice, _ = pair()
    obey(alice, line)
    assert alice.wants_to_go


def test_help_prints_the_table() -> None:
    alice, bob = pair()
    rows = notice(alice, "/HELP").split("\n")
    assert len(rows) == len(COMMANDS) + 1
    for row, command in zip(rows, COMMANDS, strict=False):
        assert row.startswith(command.usage)
        assert command.help in row
        assert all(f"/{name}" in row for name in command.names)
    assert bob.news() == []


@pytest.mark.parametrize("line", ["/HELP exit", "/help /QUIT"])
def test_help_prints_one_row(line: str) -> None:
    alice, _ = pair()
    obey(alice, line)
    assert alice.news() == [Notice("/EXIT: leave the party. Also: /QUIT.")]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("/NAEM bob", "There is no /NAEM; the nearest is /NAME. /HELP lists them all."),
        ("/help joim", "There is no /joim; the nearest is /JOIN. /HELP lists them all."),
        ("/whoo bob", "There is no /whoo; the nearest is /WHO. /HELP lists them all."),
    ],
)
def test_an_unknown_command_names_the_nearest(line: str, answer: str) -> None:
    alice, _ = pair()
    with pytest.raises(UnknownCommand) as raised:
        obey(alice, line)
    assert str(raised.value) == answer


@pytest.mark.parametrize("line", ["/", "/ x", "/\u0130", "/" + "z" * 4000])
def test_even_an_absurd_command_gets_one_short_line(line: str) -> None:
    alice, _ = pair()
    with pytest.raises(UnknownCommand) as raised:
        obey(alice, line)
    assert len(str(raised.value)) < 100


def test_who_lists_the_room_and_rooms_the_rooms() -> None:
    alice, bob = pair()
    carol = present(alice.house, "carol")
    obey(bob, "/join #den")
    bob.news(), alice.news()
    obey(alice, "/who")
    obey(alice, "/rooms")
    assert alice.news() == [
        People("lobby", (("alice", None), ("carol", None)), 0),
        Rooms((("lobby", 2), ("den", 1)), 0),
    ]
    obey(bob, "/who")
    assert bob.news() == [People("den", (("bob", None),), 0)]
    carol.room = None
    obey(carol, "/who")
    assert carol.news()[-1] == People("no room", (), 0)


def test_me_and_msg() -> None:
    alice, bob = pair()
    obey(alice, "/me waves  twice")
    assert alice.news() == bob.news() == [stored(1, Emoted("alice", "waves  twice"))]
    obey(alice, "/msg BOB  psst: hey")
    assert (alice.news(), bob.news()) == (
        [YouTold("bob", "psst: hey")],
        [Told("alice", "psst: hey")],
    )


@pytest.mark.parametrize(
    ("line", "usage"),
    [
        ("/ME", "/ME text"),
        ("/MSG", "/MSG name text"),
        ("/MSG bob", "/MSG name text"),
        ("/JOIN", "/JOIN room"),
        ("/JOIN #", "/JOIN room"),
        ("/WHOIS", "/WHOIS name"),
        ("/REPLY", "/REPLY text"),
        ("/SEARCH", "/SEARCH words"),
        ("/UNIGNORE", "/UNIGNORE name"),
        ("/TIME", "/TIME on|off"),
        ("/TIME maybe", "/TIME on|off"),
        ("/COLOR", "/COLOR on|off"),
        ("/HISTORY all", "/HISTORY [lines [after]]"),
        ("/HISTORY 1 2 3", "/HISTORY [lines [after]]"),
        ("/HISTORY 1 x", "/HISTORY [lines [after]]"),
        ("/HISTORY -3", "/HISTORY [lines [after]]"),
        ("/HISTORY \u0663", "/HISTORY [lines [after]]"),
        ("/HISTORY 99999999999999999999", "/HISTORY [lines [after]]"),
        ("/RESUME abc def", "/RESUME [token [number]]"),
        ("/RESUME abc -1", "/RESUME [token [number]]"),
    ],
)
def test_a_command_that_needs_more_shows_how_it_is_typed(line: str, usage: str) -> None:
    alice, _ = pair()
    with pytest.raises(Incomplete, match=f"Like this: {re.escape(usage)}"):
        obey(alice, line)


def test_leave_goes_back_to_the_lobby_and_no_further() -> None:
    alice, bob = pair()
    obey(alice, "/JOIN den")
    alice.news()
    obey(alice, "/LEAVE")
    assert alice.news() == [Entered("lobby", "alice", ("bob",), 0, None, 0, ())]
    with pytest.raises(AlreadyThere, match="/EXIT leaves the party"):
        obey(bob, "/LEAVE")


def test_no_two_commands_share_a_name_and_every_one_explains_itself() -> None:
    assert len(BY_NAME) == sum(len(command.names) for command in COMMANDS)
    assert all(command.help.endswith(".") for command in COMMANDS)
    assert all(name == name.upper() for name in BY_NAME)


def test_every_row_of_the_table_is_explained_by_each_of_its_names() -> None:
    alice, _ = pair()
    for name, command in BY_NAME.items():
        assert notice(alice, f"/HELP {name}") == f"{command.usage}: {command.about}"


def test_the_topic_is_shown_set_and_taken_away() -> None:
    alice, bob = pair()
    assert notice(bob, "/TOPIC") == "There is no topic."
    obey(alice, "/TOPIC  tea and cake")
    assert alice.news() == bob.news()[-1:] == [stored(1, TopicSet("alice", "tea and cake"))]
    assert notice(bob, "/TOPIC") == "Topic, set by alice: tea and cake"
    with pytest.raises(NothingToDo, match="That is the topic already"):
        obey(bob, "/TOPIC tea and cake")
    obey(bob, "/TOPIC -")
    assert alice.news() == [stored(2, TopicSet("bob", ""))]
    with pytest.raises(NothingToDo, match="There is no topic"):
        obey(bob, "/TOPIC -")
    assert notice(alice, "/TOPIC") == "There is no topic."


def test_history_and_search_look_back_in_the_room_one_is_in() -> None:
    alice, bob = pair()
    for text in ("one fish", "two fish", "red fish"):
        obey(alice, text)
    alice.news()
    obey(alice, "/HISTORY 2")
    two, red = stored(2, Said("alice", "two fish")), stored(3, Said("alice", "red fish"))
    assert alice.news() == [Recalled("lobby", (two, red), True)]
    obey(alice, "/SEARCH fish TWO")
    assert alice.news() == [Recalled("lobby", (two,), False, "fish TWO")]
    obey(bob, "/JOIN den")
    bob.news()
    obey(bob, "/HISTORY")
    assert bob.news() == [Recalled("den", (), False)]


def test_away_and_back_are_told_to_the_room() -> None:
    alice, bob = pair()
    obey(alice, "/AWAY making tea")
    assert alice.news() == bob.news() == [WentAway("alice", "making tea")]
    obey(bob, "/WHO")
    assert bob.news() == [People("lobby", (("alice", "making tea"), ("bob", None)), 0)]
    obey(alice, "/BACK")
    assert alice.news() == bob.news() == [CameBack("alice")]
    with pytest.raises(NothingToDo):
        obey(alice, "/BACK")


def test_whois_tells_where_somebody_is() -> None:
    alice, bob = pair()
    obey(bob, "/JOIN den")
    assert notice(alice, "/WHOIS BOB") == "bob: in den, came just now."
    with pytest.raises(NobodyCalled):
        obey(alice, "/WHOIS zed")


def test_reply_answers_whoever_wrote_last() -> None:
    alice, bob = pair()
    with pytest.raises(NobodyCalled, match="Nobody has written to you alone"):
        obey(bob, "/REPLY hm")
    obey(alice, "/MSG bob hey")
    alice.news()
    obey(bob, "/REPLY yes?")
    assert alice.news() == [Told("bob", "yes?")]


def test_whom_one_ignores_is_listed_and_read_again() -> None:
    alice, bob = pair()
    assert notice(alice, "/IGNORE") == "You ignore nobody."
    assert notice(alice, "/IGNORE BOB") == (
        "You do not read bob any more, whatever they are called."
    )
    assert notice(alice, "/IGNORE") == "You ignore bob."
    obey(bob, "hello?")
    assert (alice.news(), len(bob.news())) == ([], 1)
    assert notice(alice, "/UNIGNORE Bob") == "You read bob again."
    obey(bob, "hello!")
    assert alice.news() == [stored(2, Said("bob", "hello!"))]
    with pytest.raises(NotIgnored):
        obey(alice, "/UNIGNORE bob")
    with pytest.raises(NotToYourself):
        obey(alice, "/IGNORE alice")


def test_times_and_colours_are_switched_in_any_case() -> None:
    alice, _ = pair()
    assert notice(alice, "/TIME On") == "Times are on."
    assert notice(alice, "/COLOR OFF") == "Colours are off."
    assert alice.reads == {"times": True, "colors": False}


def test_paste_says_how_it_ends() -> None:
    alice, _ = pair()
    assert notice(alice, "/PASTE") == "Now the lines; end with a dot alone on its line."
    assert alice.pastes == 1


def test_resume_shows_ones_token_always_the_same_and_it_brings_one_back() -> None:
    alice, bob = pair()
    told = notice(alice, "/RESUME")
    assert notice(alice, "/RESUME") == told
    start = "When your connection breaks, come back with: "
    assert told.startswith(start)
    line = told.removeprefix(start)
    with pytest.raises(AlreadyThere, match="your token already"):
        obey(alice, line)
    obey(alice, "/JOIN den")
    alice.house.leave(alice)
    obey(bob, f"{line} #0")
    assert (bob.name, bob.room and bob.room.name) == ("alice", "den")


def test_a_token_that_is_unknown_is_refused() -> None:
    alice, _ = pair()
    obey(alice, "/RESUME nonsense")
    assert alice.news() == [
        Refused("There is nothing to go on with: that token is unknown or too old.")
    ]
    assert alice.name == "alice"


@pytest.mark.parametrize("line", ["/TOPIC ", "/AWAY "])
def test_a_note_has_an_end(line: str) -> None:
    alice, bob = pair()
    with pytest.raises(TooLong, match="300 characters"):
        obey(alice, line + "x" * 301)
    assert (bob.news(), alice.person.away) == ([], None)


@settings(deadline=None)
@given(
    st.text(max_size=40),
    st.sampled_from(["", "/", *(f"/{command.names[0]} " for command in COMMANDS)]),
)
def test_no_line_raises_anything_but_a_refusal_of_one_line(line: str, start: str) -> None:
    alice, _ = pair()
    refusal = ""
    try:
        obey(alice, start + clean(line))
    except PeerError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) <= 1


def test_a_topic_cannot_say_that_somebody_else_has_set_it() -> None:
    alice, bob = pair()
    obey(bob, "/TOPIC free beer  (set by alice)")
    assert notice(alice, "/TOPIC") == "Topic, set by bob: free beer  (set by alice)"


@pytest.mark.parametrize(
    "line", [" /RESUME secret", "   /msg nobody secret", "\u3000/RESUME secret"]
)
def test_a_command_after_spaces_is_not_said_to_everyone(line: str) -> None:
    alice, bob = pair()
    with contextlib.suppress(PeerError):
        obey(alice, line)
    assert bob.heard() == []


def test_what_is_no_command_is_said_with_the_spaces_before_it() -> None:
    alice, bob = pair()
    obey(alice, "  /usr/bin/env")
    assert bob.heard() == ["  /usr/bin/env"]
