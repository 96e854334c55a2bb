"""Those who speak too fast, and those who do not read."""

from __future__ import annotations

from typing import cast

from proto.metrics import Metrics
from tests.chat.doubles import FullTransport
from tests.chat.party import Party

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
    assert not bob.chat._turns


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
    assert len(bob.chat._turns) <= 100_000
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
        party.clock.advance(0.005)
    # 350 bytes two hundred times a second, for as long as one may be above the mark.
    assert 1 << 20 < highest <= (1 << 20) + 2 * 65536 + 200 * 400
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
