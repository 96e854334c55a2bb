"""What a client of the chat does besides talking: pastes, another form, coming back."""

from __future__ import annotations

import re
import time
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from proto.chat.events import Said
from proto.limits import GRACE
from tests.chat.doubles import NOW, FullTransport, LateHistory
from tests.chat.party import Client, Party


def pair(**options: Any) -> tuple[Party, Client, Client]:
    party = Party(**options)
    alice, bob = party.join("alice"), party.join("bob")
    party.clock.advance(10)  # Their names have cost them nothing.
    return party, alice, bob


def token_of(client: Client) -> bytes:
    client.send(b"/RESUME\n")
    found = re.fullmatch(rb"When .* come back with: /RESUME (\S+)\r\n", client.read())
    assert found
    return found[1]


# Pastes.


def test_a_paste_is_said_as_one_with_its_blank_lines() -> None:
    _, alice, bob = pair()
    bob.send(b"/PASTE\r\ndef f():\r\n\r\n    return 1\r\n\r\n.\r\nafter\r\n")
    assert bob.read() == (
        b"Now the lines; end with a dot alone on its line.\r\n"
        b"bob pastes 3 lines:\r\n| def f():\r\n| \r\n|     return 1\r\n"
        b"bob says after\r\n"
    )
    assert alice.read().startswith(b"bob pastes 3 lines:\r\n")


def test_commands_in_a_paste_are_text_and_what_cannot_be_shown_is_taken_out() -> None:
    _, alice, bob = pair()
    bob.send(b"/PASTE\n/EXIT\n\x1b[2J// x\xff\n.\n")
    assert alice.read() == "bob pastes 2 lines:\r\n| /EXIT\r\n| // x\ufffd\r\n".encode()
    assert not bob.hung_up


def test_a_paste_of_one_line_is_a_line_and_of_none_is_nothing() -> None:
    _, alice, bob = pair()
    bob.send(b"/PASTE\nalone\n.\n/PASTE\n\n.\n/PASTE\n.\n")
    assert alice.read() == b"bob says alone\r\n"
    assert bob.read().count(b"! Nothing of that line can be seen.\r\n") == 2


def test_the_lines_of_a_paste_cost_no_turns_but_a_long_one_does() -> None:
    party, alice, bob = pair(flood_lines=2, flood_rate=1)
    bob.send(b"/PASTE\n" + b"x\n" * 500 + b".\nnext\nlater\n")
    assert alice.read().endswith(b"| x\r\nbob says next\r\n")
    party.clock.advance(1)
    party.clock.advance(0)
    assert alice.read() == b"bob says later\r\n"
    party.clock.advance(10)
    bob.send(b"/PASTE\n" + (b"x" * 4000 + b"\n") * 4 + b".\nnext\n")
    assert alice.read().count(b"| xxx") == 4
    waited = 0
    while not alice.read():
        party.clock.advance(1)
        party.clock.advance(0)
        waited += 1
    assert waited == 3  # two turns were left: one for /PASTE, and the paste took three more


def test_too_long_a_paste_is_refused_once_and_nothing_of_it_is_said() -> None:
    _, alice, bob = pair()
    bob.send(b"/PASTE\n")
    bob.read()
    for _ in range(9):
        bob.send(b"x" * 4000 + b"\n")
    bob.send(b".\nafter\n")
    refused, said = bob.read().splitlines()
    assert refused.startswith(b"! That is too much at once; 16384 bytes and 1000 ")
    assert said == b"bob says after"
    assert alice.read() == b"bob says after\r\n"


@pytest.mark.parametrize("how", ["half_close", "close"])
def test_a_paste_that_is_cut_by_the_end_of_input_is_said(how: str) -> None:
    _, alice, bob = pair()
    bob.send(b"/PASTE\none\n\ntwo")
    getattr(bob, how)()
    assert alice.read() == (
        b"bob pastes 3 lines:\r\n| one\r\n| \r\n| two\r\nbob has disconnected.\r\n"
    )


def test_a_line_too_long_in_a_paste_is_refused_and_the_rest_of_it_said() -> None:
    _, alice, bob = pair()
    bob.send(b"/PASTE\none\n" + b"x" * 5000 + b"\ntwo\n.\n")
    assert b"! That line is too long; 4096 bytes is the most.\r\n" in bob.read()
    assert alice.read() == b"bob pastes 2 lines:\r\n| one\r\n| two\r\n"


_LINES = st.lists(st.sampled_from([b"a", b"", b" ", b"b", b"//c"]), max_size=25)


@settings(deadline=None)
@given(_LINES, st.integers(1, 5))
def test_however_slowly_one_may_speak_nothing_is_lost_and_blank_lines_cost_nothing(
    lines: list[bytes], cut: int
) -> None:
    party, alice, bob = pair(flood_lines=2, flood_rate=1)
    heard = b""
    seconds = 0
    for start in range(0, len(lines), cut):
        bob.send(b"".join(line + b"\n" for line in lines[start : start + cut]))
    said = [line.removeprefix(b"/") for line in lines if line.strip()]
    while bob.chat._turns:
        party.clock.advance(1)
        party.clock.advance(0)
        seconds += 1
    heard += alice.read()
    assert heard == b"".join(b"bob says %s\r\n" % line for line in said)
    assert seconds <= max(0, len(said) - 2)


# Another form.


def test_who_wants_times_reads_them_and_the_others_do_not() -> None:
    party, alice, bob = pair()
    alice.send(b"/TIME on\n")
    assert alice.read() == b"Times are on.\r\n"
    bob.send(b"hello\n")
    clock = time.strftime("%H:%M", time.localtime(NOW + party.clock.seconds())).encode()
    assert alice.read() == b"[%s] bob says hello\r\n" % clock
    assert bob.read() == b"bob says hello\r\n"
    alice.send(b"/COLOR on\n/TIME off\n")
    bob.send(b"hello\n")
    assert re.search(rb"\n\x1b\[\d\dmbob\x1b\[0m says hello\r\n$", alice.read())


def test_changing_the_form_in_the_middle_of_a_turn_loses_and_doubles_nothing() -> None:
    party, alice, bob = pair()
    bob.chat.dataReceived(b"one\n")
    alice.chat.dataReceived(b"/COLOR on\n/COLOR off\n")
    bob.chat.dataReceived(b"two\n")
    party.clock.advance(0)
    assert alice.read() == (
        b"bob says one\r\nColours are on.\r\nColours are off.\r\nbob says two\r\n"
    )
    assert bob.read() == b"bob says one\r\nbob says two\r\n"


def test_who_is_dropped_while_they_change_the_form_leaves_once_and_whole() -> None:
    party = Party(flood_rate=0, soft_mark=65_536, hard_mark=70_000)
    slow, bob = party.join("slow", FullTransport()), party.join("bob")
    for _ in range(20):
        bob.send(b"x" * 4000 + b"\n")
    bob.read()
    assert slow.chat.out.waiting < 65_536
    for _ in range(15):
        bob.chat.dataReceived(b"x" * 4000 + b"\n")
    slow.chat.dataReceived(b"/TIME on\n")
    party.clock.advance(GRACE)
    assert slow.aborted
    assert bob.read().endswith(b"slow has disconnected (too slow).\r\n")
    assert (party.house.people, list(party.house.lobby._seats)) == (1, [bob.chat])
    slow.close()


# Coming back.


def test_who_was_cut_off_comes_back_to_their_name_room_and_lines() -> None:
    party, alice, bob = pair()
    token = token_of(alice)
    for client in (alice, bob):
        client.send(b"/JOIN den\n")
    bob.send(b"read\n")
    alice.close()
    bob.send(b"missed\n")
    back = party.connect()
    back.read()
    back.send(b"/RESUME %s\n" % token)
    assert back.read() == (
        b"192.0.2.1 changed name to alice\r\n"
        b"You are alice, in den. Also here: bob.\r\n"
        b"You missed:\r\nbob says missed\r\nNow:\r\n"
    )


def test_who_goes_on_elsewhere_is_told_and_hung_up_on_and_nobody_else_is_harmed() -> None:
    party, alice, bob = pair()
    token = token_of(alice)
    newcomer = party.connect("192.0.2.7")
    newcomer.read()
    newcomer.send(b"/RESUME %s\n" % token)
    assert alice.read().endswith(b"You went on elsewhere with your token. Goodbye.\r\n")
    assert alice.hung_up
    alice.send(b"still here?\n")
    alice.close()
    assert party.clock.getDelayedCalls() == []
    newcomer.send(b"me\n")
    assert newcomer.read().endswith(b"\r\nalice says me\r\n")
    assert bob.read().endswith(
        b"alice has disconnected (went on elsewhere).\r\n"
        b"192.0.2.7 changed name to alice\r\nalice says me\r\n"
    )
    newcomer.close()
    bob.close()
    assert (party.house.people, party.clock.getDelayedCalls()) == (0, [])


@pytest.mark.parametrize("how", ["stuck", "farewell"])
def test_who_was_taken_over_and_does_not_read_harms_nobody_either(how: str) -> None:
    party = Party(flood_rate=0, stuck_after=5)
    frozen, bob = party.join("frozen", FullTransport()), party.join("bob")
    token = token_of(frozen)
    for _ in range(20):
        bob.send(b"x" * 4000 + b"\n")
    newcomer = party.connect("192.0.2.7")
    newcomer.send(b"/RESUME %s\n" % token)
    if how == "stuck":
        party.clock.advance(5)
        party.clock.advance(0)
        assert frozen.aborted
    else:
        party.factory.farewell()
        party.clock.advance(0)
        assert newcomer.read().endswith(b"The server is stopping. Goodbye.\r\n")
        newcomer.close()
    frozen.close()
    assert (party.house.holder("frozen") is newcomer.chat) is (how == "stuck")


def test_who_was_stuck_reads_on_from_the_last_line_that_went_out() -> None:
    party = Party(flood_rate=0, stuck_after=5)
    frozen, bob = party.join("frozen", FullTransport()), party.join("bob")
    token = token_of(frozen)
    for n in range(40):
        bob.send(b"%d " % n + b"x" * 4000 + b"\n")
    assert frozen.chat.seen < 20
    got = [int(found) for found in re.findall(rb"says (\d+) ", frozen.wire.value())]
    party.clock.advance(5)
    assert frozen.aborted
    frozen.close()
    back = party.join("back", FullTransport())
    cast(FullTransport, back.wire).drain()
    back.send(b"/RESUME %s\n" % token)
    read = b""
    while more := cast(FullTransport, back.wire).drain():
        read += more
        party.clock.advance(0)
    missed = [int(found) for found in re.findall(rb"says (\d+) ", read)]
    assert missed == sorted(set(missed))
    assert sorted(set(got) | set(missed)) == list(range(40))


def test_news_in_a_room_with_a_past_do_not_take_back_what_was_seen() -> None:
    late = LateHistory()
    party = Party(late.kept)
    for n in range(5):
        late.kept.append("lobby", Said("old", str(n)), lambda line: None, lambda reason: None)
    client = party.connect()
    assert client.chat.seen == 5
    party.connect("192.0.2.2")
    assert b"192.0.2.2 has joined" in client.read()
    assert client.chat.seen == 5
    client.send(b"hello\n/JOIN den\n")
    assert client.chat.seen == 0
    client.send(b"/LEAVE\n")
    assert client.chat.seen == 6


def test_what_is_stored_while_one_is_cut_off_is_not_counted_as_seen() -> None:
    late = LateHistory()
    party = Party(late)
    client = party.connect()
    late.answer()
    party.clock.advance(0)
    client.send(b"one\n")
    late.answer()
    party.clock.advance(0)
    client.send(b"two\n")
    client.close()
    late.answer_all()
    party.clock.advance(0)
    assert client.chat.seen == 1


def test_a_bad_token_is_refused_and_nothing_changes() -> None:
    _, alice, bob = pair()
    with capturedLogs() as logged:
        bob.send(b"/RESUME nonsense 12\n")
    assert bob.read() == (
        b"! There is nothing to go on with: that token is unknown or too old.\r\n"
    )
    assert (alice.read(), [event for event in logged if "log_failure" in event]) == (b"", [])
