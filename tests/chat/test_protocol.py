from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from proto.chat.history import History, MemoryHistory
from proto.chat.house import House
from proto.chat.protocol import ChatFactory, ChatProtocol
from proto.chat.room import Member
from proto.errors import PeerError
from proto.metrics import Metrics
from tests.chat.doubles import FullTransport, LateHistory
from tests.support import connect

WELCOME = (
    b"Welcome to the party!\r\n"
    b"Send '/NAME [new name]' to change your name.\r\n"
    b"Send '/EXIT' to quit.\r\n"
)


class Client:
    """One connection: what it sends, and what it read."""

    def __init__(self, party: Party, chat: ChatProtocol, wire: StringTransport) -> None:
        self.party, self.chat, self.wire = party, chat, wire

    def send(self, data: bytes) -> None:
        self.chat.dataReceived(data)
        self.party.clock.advance(0)

    def read(self) -> bytes:
        data = bytes(self.wire.value())
        self.wire.clear()
        return data

    def half_close(self) -> None:
        self.chat.readConnectionLost()
        self.party.clock.advance(0)

    def close(self) -> None:
        self.chat.connectionLost()
        self.party.clock.advance(0)

    @property
    def hung_up(self) -> bool:
        return self.wire.disconnecting

    @property
    def aborted(self) -> bool:
        return self.wire.disconnected

    @property
    def held(self) -> bool:
        return self.wire.producerState == "paused"


class Party:
    """A chat with a clock, which greets at once unless told otherwise."""

    def __init__(self, history: History | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.house = House(history or MemoryHistory())
        options.setdefault("greet_after", 0)
        self.factory = ChatFactory(self.house, self.clock, **options)

    def connect(self, host: str = "192.0.2.1") -> Client:
        chat, wire = connect(self.factory, host)
        self.clock.advance(0)
        return Client(self, cast(ChatProtocol, chat), wire)

    def join(self, name: str, wire: StringTransport | None = None) -> Client:
        """Somebody who is greeted and has a name; what they read so far is forgotten."""
        address = cast(IAddress, IPv4Address("TCP", "192.0.2.9", 9))
        chat, wire = self.factory.buildProtocol(address), wire or StringTransport(address)
        chat.makeConnection(wire)
        client = Client(self, chat, wire)
        client.send(b"/NAME %s\n" % name.encode())
        for other in self.factory.clients:
            cast(StringTransport, other.transport).clear()
        return client


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


def test_the_message_of_the_day_follows_the_welcome_and_may_change() -> None:
    party = Party(motd=["Be kind.", "No ads."])
    assert party.connect().read().startswith(WELCOME + b"Be kind.\r\nNo ads.\r\nYou are ")
    party.factory.motd = ("New.",)
    assert party.connect().read().startswith(WELCOME + b"New.\r\nYou are ")


def test_a_newcomer_whose_address_is_shared_or_hidden_is_a_guest() -> None:
    party = Party()
    assert b"You are 192.0.2.1," in party.connect().read()
    assert b"You are guest-1," in party.connect().read()
    assert b"You are guest-1," in Party(hide_addresses=True).connect().read()
    chat = party.factory.buildProtocol(None)
    chat.makeConnection(StringTransport(peerAddress=cast(IAddress, UNIXAddress("/run/chat"))))
    assert chat.name == "guest-2"


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
    def emote(self, member: Member, text: str) -> None:
        raise ZeroDivisionError(text)


def test_a_bug_is_written_down_gives_nothing_away_and_ends_one_connection_only() -> None:
    party = Party(metrics=(metrics := Metrics()))
    party.factory.house = BrokenHouse(MemoryHistory())
    alice, bob = party.join("alice"), party.join("bob")
    with capturedLogs() as logged:
        bob.send(b"/ME breaks\nmore\n")
    assert bob.read() == b"! Something went wrong here; it has been written down.\r\n"
    assert bob.hung_up
    assert alice.read() == b"bob has disconnected.\r\n"
    (failure,) = [event["log_failure"] for event in logged if "log_failure" in event]
    assert failure.check(ZeroDivisionError)
    assert b'proto_chat_drops_total{reason="bug"} 1.0' in metrics.render()


# Flood control.


def test_a_paste_is_delayed_and_never_cut() -> None:
    party = Party()
    bob = party.join("bob")
    party.clock.advance(10)
    bob.send(b"".join(b"%d\n" % n for n in range(20)))
    assert bob.read().count(b"\n") == 10
    heard = b""
    for _ in range(10):
        party.clock.advance(0.2001)
        party.clock.advance(0)
        heard += bob.read()
    assert heard == b"".join(b"bob says %d\r\n" % n for n in range(10, 20))
    bob.close()
    assert party.clock.getDelayedCalls() == []


def test_blank_lines_vanish_and_cost_no_turn() -> None:
    party = Party()
    bob = party.join("bob")
    party.clock.advance(10)
    bob.send(b"\n \r\n\x00\x1f\n" * 20_000 + b"hello\n")
    assert bob.read() == b"bob says hello\r\n"
    assert not bob.chat._backlog


def test_a_line_of_unseen_signs_is_answered_so_that_a_sender_who_has_gone_is_noticed() -> None:
    bob = Party().join("bob")
    bob.send("\u200b\u2060\n".encode())
    assert bob.read() == b"! Nothing of that line can be seen.\r\n"


def test_reading_pauses_above_the_backlog_and_goes_on_below_it() -> None:
    party = Party()
    bob = party.join("bob")
    party.clock.advance(10)
    bob.send(b"x\n" * 210)
    states = [bob.wire.producerState]
    bob.send(b"x\n")
    states.append(bob.wire.producerState)
    party.clock.advance(0.2)
    states.append(bob.wire.producerState)
    assert states == ["producing", "paused", "producing"]


def test_a_paste_of_100_000_lines_costs_no_more_than_itself() -> None:
    party = Party()
    bob = party.join("bob")
    bob.send(b"x\n" * 100_000)
    assert bob.held
    assert len(bob.chat._backlog) <= 100_000
    assert len(party.clock.getDelayedCalls()) == 1
    bob.close()
    assert party.clock.getDelayedCalls() == []


def test_flood_control_may_be_off() -> None:
    bob = Party(flood_rate=0).join("bob")
    bob.send(b"x\n" * 1000)
    assert bob.read() == b"bob says x\r\n" * 1000


# Slow readers.


def test_a_frozen_reader_is_dropped_with_a_reason_and_memory_stays_bounded() -> None:
    party = Party(flood_rate=0, metrics=(metrics := Metrics()))
    frozen = party.join("frozen", FullTransport())
    alice, bob = party.join("alice"), party.join("bob")
    highest, heard = 0, b""
    for n in range(5000):
        alice.send(b"%d %s\n" % (n, b"x" * 150))
        bob.send(b"%d %s\n" % (n, b"y" * 150))
        highest = max(highest, frozen.chat.out.waiting + len(frozen.wire.value()))
        heard += alice.read()
        assert bob.read()
    assert 1 << 20 < highest <= (1 << 20) + 2 * 65536
    assert frozen.aborted
    assert heard.count(b" says ") == 10_000
    assert heard.count(b"\nfrozen has disconnected (too slow).\r\n") == 1
    frozen.chat.connectionLost()
    assert b'proto_chat_drops_total{reason="too_slow"} 1.0' in metrics.render()
    assert b"proto_chat_queue_bytes 0.0" in metrics.render()


def test_a_reader_that_stalls_is_dropped_and_nobody_else_waits() -> None:
    party = Party(flood_rate=0, stuck_after=5)
    stalled = party.join("stalled", FullTransport())
    bob = party.join("bob")
    bob.send(b"x" * 4000 + b"\n")
    for _ in range(20):
        bob.send(b"x" * 4000 + b"\n")
    assert bob.read().count(b" says ") == 21
    party.clock.advance(5)
    party.clock.advance(0)
    assert stalled.aborted
    assert bob.read() == b"stalled has disconnected (stuck).\r\n"


def test_who_does_not_read_is_not_listened_to() -> None:
    party = Party(flood_rate=0)
    slow = party.join("slow", FullTransport())
    bob = party.join("bob")
    slow.send(b"x" * 4000 + b"\n")
    for _ in range(40):
        bob.send(b"x" * 4000 + b"\n")
    was_held = slow.held
    bob.read()
    slow.send(b"still in the pipe\n")
    bob.send(b"/MSG slow psst\n")
    assert bob.read() == b"! slow does not keep up with reading; try again later.\r\n"
    cast(FullTransport, slow.wire).drain()
    cast(FullTransport, slow.wire).drain()
    party.clock.advance(0)
    assert (was_held, slow.held) == (True, False)
    assert bob.read() == b"slow says still in the pipe\r\n"


def test_a_paste_without_flood_control_goes_no_faster_than_its_sender_reads() -> None:
    party = Party(flood_rate=0)
    wire = FullTransport()
    fast, witness = party.join("fast", wire), party.join("witness")
    fast.send(b"x\n" * 30_000)
    heard = witness.read()
    while b"x" in (read := wire.drain()):
        assert len(read) <= 2 * 65536
        party.clock.advance(0)
        heard += witness.read()
        assert fast.chat.out.waiting <= 65536 + 100
    assert heard == b"fast says x\r\n" * 30_000
    assert not fast.aborted


def test_limits_that_are_changed_count_for_newcomers() -> None:
    party = Party(flood_rate=0)
    factory = party.factory
    before = party.join("before", FullTransport())
    factory.soft_mark, factory.hard_mark, factory.stuck_after = 1000, 70_000, 5
    after = party.join("after", FullTransport())
    bob = party.join("bob")
    for _ in range(40):
        bob.send(b"x" * 4000 + b"\n")
    assert (before.aborted, after.aborted) == (False, True)
    assert b"after has disconnected (too slow).\r\n" in bob.read()
    stalled = party.join("stalled", FullTransport())
    for _ in range(17):
        bob.send(b"x" * 4000 + b"\n")
    party.clock.advance(5)
    assert (before.aborted, stalled.aborted) == (False, True)


class CountingTransport(StringTransport):
    writes = 0

    def write(self, data: bytes) -> None:
        self.writes += 1
        super().write(data)


def test_there_is_one_write_per_client_and_turn() -> None:
    party = Party()
    wire = CountingTransport()
    party.join("reader", wire)
    writers = [party.join(f"writer{n}") for n in range(5)]
    wire.writes = 0
    for writer in writers:
        writer.chat.dataReceived(b"one\ntwo\n")
    assert wire.writes == 0
    party.clock.advance(0)
    assert wire.writes == 1
    assert wire.value().count(b"\n") == 10


def test_the_end_of_a_turn_may_be_told_by_the_reactor() -> None:
    turns: list[Any] = []
    party = Party(at_end_of_turn=turns.append)
    client = party.connect()
    assert (client.read(), len(turns)) == (b"", 1)
    turns.pop()()
    assert client.read().startswith(WELCOME)
    assert party.clock.getDelayedCalls() == []


# Stopping.


def test_a_refusal_is_in_the_words_of_the_chat() -> None:
    assert Party().factory.refusal(PeerError("The house is full.")) == b"! The house is full.\r\n"


def test_at_the_end_everyone_hears_goodbye_and_what_was_not_said() -> None:
    party = Party(flood_lines=1, flood_rate=1)
    bob, alice = party.join("bob"), party.join("alice")
    party.clock.advance(10)
    bob.send(b"one\ntwo\nthree\n")
    alice.read()
    party.factory.greet_after = 1
    silent = party.connect()
    party.factory.farewell()
    party.clock.advance(0)
    goodbye = b"The server is stopping. Goodbye.\r\n"
    assert bob.read() == b"bob says one\r\n! 2 of your lines were not said.\r\n" + goodbye
    assert alice.read() == silent.read() == goodbye
    for client in (bob, alice, silent):
        assert client.hung_up
        client.close()
    assert (party.clock.getDelayedCalls(), party.house.people) == ([], 0)


def test_goodbye_waits_for_what_is_being_stored() -> None:
    late = LateHistory()
    party = Party(late)
    bob = party.connect()
    late.answer()
    bob.send(b"last\n")
    party.factory.farewell()
    party.clock.advance(0)
    bob.read()
    late.answer()
    party.clock.advance(0)
    assert bob.read() == b"192.0.2.1 says last\r\nThe server is stopping. Goodbye.\r\n"
    assert bob.hung_up


def test_the_look_alikes_are_read_when_the_factory_starts() -> None:
    party = Party()
    party.factory.doStart()
    party.factory.doStop()


# A history that takes its time.


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
    party.clock.advance(0)
    assert client.aborted
    assert witness.read().endswith(b"xxx\r\n192.0.2.2 has disconnected.\r\n")


# Many, and anything.


def test_a_thousand_people_who_come_and_go_miss_nothing_and_hear_nothing_twice() -> None:
    party = Party(flood_rate=0)
    speaker = party.join("speaker")
    wires = [connect(party.factory, f"10.0.{n // 250}.{n % 250}") for n in range(1000)]
    people = [Client(party, cast(ChatProtocol, chat), wire) for chat, wire in wires]
    party.clock.advance(0)
    for client in people:
        client.read()
    leavers, stayers = people[::3], [c for n, c in enumerate(people) if n % 3]
    said = b""
    for n, leaver in enumerate(leavers):
        speaker.chat.dataReceived(b"%d\n" % n)
        said += b"speaker says %d\r\n" % n
        leaver.chat.connectionLost()
        if n % 10 == 0:
            connect(party.factory, f"10.9.0.{n // 10}")
    party.clock.advance(0)
    for client in stayers:
        heard = client.read().splitlines(keepends=True)
        assert b"".join(line for line in heard if b" says " in line) == said
        assert len([line for line in heard if b" has disconnected." in line]) == len(leavers)
        assert len(set(heard)) == len(heard)
    for chat in list(party.factory.clients):
        chat.connectionLost()
    party.clock.advance(0)
    assert (party.house.people, party.clock.getDelayedCalls()) == (0, [])


def test_what_goes_in_and_out_is_counted() -> None:
    party = Party(metrics=(metrics := Metrics()))
    bob = party.join("bob")
    bob.send(b"hello\r\nthere\r\n")
    text = metrics.render()
    for figure in (
        b"proto_chat_bytes_received_total 24.0",  # "/NAME bob\n" and two lines
        b"proto_chat_lines_received_total 3.0",
        b"proto_chat_deliveries_total 4.0",
        b"proto_chat_people 1.0",
        b"proto_chat_rooms 1.0",
    ):
        assert b"\n" + figure + b"\n" in text


_TYPED = st.lists(
    st.sampled_from(
        [
            b"/NAME bob\n",
            b"/name a\xcc\x81\r\n",
            b"/JOIN den\r",
            b"\0/LEAVE\n",
            b"/WHO\n",
            b"/MSG witness psst\n",
            b"/me waves\n",
            b"hello\n",
            b"//x",
            b"\x08\x15",
            b"\xe2\x80\x8d",
            b"\x1b[3",
            b"\n",
            b"\r",
            b"/help me\n",
            b"x" * 50,
        ]
    ),
    max_size=30,
).map(b"".join)
_CUTS = st.lists(st.integers(0, 400), max_size=8)


def _chunks(sent: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    return [sent[a:b] for a, b in pairwise(edges)]


def _heard(chunks: list[bytes]) -> tuple[bytes, bytes]:
    """What the sender of these chunks and somebody else read."""
    party = Party(flood_rate=0, line_limit=64)
    witness = party.join("witness")
    client = party.connect("192.0.2.2")
    for chunk in chunks:
        client.send(chunk)
    client.half_close()
    client.close()
    witness.send(b"still here\n")
    heard = witness.read()
    witness.close()
    assert (party.house.people, party.clock.getDelayedCalls()) == (0, [])
    assert heard.endswith(b"witness says still here\r\n")
    return client.read(), heard


@settings(deadline=None)
@given(
    st.one_of(_TYPED, st.binary(max_size=200).map(lambda sent: sent.replace(b"\xff", b""))), _CUTS
)
def test_the_answers_do_not_depend_on_where_the_packets_break(sent: bytes, cuts: list[int]) -> None:
    assert _heard(_chunks(sent, cuts)) == _heard([sent])


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=300), _TYPED), _CUTS)
def test_whatever_is_sent_others_read_the_same_clean_lines(sent: bytes, cuts: list[int]) -> None:
    _, heard = _heard(_chunks(sent, cuts))
    assert heard == _heard([sent])[1]
    shown = heard.decode("utf-8").replace("\r\n", "")
    assert not [char for char in shown if unicodedata.category(char) == "Cc"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=30))
def test_no_input_grows_what_is_kept_of_it(chunks: list[bytes]) -> None:
    party = Party(line_limit=64)
    client = party.connect()
    for chunk in chunks:
        client.send(chunk * 20)
        assert len(client.chat._lines._line) <= 64
        if client.held:
            break
    assert sum(len(line or b"") for line in client.chat._backlog) <= (200 * 64) + 40_000
