from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.logger import LogEvent, capturedLogs
from websockets.frames import Frame

from proto.limits import GRACE
from proto.web.frames import MOST_CONTROLS, text_frame
from proto.web.sockets import SHARE, SLICE
from tests.web.sockets import Visit, Witness, masked

BYE = masked(8, b"\x03\xe8bye")


def broken(part: str) -> Witness:
    """A listener that raises when it is told that."""

    def fail(*_: Any) -> None:
        raise RuntimeError(f"{part} fails")

    witness = Witness()
    setattr(witness, part, fail)
    return witness


def failures(events: Sequence[LogEvent]) -> list[str]:
    return [str(event["log_failure"].value) for event in events if "log_failure" in event]


def test_shared_frames_are_written_as_they_are() -> None:
    frames = text_frame(b"one") + text_frame(b"two")
    visits = [Visit(deflate=True), Visit()]
    for visit in visits:
        visit.socket.send_frames(frames)
    assert [visit.wire.value() for visit in visits] == [frames, frames]


def test_a_long_message_is_compressed_for_who_negotiated_it() -> None:
    long = "all work and no play " * 50
    for deflate in (True, False):
        visit = Visit(deflate=deflate)
        visit.socket.send_text(long)
        assert (len(visit.wire.value()) < 100) is deflate
        assert visit.heard() == [(1, long.encode())]


def test_text_can_be_given_as_bytes() -> None:
    visit = Visit()
    visit.socket.send_text("grüß".encode())
    visit.socket.send_binary(b"\0\xff")
    assert visit.heard() == [(1, "grüß".encode()), (2, b"\0\xff")]


def test_what_a_full_transport_does_not_take_waits_and_leaves_in_order() -> None:
    visit = Visit()
    visit.wire.fill()
    for number in range(100):
        visit.socket.send_text(str(number))
    assert visit.wire.value() == b""
    assert visit.socket.waiting == 2 * 100 + 10 + 180
    visit.wire.drain()
    assert [data for _, data in visit.heard()] == [b"%d" % number for number in range(100)]
    assert visit.socket.waiting == 0
    assert visit.witness.told == ["writable"]


def test_a_peer_with_too_much_waiting_is_cut_off() -> None:
    visit = Visit(max_queue=1000)
    visit.wire.fill()
    visit.socket.send_text("x" * 900)
    assert not visit.wire.is_cut()
    visit.socket.send_text("x" * 4000)
    assert visit.wire.is_cut()
    assert visit.socket.waiting == 0
    assert visit.witness.told == []  # not while the application is sending
    visit.leave()
    assert visit.witness.told == [(1006, "does not read: more than 1000 bytes wait")]


def test_a_peer_that_takes_nothing_for_a_while_is_cut_off() -> None:
    visit = Visit(stuck_after=30)
    visit.wire.fill()
    visit.clock.advance(29)
    visit.wire.drain()
    visit.wire.fill()
    visit.clock.advance(29)
    assert not visit.wire.is_cut()
    visit.clock.advance(1)
    assert visit.wire.is_cut()
    visit.leave()
    assert visit.witness.told == [(1006, "did not read for 30 s")]


def test_pongs_nobody_takes_count_as_waiting() -> None:
    visit = Visit(max_queue=1000)
    visit.wire.fill()
    ping = masked(9, b"x" * 100)
    visit.send(ping * 9)
    assert visit.socket.waiting == 9 * 102
    visit.send(ping)
    visit.clock.advance(GRACE)
    assert visit.wire.is_cut()


def test_a_silent_peer_is_pinged_and_then_dropped() -> None:
    visit = Visit(ping_every=30)
    visit.clock.pump([7.5] * 3)
    assert visit.wire.value() == b""
    visit.clock.pump([7.5] * 3)
    assert visit.wire.value() == b"\x89\x00"
    visit.clock.pump([7.5] * 2)
    assert visit.wire.is_cut()
    visit.leave()
    assert visit.witness.told == [(1006, "silent for 60 s")]


def test_a_peer_that_answers_pings_stays() -> None:
    visit = Visit(ping_every=30)
    for _ in range(20):
        visit.clock.pump([7.5] * 4)
        assert visit.heard() == [(9, b"")]
        visit.send()
    assert visit.is_open
    assert not visit.wire.is_cut()


def test_a_peer_is_not_blamed_for_silence_while_nobody_listens() -> None:
    visit = Visit(ping_every=30)
    visit.socket.pause_reading()
    visit.clock.pump([7.5] * 40)
    assert not visit.wire.is_cut()
    visit.socket.resume_reading()
    visit.clock.pump([7.5] * 4)
    assert not visit.wire.is_cut()


def test_close_waits_for_the_peers_answer_and_hears_nothing_more() -> None:
    visit = Visit()
    visit.socket.close(4000, "enough")
    assert visit.heard() == [(8, b"\x0f\xa0enough")]
    visit.socket.send_text("too late")
    visit.socket.send_frames(text_frame(b"too late"))
    assert visit.wire.value() == b""
    visit.send(masked(1, b"and another thing") + masked(8, b"\x0f\xa0enough"))
    assert visit.witness.told == [(4000, "enough")]
    assert visit.wire.disconnecting
    visit.leave()
    assert visit.witness.told == [(4000, "enough")]
    visit.clock.advance(30)
    assert not visit.clock.getDelayedCalls()


def test_a_peer_that_does_not_answer_a_close_is_cut_off() -> None:
    visit = Visit()
    visit.socket.close()
    visit.clock.advance(4)
    assert not visit.wire.is_cut()
    visit.clock.advance(1)
    assert visit.wire.is_cut()
    visit.leave()
    assert visit.witness.told == [(1006, "did not answer the closing handshake")]


def test_a_connection_that_does_not_end_after_the_handshake_is_cut_off() -> None:
    visit = Visit()
    visit.send(BYE)
    assert visit.wire.disconnecting
    assert not visit.wire.is_cut()
    visit.clock.advance(5)
    assert visit.wire.is_cut()


def test_what_waits_is_given_to_the_transport_before_the_end() -> None:
    visit = Visit()
    visit.wire.fill()
    visit.socket.send_text("last words")
    visit.send(BYE)
    assert visit.heard() == [(1, b"last words"), (8, b"\x03\xe8bye")]
    assert visit.wire.disconnecting


def test_an_answer_to_the_last_message_leaves_before_the_close() -> None:
    visit = Visit(Witness(echo=True))
    visit.send(masked(1, b"bye") + BYE)
    assert visit.heard() == [(1, b"bye"), (8, b"\x03\xe8bye")]
    assert visit.witness.told == ["bye", (1000, "bye")]


def test_a_close_without_a_code_is_told_as_1005() -> None:
    visit = Visit()
    visit.send(masked(8, b""))
    assert visit.witness.told == [(1005, "")]
    assert visit.wire.value() == b"\x88\x00"


def test_abort_cuts_at_once_and_is_told_when_it_is_done() -> None:
    visit = Visit()
    visit.socket.abort()
    assert visit.wire.is_cut()
    assert visit.wire.value() == b""
    assert visit.witness.told == []
    visit.leave()
    assert visit.witness.told == [(1006, "aborted")]


def test_a_listener_that_aborts_hears_nothing_more() -> None:
    visit = Visit(Witness(on_text=lambda socket, text: socket.abort()))
    visit.send(masked(1, b"one") + masked(1, b"two"))
    assert visit.witness.told == ["one"]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_a_code_that_nobody_may_send_is_a_mistake_of_the_caller(code: int) -> None:
    visit = Visit()
    with pytest.raises(ValueError, match="cannot be sent"):
        visit.socket.close(code)
    visit.socket.send_text("still here")
    assert visit.heard() == [(1, b"still here")]


def test_a_long_reason_is_cut_between_characters() -> None:
    visit = Visit()
    visit.socket.close(4000, "ä" * 100)
    assert visit.heard() == [(8, b"\x0f\xa0" + ("ä" * 61).encode())]


def test_a_peer_that_breaks_the_protocol_can_still_read_why() -> None:
    visit = Visit()
    visit.send(b"\x81\x00")  # not masked
    assert visit.heard()[0][1][:2] == (1002).to_bytes(2, "big")
    assert visit.wire.closed_writing
    assert not visit.wire.disconnecting  # a reset would destroy what was said
    assert visit.witness.told == [(1002, "incorrect masking")]
    visit.send(b"whatever" * 1000)
    visit.clock.advance(5)
    assert visit.wire.is_cut()
    visit.leave()
    assert len(visit.witness.told) == 1


@pytest.mark.parametrize("part", ["opened", "text", "binary"])
def test_a_listener_that_fails_is_logged_and_the_peer_gets_1011(part: str) -> None:
    with capturedLogs() as events:
        visit = Visit(broken(part))
        visit.send(masked(1, b"x") + masked(2, b"y"))
        first = [bytes(each.data) for each in visit.answers if isinstance(each, Frame)]
        codes = [data[:2] for data in (*first, *(data for _, data in visit.heard()))]
    assert failures(events) == [f"{part} fails"]
    assert codes == [(1011).to_bytes(2, "big")]
    visit.send()
    assert visit.witness.told[-1] == (1011, "")


def test_a_listener_that_fails_when_it_can_write_is_closed() -> None:
    with capturedLogs() as events:
        visit = Visit(broken("writable"))
        visit.wire.fill()
        visit.socket.send_text("x")
        visit.wire.drain()
    assert failures(events) == ["writable fails"]
    assert [opcode for opcode, _ in visit.heard()] == [1, 8]


def test_a_listener_that_fails_at_the_end_harms_nobody() -> None:
    with capturedLogs() as events:
        visit = Visit(broken("closed"))
        visit.leave()
    assert failures(events) == ["closed fails"]
    assert not visit.site.connections


def test_nothing_is_delivered_while_reading_is_paused() -> None:
    visit = Visit(Witness(on_text=lambda socket, text: socket.pause_reading()))
    many = [b"%d" % number for number in range(SLICE)]
    visit.send(b"".join(masked(1, each) for each in many))
    visit.send(masked(1, b"last"))
    assert visit.witness.told == ["0"]
    assert visit.wire.producerState == "paused"
    visit.socket.resume_reading()
    visit.clock.advance(0)
    assert visit.witness.told == ["0", "1"]  # paused again by that one
    visit.witness.on_text = lambda socket, text: None
    visit.socket.resume_reading()
    assert len(visit.witness.told) == 2  # never within the call
    visit.clock.advance(0)
    assert visit.witness.told == [*(each.decode() for each in many), "last"]
    assert visit.wire.producerState == "producing"


def test_pausing_again_before_the_turn_ends_holds_on() -> None:
    visit = Visit()
    visit.socket.pause_reading()
    visit.send(masked(1, b"x"))
    visit.socket.resume_reading()
    visit.socket.pause_reading()
    visit.clock.advance(0)
    assert visit.witness.told == []
    visit.socket.resume_reading()
    visit.clock.advance(0)
    assert visit.witness.told == ["x"]


def test_a_paused_socket_that_is_closed_hears_the_answer() -> None:
    visit = Visit()
    visit.socket.pause_reading()
    visit.send(masked(1, b"held"))
    visit.socket.close()
    visit.clock.advance(0)
    visit.send(masked(8, b"\x03\xe8"))
    assert visit.witness.told == [(1000, "")]


def test_what_was_held_is_heard_before_the_end() -> None:
    visit = Visit(Witness(on_text=lambda socket, text: socket.pause_reading()))
    visit.send(masked(1, b"one") + masked(1, b"two") + BYE)
    assert visit.witness.told == ["one", "two", (1000, "bye")]


def test_a_socket_has_no_dictionary_of_its_own() -> None:
    assert not hasattr(Visit().socket, "__dict__")


def test_a_pong_leaves_before_the_answer_to_a_later_message() -> None:
    visit = Visit(Witness(echo=True))
    visit.send(masked(1, b"one", fin=False) + masked(9, b"?") + masked(0, b" two"))
    assert visit.heard() == [(10, b"?"), (1, b"one two")]


def test_what_was_held_can_be_answered_before_the_close_is() -> None:
    def answer(socket: Any, text: str) -> None:
        socket.send_text(text)
        socket.pause_reading()

    visit = Visit(Witness(on_text=answer))
    visit.send(masked(1, b"one") + masked(1, b"two") + BYE)
    assert visit.heard() == [(1, b"one"), (1, b"two"), (8, b"\x03\xe8bye")]
    assert visit.wire.producerState == "producing"


def test_a_listener_that_aborts_when_it_hears_what_was_held_is_cut_off() -> None:
    def hear(socket: Any, text: str) -> None:
        socket.pause_reading() if text == "one" else socket.abort()

    visit = Visit(Witness(on_text=hear))
    visit.send(masked(1, b"one") + masked(1, b"two") + BYE)
    assert visit.wire.is_cut()
    visit.leave()
    assert len([each for each in visit.witness.told if isinstance(each, tuple)]) == 1


def test_a_flood_of_frames_leaves_turns_to_others() -> None:
    visit = Visit()
    turns: list[int] = []
    flood = masked(2, b"") * (3 * SHARE)
    visit.clock.callLater(0, lambda: turns.append(len(visit.witness.told)))
    visit.send(flood)
    visit.clock.advance(0)
    (seen,) = turns
    assert SHARE < seen <= SHARE + SLICE
    assert visit.witness.told == [b""] * (3 * SHARE)
    assert visit.wire.producerState == "producing"


def test_a_flood_of_pings_is_cut_short_and_a_peer_that_pings_now_and_then_is_not() -> None:
    visit = Visit(ping_every=30)
    for _ in range(5):
        visit.send(masked(9, b"") * MOST_CONTROLS)
        visit.clock.advance(7.5)
    assert visit.is_open
    visit.send(masked(9, b"") * (MOST_CONTROLS + 1))
    visit.clock.advance(0)
    assert visit.heard()[-1] == (8, b"\x03\xf0too many pings")
    assert visit.witness.told == [(1008, "too many pings")]


def test_a_message_of_a_million_pieces_is_cut_short() -> None:
    visit = Visit()
    visit.send(masked(2, b"", fin=False))
    sent = 0
    while visit.is_open and sent < 1_000_000:
        visit.send(masked(0, b"x", fin=False) * 500)
        visit.clock.advance(0)
        visit.hear()
        sent += 500
    assert sent < 2000
    assert visit.witness.told == [(1008, "a message in too many pieces")]


def test_a_peer_that_sends_no_more_is_hung_up_on() -> None:
    visit = Visit()
    connection: Any = visit.server
    connection.readConnectionLost()
    assert visit.wire.disconnecting
    visit.leave()
    assert visit.witness.told == [(1006, "")]
