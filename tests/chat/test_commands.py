from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.chat.commands import (
    BY_NAME,
    COMMANDS,
    Incomplete,
    NothingSeen,
    UnknownCommand,
    obey,
)
from proto.chat.events import Emoted, Entered, Notice, Renamed, Said, Told, YouTold
from proto.chat.history import MemoryHistory
from proto.chat.house import AlreadyThere, House
from proto.chat.names import NameEmpty, NameInvalid
from proto.chat.text import clean
from proto.errors import PeerError
from tests.chat.doubles import Somebody, present


def pair() -> tuple[Somebody, Somebody]:
    house = House(MemoryHistory())
    alice, bob = present(house, "alice"), present(house, "bob")
    alice.news(), bob.news()
    return alice, bob


@pytest.mark.parametrize(
    ("line", "text"),
    [("hello", "hello"), (" two  spaces ", " two  spaces"), ("//NAME", "/NAME"), ("a /b", "a /b")],
)
def test_a_line_is_said_to_the_room_and_two_slashes_are_one(line: str, text: str) -> None:
    alice, bob = pair()
    obey(alice, line)
    assert alice.news() == bob.news() == [Said("alice", text)]


@pytest.mark.parametrize("line", ["", "   "])
def test_a_line_of_which_nothing_is_seen_is_refused(line: str) -> None:
    alice, bob = pair()
    with pytest.raises(NothingSeen):
        obey(alice, line)
    assert alice.news() == bob.news() == []


@pytest.mark.parametrize(("word", "ends"), [("foo", False), ("nick", False), ("exi", True)])
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
    obey(alice, "/HELP")
    (notice,) = alice.news()
    assert isinstance(notice, Notice)
    rows = notice.text.split("\n")
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
        ("/whois bob", "There is no /whois; the nearest is /WHO. /HELP lists them all."),
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
    bob.news()
    alice.news()
    obey(alice, "/who")
    obey(alice, "/rooms")
    assert alice.news() == [
        Notice("In lobby: alice, carol."),
        Notice("Rooms: lobby (2), den (1)."),
    ]
    obey(bob, "/who")
    assert bob.news() == [Notice("In den: bob.")]
    carol.room = None
    obey(carol, "/who")
    assert carol.news()[-1] == Notice("In no room: .")


def test_me_and_msg() -> None:
    alice, bob = pair()
    obey(alice, "/me waves  twice")
    assert alice.news() == bob.news() == [Emoted("alice", "waves  twice")]
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
    ],
)
def test_a_command_that_needs_more_shows_how_it_is_typed(line: str, usage: str) -> None:
    alice, _ = pair()
    with pytest.raises(Incomplete, match=f"Like this: {usage}"):
        obey(alice, line)


def test_leave_goes_back_to_the_lobby_and_no_further() -> None:
    alice, bob = pair()
    obey(alice, "/JOIN den")
    alice.news()
    obey(alice, "/LEAVE")
    assert alice.news() == [Entered("lobby", "alice", ("bob",), 0, ())]
    with pytest.raises(AlreadyThere, match="/EXIT leaves the party"):
        obey(bob, "/LEAVE")


def test_no_two_commands_share_a_name_and_every_one_explains_itself() -> None:
    assert len(BY_NAME) == sum(len(command.names) for command in COMMANDS)
    assert all(command.help.endswith(".") for command in COMMANDS)
    assert all(name == name.upper() for name in BY_NAME)


@given(st.text(max_size=40), st.sampled_from(["", "/", "/NAME ", "/JOIN ", "/MSG ", "/HELP "]))
def test_no_line_raises_anything_but_a_refusal_of_one_line(line: str, start: str) -> None:
    alice, _ = pair()
    refusal = ""
    try:
        obey(alice, start + clean(line))
    except PeerError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) <= 1
