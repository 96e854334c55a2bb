"""Clients of a history that takes its time."""

from __future__ import annotations

import pytest

from proto.limits import GRACE
from tests.chat.doubles import LateHistory
from tests.chat.party import WELCOME, Party


def test_nothing_is_obeyed_before_the_room_is_entered() -> None:
    late = LateHistory()
    party = Party(late)
    client = party.connect()
    client.send(b"hello\n/JOIN den\nthere\n")
    client.half_close()
    for _ in range(4):
        assert not client.wire.disconnecting
        late.answer()
        party.clock.advance(0)
    late.answer()
    party.clock.advance(0)
    assert client.read() == (
        WELCOME
        + b"You are 192.0.2.1, in lobby. Nobody else is here.\r\n"
        + b"192.0.2.1 says hello\r\n"
        + b"You are 192.0.2.1, in den. Nobody else is here.\r\n"
        + b"192.0.2.1 says there\r\n"
    )
    assert client.hung_up


def test_whoever_is_on_the_way_to_a_room_when_the_input_ends_still_arrives() -> None:
    late = LateHistory()
    party = Party(late)
    client = party.connect()
    late.answer()
    client.send(b"/JOIN den\n")
    client.half_close()
    late.answer()
    party.clock.advance(0)
    assert client.read().endswith(b"You are 192.0.2.1, in den. Nobody else is here.\r\n")
    assert client.hung_up


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (b"/HISTORY\n", b"Nothing was said here yet.\r\n"),
        (b"/SEARCH x", b"Nothing was found.\r\n"),
        (
            b"/RESUME x\n",
            b"! There is nothing to go on with: that token is unknown or too old.\r\n",
        ),
    ],
)
def test_what_was_asked_of_the_log_is_answered_after_a_half_close(
    asked: bytes, answer: bytes
) -> None:
    late = LateHistory()
    party = Party(late)
    client = party.connect()
    late.answer()
    party.clock.advance(0)
    client.read()
    client.send(asked)
    client.half_close()
    assert not client.hung_up
    late.answer_all()
    party.clock.advance(0)
    party.clock.advance(0)
    assert (client.read(), client.hung_up) == (answer, True)
    client.close()
    assert (party.house.people, party.clock.getDelayedCalls()) == (0, [])


@pytest.mark.parametrize("room", ["lobby", "den"])
def test_who_comes_back_by_a_pipe_reads_what_they_missed(room: str) -> None:
    late = LateHistory()
    party = Party(late)
    client, bob = party.connect(), party.connect("192.0.2.2")
    token = party.house.sessions.token_of(client.chat)
    for someone in (client, bob):
        someone.send(b"/JOIN %s\n" % room.encode())
    _settle(party, late)
    client.close()
    bob.send(b"missed\n")
    _settle(party, late)
    back = party.connect("192.0.2.3")
    back.send(b"/RESUME %s" % token.encode())
    back.half_close()
    _settle(party, late)
    assert b"You missed:\r\n192.0.2.2 says missed\r\nNow:\r\n" in back.read()
    assert back.hung_up


def test_who_hangs_up_before_they_are_answered_is_forgotten_in_time() -> None:
    late = LateHistory()
    party = Party(late, stuck_after=5)
    client = party.connect()
    late.answer()
    party.clock.advance(0)
    client.send(b"/HISTORY\n")
    client.close()
    party.clock.advance(5)
    party.clock.advance(0)
    assert (party.house.people, party.clock.getDelayedCalls()) == (0, [])
    late.answer_all()
    assert party.clock.getDelayedCalls() == []


def _settle(party: Party, late: LateHistory) -> None:
    """Answer everything, and what that makes people ask."""
    for _ in range(8):
        late.answer_all()
        party.clock.advance(0)


def test_a_line_counts_even_if_its_sender_is_gone_before_the_history_answers() -> None:
    late = LateHistory()
    party = Party(late)
    witness = party.connect()
    late.answer()
    party.clock.advance(0)
    witness.read()
    client = party.connect("192.0.2.2")
    client.send(b"hello")
    client.close()
    for _ in range(3):
        late.answer()
        party.clock.advance(0)
    assert witness.read() == (
        b"192.0.2.2 has joined the party.\r\n"
        b"192.0.2.2 says hello\r\n"
        b"192.0.2.2 has disconnected.\r\n"
    )
    witness.close()
    assert party.clock.getDelayedCalls() == []


def test_who_is_gone_is_forgotten_when_the_history_never_answers() -> None:
    party = Party(LateHistory(), stuck_after=5)
    client = party.connect()
    client.send(b"hello")
    client.close()
    assert party.house.people == 1
    party.clock.advance(5)
    assert party.house.people == 0
    party.clock.advance(0)
    assert party.clock.getDelayedCalls() == []


def test_who_leaves_is_hung_up_on_even_if_the_history_never_answers() -> None:
    late = LateHistory()
    party = Party(late, stuck_after=5)
    client = party.connect()
    late.answer()
    client.send(b"hello\n/EXIT\n")
    assert not client.wire.disconnecting
    party.clock.advance(5)
    assert client.aborted


def test_who_is_dropped_while_leaving_leaves_once() -> None:
    late = LateHistory()
    party = Party(late, flood_rate=0, soft_mark=1000, hard_mark=2000)
    witness, client = party.connect(), party.connect("192.0.2.2")
    for _ in range(2):
        late.answer()
        party.clock.advance(0)
    witness.read()
    client.chat.out.pauseProducing()
    witness.send(b"x" * 3000 + b"\n")
    client.send(b"/EXIT\n")
    late.answer()
    party.clock.advance(GRACE)
    assert client.aborted
    assert witness.read().endswith(b"xxx\r\n192.0.2.2 has disconnected.\r\n")
