from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.chat.house import House, Return
from proto.chat.ignoring import (
    LONGEST_LIST,
    RESTING_LISTS,
    Ignoring,
    NotIgnored,
    TooManyIgnored,
)
from proto.chat.person import Person
from proto.chat.talk import ignore, say
from proto.errors import PeerError
from tests.chat.doubles import Somebody, house_of, present

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.9"


def refuse(reason: PeerError) -> None:
    raise AssertionError(reason)


def come(house: House, name: str, host: str | None) -> Somebody:
    return present(house, name, host)


def come_back(house: House, token: str, host: str | None = None) -> Somebody:
    found: list[Return] = []
    house.come_back(token, None, found.append, refuse)
    person = Somebody(house)
    house.admit(person, None, host=host, back=found[0])
    return person


def reads(house: House, reader: Somebody, speaker: Somebody) -> bool:
    """Whether the one reads what the other says."""
    reader.news()
    say(speaker, "hello")
    return reader.heard() == ["hello"]


def nothing_is_kept(house: House) -> bool:
    ignoring = house.ignoring
    return not ignoring._lists and not ignoring._resting


def trio() -> tuple[House, Somebody, Somebody]:
    """Alice does not read troll."""
    house = house_of()
    alice, troll = come(house, "alice", HOME), come(house, "troll", ELSEWHERE)
    ignore(house, alice, "TROLL")
    return house, alice, troll


def test_who_is_ignored_is_not_read_by_that_one_alone() -> None:
    house, alice, troll = trio()
    bob = come(house, "bob", HOME)
    assert not reads(house, alice, troll)
    assert reads(house, bob, troll)
    assert reads(house, alice, bob)
    assert house.ignoring.ignored(alice) == ["troll"]
    assert house.ignoring.ignored(bob) == []


def test_ignoring_twice_is_ignoring_once() -> None:
    house, alice, troll = trio()
    ignore(house, alice, "troll")
    assert house.ignoring.ignored(alice) == ["troll"]
    house.ignoring.unignore(alice, "troll")
    assert reads(house, alice, troll)


def test_another_name_does_not_help_and_is_the_name_to_unignore() -> None:
    house, alice, troll = trio()
    house.rename(troll, "angel")
    assert not reads(house, alice, troll)
    assert house.ignoring.ignored(alice) == ["angel"]
    with pytest.raises(NotIgnored):
        house.ignoring.unignore(alice, "troll")
    assert house.ignoring.unignore(alice, "ANGEL") == "angel"
    assert reads(house, alice, troll)


def test_whoever_takes_the_name_is_read() -> None:
    house, alice, troll = trio()
    house.rename(troll, "angel")
    assert reads(house, alice, come(house, "troll", ELSEWHERE))
    assert not reads(house, alice, troll)


def test_who_comes_back_with_name_and_address_is_known_again() -> None:
    house, alice, troll = trio()
    house.leave(troll)
    assert house.ignoring.ignored(alice) == ["troll"]
    newcomer = Somebody(house)
    house.admit(newcomer, None, host=ELSEWHERE)
    assert reads(house, alice, newcomer)
    house.rename(newcomer, "Troll")
    assert not reads(house, alice, newcomer)


@pytest.mark.parametrize("host", [HOME, None])
def test_who_takes_the_name_of_somebody_who_left_is_read(host: str | None) -> None:
    house, alice, troll = trio()
    house.leave(troll)
    assert reads(house, alice, come(house, "troll", host))


def test_who_comes_through_a_socket_without_address_is_not_known_by_the_name() -> None:
    house = house_of()
    alice, troll = come(house, "alice", None), come(house, "troll", None)
    ignore(house, alice, "troll")
    house.leave(troll)
    assert reads(house, alice, come(house, "troll", None))


def test_who_comes_back_with_a_token_is_known_from_wherever_and_whatever_the_name() -> None:
    house, alice, troll = trio()
    token = house.sessions.token_of(troll)
    house.leave(troll)
    other = come(house, "troll", HOME)
    back = come_back(house, token, host="203.0.113.5")
    assert back.name != "troll"
    assert not reads(house, alice, back)
    assert reads(house, alice, other)


def test_who_is_taken_over_is_ignored_still() -> None:
    house, alice, troll = trio()
    back = come_back(house, house.sessions.token_of(troll))
    assert not reads(house, alice, back)


def test_who_resumes_from_within_is_known_from_then_on() -> None:
    house, alice, troll = trio()
    token = house.sessions.token_of(troll)
    house.leave(troll)
    newcomer = come(house, "angel", HOME)
    assert reads(house, alice, newcomer)
    house.come_back(token, None, lambda back: house.resume(newcomer, back), refuse, by=newcomer)
    assert not reads(house, alice, newcomer)


def test_a_list_comes_back_with_its_owner_and_knows_who_came_and_renamed_meanwhile() -> None:
    house, alice, troll = trio()
    token = house.sessions.token_of(alice)
    house.leave(alice)
    house.leave(troll)
    again = come(house, "troll", ELSEWHERE)
    back = come_back(house, token)
    assert not reads(house, back, again)
    assert house.ignoring.ignored(back) == ["troll"]


def test_a_list_without_a_token_ends_with_its_owner() -> None:
    house, alice, troll = trio()
    house.leave(alice)
    assert troll.person.ignored_by == frozenset()
    assert reads(house, come(house, "alice", HOME), troll)
    assert nothing_is_kept(house)


def test_who_resumes_keeps_whom_they_ignored_since_they_came() -> None:
    house, alice, troll = trio()
    pest = come(house, "pest", ELSEWHERE)
    token = house.sessions.token_of(alice)
    house.leave(alice)
    newcomer = come(house, "newcomer", HOME)
    ignore(house, newcomer, "pest")
    house.come_back(token, None, lambda back: house.resume(newcomer, back), refuse, by=newcomer)
    assert sorted(house.ignoring.ignored(newcomer)) == ["pest", "troll"]
    assert not reads(house, newcomer, pest)
    assert not reads(house, newcomer, troll)
    house.ignoring.unignore(newcomer, "troll")
    house.leave(pest)
    house.ignoring.unignore(newcomer, "pest")
    assert reads(house, newcomer, troll)
    assert nothing_is_kept(house)


def test_who_resumes_ignores_nobody_twice() -> None:
    house, alice, troll = trio()
    token = house.sessions.token_of(alice)
    house.leave(alice)
    newcomer = come(house, "newcomer", HOME)
    ignore(house, newcomer, "troll")
    house.come_back(token, None, lambda back: house.resume(newcomer, back), refuse, by=newcomer)
    assert house.ignoring.ignored(newcomer) == ["troll"]
    house.ignoring.unignore(newcomer, "troll")
    assert reads(house, newcomer, troll)


def test_one_ignores_so_many_and_no_more() -> None:
    house = house_of()
    alice = come(house, "alice", HOME)
    for n in range(LONGEST_LIST):
        come(house, f"troll{n}", ELSEWHERE)
        ignore(house, alice, f"troll{n}")
    come(house, "last", ELSEWHERE)
    with pytest.raises(TooManyIgnored, match="/UNIGNORE some"):
        ignore(house, alice, "last")
    house.ignoring.unignore(alice, "troll0")
    ignore(house, alice, "last")
    assert len(house.ignoring.ignored(alice)) == LONGEST_LIST


def test_of_the_lists_of_those_who_left_only_so_many_rest() -> None:
    ignoring = Ignoring()
    house = house_of()
    troll = Somebody(house)
    first = Somebody(house)
    for n in range(RESTING_LISTS + 1):
        owner = first if n == 0 else Somebody(house)
        owner.person.digest = str(n).encode()
        ignoring.ignore(owner, troll)
        ignoring.forget(owner)
    assert len(ignoring._resting) == RESTING_LISTS
    ignoring.resume(first, [])
    assert ignoring.ignored(first) == []


def test_somebody_who_is_not_here_is_known_by_name_and_address() -> None:
    house, alice, troll = trio()
    house.leave(troll)
    without = house.ignoring.readers_without
    assert without("TROLL", Person(host=ELSEWHERE)) == {alice}
    assert without("troll", Person(host=HOME)) == frozenset()
    assert without("angel", Person(host=ELSEWHERE)) == frozenset()


def test_after_everybody_left_nothing_is_kept() -> None:
    house, alice, troll = trio()
    ignore(house, troll, "alice")
    house.leave(troll)
    assert (troll.person.ignored_by, alice.person.ignored_by) == (frozenset(), frozenset())
    house.leave(alice)
    assert nothing_is_kept(house)


_PEOPLE = st.integers(0, 2)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["come", "leave", "ignore", "ignore", "unignore", "rename", "token", "back", "resume"]
        ),
        _PEOPLE,
        _PEOPLE,
    ),
    max_size=50,
)


@settings(max_examples=300, deadline=None)
@given(_STEPS)
def test_whatever_people_do_the_two_sides_of_every_list_agree(
    steps: list[tuple[str, int, int]],
) -> None:
    house = house_of()
    people: dict[int, Somebody] = {}
    tokens: dict[int, str] = {}
    for count, (what, who, other) in enumerate(steps):
        if what == "come" and who not in people:
            people[who] = Somebody(house)
            house.admit(people[who], None, host=f"192.0.2.{who}")
        elif what == "back" and who not in people and other in tokens and other not in people:
            people[who] = come_back(house, tokens.pop(other), f"192.0.2.{who}")
        elif who not in people:
            continue
        elif what == "leave":
            house.leave(people.pop(who))
        elif what == "rename":
            house.rename(people[who], f"name{count}")
        elif what == "token":
            tokens[who] = house.sessions.token_of(people[who])
        elif what == "resume" and other in tokens and other not in people:
            _resume(house, people[who], tokens[other])
        elif what == "ignore" and other in people and other != who:
            house.ignoring.ignore(people[who], people[other])
        elif what == "unignore" and (names := house.ignoring.ignored(people[who])):
            house.ignoring.unignore(people[who], names[other % len(names)])
        _check(house, list(people.values()))
    for person in people.values():
        house.leave(person)
    assert not house.ignoring._lists


def _resume(house: House, member: Somebody, token: str) -> None:
    if house.sessions.holder(token) is None:
        house.come_back(
            token, None, lambda back: house.resume(member, back), lambda reason: None, by=member
        )


def _check(house: House, people: list[Somebody]) -> None:
    """Who is on the list of somebody here is not read by them, and nobody else is not."""
    for member in people:
        entries = house.ignoring._lists.get(member, [])
        targets = [entry.target for entry in entries if entry.target is not None]
        assert {p for p in people if member in p.person.ignored_by} == set(targets)
        assert member not in targets
    assert set(house.ignoring._lists) <= set(people)


def test_somebody_who_has_lines_said_without_being_here_can_be_ignored() -> None:
    house = house_of()
    alice = present(house, "alice")
    person = Person(host="192.0.2.9", digest=b"spam")
    with pytest.raises(PeerError, match="Nobody here is called that"):
        ignore(house, alice, "spam")
    house.posted("Spam", person)
    for _ in range(2):
        assert ignore(house, alice, "spam") == "Spam"
    assert house.ignoring.ignored(alice) == ["Spam"]
    assert house.ignoring.readers_without("Spam", person) == {alice}
    other = Person(host="192.0.2.10", digest=b"somebody else")
    assert house.ignoring.readers_without("Spam", other) == frozenset()
    assert house.ignoring.unignore(alice, "SPAM") == "Spam"
    assert house.ignoring.readers_without("Spam", person) == frozenset()
