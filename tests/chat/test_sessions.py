from __future__ import annotations

import hashlib

import pytest

from proto.chat.history import MemoryHistory, Session
from proto.chat.sessions import LONGEST_TOKEN, NoSuchSession, digest_of, new_token
from proto.chat.talk import say
from proto.errors import PeerError
from tests.chat.doubles import AT, NOW, LateHistory, Somebody, house_of, present


def refuse(reason: PeerError) -> None:
    raise AssertionError(reason)


def kept(history: MemoryHistory, token: str) -> Session | None:
    answers: list[Session | None] = []
    history.find_session(digest_of(token), answers.append, refuse)
    return answers[0]


# Tokens.


def test_tokens_are_long_and_never_the_same_and_only_their_digest_is_kept() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(16 < len(token) <= LONGEST_TOKEN for token in tokens)
    token = tokens.pop()
    assert digest_of(token) == hashlib.sha256(token.encode()).digest()


def test_one_keeps_ones_token_and_it_leads_to_one() -> None:
    house = house_of()
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    assert house.sessions.token_of(alice) == token != house.sessions.token_of(bob)
    assert house.sessions.holder(token) is alice
    house.sessions.give(alice, "another")
    assert (house.sessions.holder(token), house.sessions.holder("another")) == (None, alice)
    house.leave(alice)
    assert house.sessions.holder("another") is None


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 100_000, "\ud800"])
def test_a_token_of_nobody_is_refused(token: str) -> None:
    house = house_of()
    house.sessions.token_of(present(house, "alice"))
    refused: list[PeerError] = []
    house.come_back(token, None, lambda back: refuse(PeerError("found")), refused.append)
    assert [type(reason) for reason in refused] == [NoSuchSession]


def test_a_log_that_cannot_be_read_refuses_with_its_own_words() -> None:
    late = LateHistory()
    house = house_of(late)
    late.broken = True
    refused: list[PeerError] = []
    house.come_back("x", None, lambda back: refuse(PeerError("found")), refused.append)
    late.answer()
    assert [str(reason) for reason in refused] == ["The disk is full."]


# What the history is told.


def test_where_somebody_was_is_kept_when_they_leave() -> None:
    history = MemoryHistory(lambda: NOW)
    house = house_of(history)
    alice, bob = present(house, "alice"), present(house, "bob")
    token = house.sessions.token_of(alice)
    assert kept(history, token) == Session(digest_of(token), "alice", "lobby", 0, AT)
    house.move(alice, "Den")
    assert kept(history, token) == Session(digest_of(token), "alice", "Den", 0, AT)
    house.move(bob, "den")
    say(bob, "a")
    house.leave(alice)
    assert kept(history, token) == Session(digest_of(token), "alice", "Den", 1, AT)


def test_what_is_kept_counts_the_lines_that_were_still_being_stored() -> None:
    late = LateHistory()
    house = house_of(late)
    alice = Somebody(house)
    house.admit(alice, None)
    late.answer()
    token = house.sessions.token_of(alice)
    say(alice, "a")
    house.leave(alice)
    late.answer_all()
    session = kept(late.kept, token)
    assert session is not None
    assert session.sequence == 1


def test_a_checkpoint_tells_what_changed_since_the_last_and_only_of_those_with_a_token() -> None:
    history = LateHistory()
    house = house_of(history)
    alice, bob = Somebody(house), Somebody(house)
    for person in (alice, bob):
        house.admit(person, None)
        history.answer()
    token = house.sessions.token_of(alice)
    house.sessions.checkpoint()
    assert len(history.waiting) == 1
    house.sessions.checkpoint()
    assert len(history.waiting) == 1
    history.answer()
    assert kept(history.kept, token) == Session(digest_of(token), "guest-1", "lobby", 0, AT)
    say(bob, "a")
    history.answer()
    house.sessions.checkpoint()
    history.answer()
    assert kept(history.kept, token) == Session(digest_of(token), "guest-1", "lobby", 1, AT)
    house.leave(alice)
    history.answer()
    house.sessions.checkpoint()
    assert history.waiting == []
