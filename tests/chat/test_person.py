from __future__ import annotations

import pytest

from proto.chat.audience import SharedForm
from proto.chat.person import Person
from tests.chat.doubles import Somebody, house_of, present
from tests.chat.party import Party


def test_two_people_are_never_the_same_however_alike() -> None:
    assert Person("192.0.2.1", "192.0.2.1") != Person("192.0.2.1", "192.0.2.1")
    assert len({Person(), Person()}) == 2


def test_a_person_holds_only_what_is_written_down_here() -> None:
    with pytest.raises(AttributeError):
        Person().nickname = "bob"  # type: ignore[attr-defined]


def test_who_comes_is_somebody_new_and_shares_nothing_with_who_was_before() -> None:
    house = house_of()
    first = Somebody(house)
    house.admit(first, None)
    before = first.person
    before.away = "out"
    house.leave(first)
    first.has_departed = False
    house.admit(first, None)
    assert first.person is not before
    assert (first.person.away, first.person.asking, first.person.token) == (None, 0, None)


def test_what_is_theirs_stays_when_they_change_name_and_room() -> None:
    house = house_of()
    alice = present(house, "alice")
    person = alice.person
    token = house.sessions.token_of(alice)
    house.rename(alice, "ann")
    house.move(alice, "den")
    assert alice.person is person
    assert house.sessions.token_of(alice) == token


def test_those_who_are_not_let_in_yet_share_a_person_whom_nothing_changes() -> None:
    party = Party(greet_after=1)
    first, second = party.connect(), party.connect()
    first.send(b"hello\n")
    assert first.chat.person is not second.chat.person
    assert second.chat.person.since == 0.0
    assert second.chat.person.ignored_by == frozenset()


def test_forms_are_the_same_only_for_those_who_are_sent_the_same_bytes() -> None:
    party = Party()
    first, second = party.connect("192.0.2.1"), party.connect("192.0.2.2")
    assert first.chat.form == second.chat.form
    second.send(b"/TIME on\n")
    assert first.chat.form != second.chat.form
    assert isinstance(first.chat.form, SharedForm)
