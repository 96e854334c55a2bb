from __future__ import annotations

import pytest
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.logger import capturedLogs

from proto.chat.house import House
from proto.chat.person import Member
from proto.metrics import Metrics
from tests.chat.party import WELCOME, Party

# The classic session.


def test_the_classic_session() -> None:
    party = Party()
    first = party.connect("192.0.2.1")
    assert first.read() == WELCOME + b"You are 192.0.2.1, in lobby. Nobody else is here.\r\n"
    first.send(b"anybody?\r\n")
    assert first.read() == b"192.0.2.1 says anybody?\r\n"
    second = party.connect("192.0.2.2")
    assert second.read() == (
        WELCOME
        + b"You are 192.0.2.2, in lobby. Also here: 192.0.2.1.\r\n"
        + b"Earlier here:\r\n192.0.2.1 says anybody?\r\nNow:\r\n"
    )
    second.send(b"/NAME bob\r\nhello\r\n")
    assert second.read() == b"192.0.2.2 changed name to bob\r\nbob says hello\r\n"
    second.send(b"/EXIT\r\n")
    assert second.read() == b""
    assert second.hung_up
    second.close()
    assert first.read() == (
        b"192.0.2.2 has joined the party.\r\n"
        b"192.0.2.2 changed name to bob\r\n"
        b"bob says hello\r\n"
        b"bob has disconnected.\r\n"
    )
    first.close()
    assert (party.clock.getDelayedCalls(), party.factory.clients) == ([], set())


def test_a_name_that_is_taken_is_refused_and_the_old_one_stays() -> None:
    party = Party()
    alice, bob = party.join("alice"), party.join("bob")
    bob.send(b"/NAME Alice\r\nhi\r\n")
    assert bob.read() == b"! Alice is taken; choose another name.\r\nbob says hi\r\n"
    assert alice.read() == b"bob says hi\r\n"


def test_joins_and_leaves_are_logged() -> None:
    with capturedLogs() as logged:
        party = Party()
        party.connect().close()
    told = [event["log_format"].format(**event) for event in logged if "name" in event]
    assert told == [
        "192.0.2.1 joined from 192.0.2.1:4242",
        "192.0.2.1 left (192.0.2.1:4242): disconnected",
    ]


# Before the greeting.


def test_the_greeting_comes_a_moment_later_or_with_the_first_bytes() -> None:
    party = Party(greet_after=0.2)
    quiet, quick = party.connect("192.0.2.1"), party.connect("192.0.2.2")
    quick.send(b"h")
    assert quick.read().startswith(WELCOME)
    assert quiet.read() == b""
    party.clock.advance(0.2)
    party.clock.advance(0)
    assert quiet.read().startswith(WELCOME)
    assert party.house.people == 2


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_tls_client_gets_an_alert_and_nobody_hears_of_it(cut: int) -> None:
    party = Party(greet_after=0.2)
    witness = party.join("witness")
    hello = b"\x16\x03\x01\x02\x00\x01"
    client = party.connect()
    client.send(hello[:cut])
    client.send(hello[cut:])
    assert client.read() == b"\x15\x03\x01\x00\x02\x02\x46"
    assert client.hung_up
    client.close()
    assert (witness.read(), party.house.people) == (b"", 1)
    witness.close()
    assert party.clock.getDelayedCalls() == []


@pytest.mark.parametrize("cut", [1, 4, 10, 16])
def test_a_browser_gets_an_answer_in_http(cut: int) -> None:
    party = Party(greet_after=0.2)
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    client = party.connect()
    client.send(request[:cut])
    client.send(request[cut:])
    client.half_close()
    head, _, body = client.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert body.startswith(b"This is a chat for telnet and netcat")
    assert client.hung_up


def test_what_only_began_like_a_request_is_a_line() -> None:
    party = Party(greet_after=0.2)
    client = party.connect()
    client.send(b"GET ")
    party.clock.advance(0.2)
    client.send(b"up, stand up\n")
    assert client.read().endswith(b"192.0.2.1 says GET up, stand up\r\n")


def test_a_probe_that_says_nothing_is_not_heard_of() -> None:
    party = Party(greet_after=0.2)
    witness = party.join("witness")
    half, full = party.connect(), party.connect()
    half.half_close()
    full.close()
    assert half.hung_up
    assert (half.read(), full.read(), witness.read()) == (b"", b"", b"")
    half.close()
    witness.close()
    assert party.clock.getDelayedCalls() == []


# Closing.


def test_the_answer_arrives_after_a_half_close_and_a_last_line_counts() -> None:
    party = Party(greet_after=0.2)
    witness = party.join("witness")
    client = party.connect()
    assert IHalfCloseableProtocol.providedBy(client.chat)
    client.send(b"/WHO\nbye")
    client.half_close()
    client.chat.writeConnectionLost()
    assert client.read().endswith(b"In lobby: witness, 192.0.2.1.\r\n192.0.2.1 says bye\r\n")
    assert client.hung_up
    assert witness.read() == (
        b"192.0.2.1 has joined the party.\r\n192.0.2.1 says bye\r\n192.0.2.1 has disconnected.\r\n"
    )


def test_a_beginning_too_short_to_tell_counts_as_a_line_when_it_is_all() -> None:
    client = Party(greet_after=0.2).connect()
    client.send(b"G")
    client.half_close()
    assert client.read().endswith(b"192.0.2.1 says G\r\n")


def test_a_last_line_counts_when_the_connection_closes_altogether() -> None:
    party = Party(greet_after=0.2)
    witness = party.join("witness")
    client = party.connect()
    client.send(b"hello")
    client.close()
    assert b"192.0.2.1 says hello\r\n192.0.2.1 has disconnected.\r\n" in witness.read()


def test_after_a_half_close_what_flood_control_held_back_is_still_said() -> None:
    party = Party(flood_lines=1, flood_rate=1)
    client = party.connect()
    client.send(b"one\ntwo\nthree\n")
    client.half_close()
    assert not client.wire.disconnecting
    for _ in range(3):
        party.clock.advance(1)
        party.clock.advance(0)
    assert client.read().endswith(b" says one\r\n192.0.2.1 says two\r\n192.0.2.1 says three\r\n")
    assert client.hung_up


def test_what_flood_control_holds_back_is_lost_with_the_connection_and_logged() -> None:
    party = Party(flood_lines=2, flood_rate=1)
    witness = party.join("witness")
    client = party.connect()
    with capturedLogs() as logged:
        client.send(b"one\ntwo\nthree\nfour\n")
        client.close()
    assert witness.read().endswith(
        b" says one\r\n192.0.2.1 says two\r\n192.0.2.1 has disconnected.\r\n"
    )
    assert [event["lines"] for event in logged if "lines" in event] == [2]
    witness.close()
    assert party.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("end", "said"), [(b"\xff\xec", b"bob says half\r\n"), (b"\xff\xf4", b""), (b"\xff\xee", b"")]
)
def test_telnet_end_of_file_and_interrupt_end_the_session(end: bytes, said: bytes) -> None:
    party = Party()
    bob = party.join("bob")
    bob.send(b"half" + end + b"more\r\n")
    bob.send(b"still more\r\n")
    assert bob.read() == said
    assert bob.hung_up


def test_after_the_end_of_the_input_reading_is_neither_paused_nor_resumed() -> None:
    bob = Party().join("bob")
    bob.send(b"x\n" * 300 + b"\xff\xec")
    assert not bob.held


# Bad input.


def test_a_line_that_is_too_long_gets_one_answer_and_the_next_is_heard() -> None:
    bob = Party(line_limit=10).join("bob")
    bob.send(b"x" * 11)
    bob.send(b"x" * 100_000)
    assert bob.read() == b"! That line is too long; 10 bytes is the most.\r\n"
    bob.send(b"\nnext\n")
    assert bob.read() == b"bob says next\r\n"


def test_invalid_utf8_and_control_sequences_disturb_nobody() -> None:
    party = Party()
    alice, bob = party.join("alice"), party.join("bob")
    bob.send(b"caf\xe9 \xff \x1b[2Jclear \xe2\x80\xaegnp\n")
    assert alice.read() == bob.read() == "bob says caf\ufffd \ufffd clear gnp\r\n".encode()


def test_telnet_negotiation_is_refused_and_not_shown() -> None:
    party = Party()
    alice, bob = party.join("alice"), party.join("bob")
    bob.send(b"\xff\xfd\x03\xff\xfb\x1fhi\xff\xf9\r\0")
    assert bob.read() == b"\xff\xfc\x03\xff\xfe\x1fbob says hi\r\n"
    assert alice.read() == b"bob says hi\r\n"


class BrokenHouse(House):
    def move(self, member: Member, name: str) -> None:
        raise ZeroDivisionError(name)


def test_a_bug_is_written_down_gives_nothing_away_and_ends_one_connection_only() -> None:
    party = Party(metrics=(metrics := Metrics()))
    party.factory.house = BrokenHouse(party.house.history, party.clock.seconds)
    alice, bob = party.join("alice"), party.join("bob")
    with capturedLogs() as logged:
        bob.send(b"/JOIN breaks\nmore\n")
    assert bob.read() == b"! Something went wrong here; it has been written down.\r\n"
    assert bob.hung_up
    assert alice.read() == b"bob has disconnected.\r\n"
    (failure,) = [event["log_failure"] for event in logged if "log_failure" in event]
    assert failure.check(ZeroDivisionError)
    assert b'proto_chat_drops_total{reason="bug"} 1.0' in metrics.render()
