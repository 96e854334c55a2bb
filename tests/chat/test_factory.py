from __future__ import annotations

from typing import Any, cast

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from proto.chat import skeleton
from proto.chat.protocol import ChatProtocol
from proto.errors import PeerError
from proto.limits import GRACE
from proto.metrics import Metrics
from tests.chat.doubles import FullTransport, LateHistory
from tests.chat.party import WELCOME, Client, Party
from tests.support import connect

# Newcomers.


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


def test_limits_that_are_changed_count_for_newcomers() -> None:
    party = Party(flood_rate=0)
    factory = party.factory
    before = party.join("before", FullTransport())
    factory.soft_mark, factory.hard_mark, factory.stuck_after = 1000, 70_000, 5
    after = party.join("after", FullTransport())
    bob = party.join("bob")
    for _ in range(40):
        bob.send(b"x" * 4000 + b"\n")
    party.clock.advance(GRACE)
    assert (before.aborted, after.aborted) == (False, True)
    assert b"after has disconnected (too slow).\r\n" in bob.read()
    stalled = party.join("stalled", FullTransport())
    for _ in range(17):
        bob.send(b"x" * 4000 + b"\n")
    party.clock.advance(5)
    assert (before.aborted, stalled.aborted) == (False, True)


def test_the_look_alikes_are_read_when_the_factory_starts() -> None:
    party = Party()
    skeleton._prototypes.cache_clear()
    party.factory.doStart()
    assert skeleton._prototypes.cache_info().currsize == 1
    party.factory.doStop()


# One write for each client and turn.


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


def test_all_who_read_alike_are_sent_the_same_bytes() -> None:
    written: dict[int, list[bytes]] = {}

    class Wire(StringTransport):
        def write(self, data: bytes) -> None:
            written.setdefault(id(self), []).append(data)

    party = Party()
    wires = [Wire() for _ in range(4)]
    people = [party.join(f"reader{n}", wire) for n, wire in enumerate(wires)]
    people[3].send(b"/TIME on\n")
    written.clear()
    people[0].send(b"one\ntwo\n")
    first, second, third, timed = (written[id(wire)] for wire in wires)
    assert first == [b"reader0 says one\r\nreader0 says two\r\n"]
    assert first[0] is second[0] is third[0]
    assert timed[0].startswith(b"[")


def test_there_is_one_form_for_each_way_to_read() -> None:
    factory = Party().factory
    plain, timed = factory.form(), factory.form(times=True)
    both = factory.form(timed, colors=True)
    assert (plain.times, plain.colors) == (False, False)
    assert (both.times, both.colors) == (True, True)
    assert factory.form(both, times=False) is factory.form(colors=True)
    assert factory.form(both, times=False, colors=False) is plain
    assert len({plain, timed, both, factory.form(colors=True)}) == 4


def test_who_cannot_be_sent_anything_keeps_nobody_else_from_reading() -> None:
    class Broken(StringTransport):
        def write(self, data: bytes) -> None:
            raise ZeroDivisionError(data)

    party = Party()
    bob, alice = party.join("bob"), party.join("alice")
    broken = party.factory.buildProtocol(None)
    with capturedLogs() as logged:
        broken.makeConnection(Broken())
        party.clock.advance(0)
        alice.send(b"hello\n")
    assert [
        event["log_failure"].check(ZeroDivisionError) for event in logged if "log_failure" in event
    ]
    assert bob.read().endswith(b"alice says hello\r\n")
    assert alice.read().endswith(b"alice says hello\r\n")


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


# Many.


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
