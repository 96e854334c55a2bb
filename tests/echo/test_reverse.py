from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure

from proto.echo.reverse import LINGER, MAX_REQUEST, Reverse, ReverseFactory
from tests.support import connect

TOO_LONG = b"request longer than 65536 bytes\r\n"


def texts(events: Sequence[dict[str, Any]]) -> list[str]:
    """What was logged, each with its level; nothing else may be above info."""
    assert {event["log_level"] for event in events} <= {LogLevel.info}
    return [formatEvent(event) for event in events]


def test_a_request_comes_back_reversed_and_the_connection_is_over() -> None:
    factory = ReverseFactory(Clock())
    reverse, wire = connect(factory)
    reverse.dataReceived(b"hello!")
    assert wire.value() == b"olleh"
    assert wire.disconnecting
    assert (factory.received.value, factory.sent.value) == (6, 5)


@given(
    request=st.binary(max_size=60),
    delimiter=st.binary(min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 70), max_size=8),
)
def test_however_the_bytes_arrive_the_first_delimiter_ends_the_request(
    request: bytes, delimiter: bytes, cuts: list[int]
) -> None:
    reverse, wire = connect(ReverseFactory(Clock(), delimiter=delimiter))
    sent = request + delimiter
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    for start, end in itertools.pairwise(edges):
        reverse.dataReceived(sent[start:end])
    assert wire.value() == sent.partition(delimiter)[0][::-1]
    assert wire.disconnecting


def test_bytes_that_are_no_text_are_reversed_like_any_other() -> None:
    reverse, wire = connect(ReverseFactory(Clock()))
    reverse.dataReceived(b"\xff\x00\xc3!")
    assert wire.value() == b"\xc3\x00\xff"


def test_with_text_characters_are_reversed() -> None:
    reverse, wire = connect(ReverseFactory(Clock(), text=True))
    reverse.dataReceived("naïve\xff!".encode())
    assert wire.value() == "\xffevïan".encode()


def test_the_reply_waits_its_time_and_what_else_comes_is_dropped() -> None:
    clock = Clock()
    reverse, wire = connect(ReverseFactory(clock, delay=3))
    reverse.dataReceived(b"one!two!")
    reverse.dataReceived(b"three!")
    clock.advance(2.9)
    assert (wire.value(), wire.disconnecting) == (b"", False)
    clock.advance(0.1)
    assert (wire.value(), wire.disconnecting) == (b"eno", True)
    assert not clock.getDelayedCalls()


def test_a_thousand_replies_wait_at_once() -> None:
    clock = Clock()
    factory = ReverseFactory(clock, delay=5)
    wires = []
    for number in range(1000):
        reverse, wire = connect(factory, port=10_000 + number)
        reverse.dataReceived(b"%d!" % number)
        wires.append(wire)
    clock.advance(4.9)
    assert not any(wire.value() for wire in wires)
    clock.advance(0.1)
    assert [wire.value() for wire in wires] == [(b"%d" % n)[::-1] for n in range(1000)]
    assert all(wire.disconnecting for wire in wires)


def test_the_longest_request_is_served_and_one_byte_more_is_not() -> None:
    reverse, wire = connect(ReverseFactory(Clock()))
    reverse.dataReceived(b"x" * MAX_REQUEST)
    assert wire.value() == b""
    reverse.dataReceived(b"!")
    assert wire.value() == b"x" * MAX_REQUEST

    reverse, wire = connect(ReverseFactory(Clock()))
    reverse.dataReceived(b"x" * MAX_REQUEST + b"x")
    assert wire.value() == TOO_LONG


def test_a_delimiter_that_comes_too_late_does_not_count() -> None:
    reverse, wire = connect(ReverseFactory(Clock(), max_request=4, delimiter=b"--"))
    reverse.dataReceived(b"12345--")
    assert wire.value() == b"request longer than 4 bytes\r\n"


def test_after_a_request_that_is_too_long_the_rest_is_read_and_then_it_hangs_up() -> None:
    clock = Clock()
    reverse, wire = connect(ReverseFactory(clock))
    with capturedLogs() as events:
        reverse.dataReceived(b"x" * (MAX_REQUEST + 1))
        for _ in range(100):
            reverse.dataReceived(b"x" * 65536 + b"!")
        assert (wire.value(), wire.disconnecting) == (TOO_LONG, False)
        clock.advance(LINGER)
        assert (wire.value(), wire.disconnecting) == (TOO_LONG, True)
        reverse.connectionLost()
    assert texts(events) == []
    assert not clock.getDelayedCalls()


def test_a_peer_that_reads_the_error_line_and_closes_leaves_no_timer() -> None:
    clock = Clock()
    protocol, wire = connect(ReverseFactory(clock))
    reverse = cast(Reverse, protocol)
    reverse.dataReceived(b"x" * (MAX_REQUEST + 1))
    reverse.readConnectionLost()
    assert wire.disconnecting
    assert not clock.getDelayedCalls()


def test_a_client_that_leaves_before_its_request_is_complete_is_reported() -> None:
    clock = Clock()
    reverse, wire = connect(ReverseFactory(clock))
    reverse.dataReceived(b"hel")
    with capturedLogs() as events:
        reverse.connectionLost(Failure(ConnectionLost()))
    assert texts(events) == ["192.0.2.1:4242 left early, before its request was complete"]
    assert wire.value() == b""


def test_a_client_that_leaves_before_its_reply_is_reported_and_its_timer_cancelled() -> None:
    clock = Clock()
    factory = ReverseFactory(clock, delay=5)
    reverse, wire = connect(factory)
    reverse.dataReceived(b"hello!")
    with capturedLogs() as events:
        reverse.connectionLost(Failure(ConnectionLost()))
    assert texts(events) == ["192.0.2.1:4242 left early, before its reply was due"]
    assert not clock.getDelayedCalls()
    assert (wire.value(), factory.peers) == (b"", set())


def test_a_client_that_finished_sending_still_gets_its_reply() -> None:
    clock = Clock()
    protocol, wire = connect(ReverseFactory(clock, delay=5))
    reverse = cast(Reverse, protocol)
    assert IHalfCloseableProtocol.providedBy(reverse)
    reverse.dataReceived(b"hello!")
    with capturedLogs() as events:
        reverse.readConnectionLost()
        clock.advance(5)
        reverse.writeConnectionLost()
        reverse.connectionLost()
    assert texts(events) == [
        "192.0.2.1:4242 finished sending and may have left; its reply follows when due"
    ]
    assert (wire.value(), wire.disconnecting) == (b"olleh", True)


def test_a_client_that_finished_sending_without_a_delimiter_is_reported_once() -> None:
    protocol, wire = connect(ReverseFactory(Clock()))
    reverse = cast(Reverse, protocol)
    reverse.dataReceived(b"hello")
    with capturedLogs() as events:
        reverse.readConnectionLost()
        reverse.connectionLost()
    assert texts(events) == ["192.0.2.1:4242 left early, before its request was complete"]
    assert (wire.value(), wire.disconnecting) == (b"", True)


def test_a_normal_end_is_not_reported() -> None:
    reverse, _ = connect(ReverseFactory(Clock()))
    with capturedLogs() as events:
        reverse.dataReceived(b"hello!")
        reverse.connectionLost()
    assert texts(events) == []


def test_farewell_sends_the_waiting_replies_at_once() -> None:
    clock = Clock()
    factory = ReverseFactory(clock, delay=60)
    waiting, wire = connect(factory)
    _, unfinished_wire = connect(factory)
    waiting.dataReceived(b"hello!")
    factory.farewell()
    assert (wire.value(), wire.disconnecting) == (b"olleh", True)
    assert (unfinished_wire.value(), unfinished_wire.disconnecting) == (b"", True)
    assert not clock.getDelayedCalls()
    factory.farewell()
    assert wire.value() == b"olleh"


def test_an_empty_delimiter_is_refused() -> None:
    with pytest.raises(ValueError, match="empty delimiter"):
        ReverseFactory(Clock(), delimiter=b"")
