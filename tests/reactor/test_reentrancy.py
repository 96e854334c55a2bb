"""What Twisted's users rely on when one call leads to another, on both reactors alike."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from tests.reactor.actors import BIG, HalfCloseable, Producer, reset
from tests.reactor.stage import Recorder, Stage


def test_a_write_and_close_inside_data_received_reaches_the_peer(stage: Stage) -> None:
    protocol, peer = stage.pair()

    def answer(data: bytes) -> None:
        protocol.transport.write(b"good")
        protocol.transport.loseConnection()
        assert protocol.lost == []
        protocol.transport.write(b"bye")

    protocol.on_data = answer
    peer.sendall(b"x")
    assert stage.read_to_end(peer) == b"goodbye"
    stage.until(lambda: protocol.lost)
    assert [type(reason) for reason in protocol.lost] == [ConnectionDone]


def test_everything_written_before_a_close_is_sent_first(stage: Stage) -> None:
    protocol, peer = stage.pair()
    protocol.transport.write(BIG)
    protocol.transport.loseConnection()
    assert stage.read_to_end(peer) == BIG


def test_a_close_outside_any_event_is_not_told_within_the_call(stage: Stage) -> None:
    protocol, peer = stage.pair()
    protocol.transport.loseConnection()
    assert protocol.lost == []
    assert stage.read_to_end(peer) == b""
    stage.until(lambda: protocol.lost)


def test_nothing_is_heard_after_a_close(stage: Stage) -> None:
    protocol, peer = stage.pair()
    protocol.transport.loseConnection()
    peer.sendall(b"too late")
    stage.until(lambda: protocol.lost)
    assert protocol.received == b""


def test_a_close_inside_a_write_loses_nothing(stage: Stage) -> None:
    """The write pauses the producer, and the producer closes."""
    protocol, peer = stage.pair()
    producer = Producer()

    def close() -> None:
        producer.on_pause = lambda: None
        protocol.transport.unregisterProducer()
        protocol.transport.loseConnection()

    producer.on_pause = close
    protocol.transport.registerProducer(producer, True)
    protocol.transport.write(BIG)
    assert protocol.lost == []
    assert stage.read_to_end(peer) == BIG


def test_an_abort_inside_a_write_ends_the_connection_after_it(stage: Stage) -> None:
    protocol, peer = stage.pair()
    producer = Producer()
    producer.on_pause = protocol.transport.abortConnection
    protocol.transport.registerProducer(producer, True)
    protocol.transport.write(BIG)
    assert protocol.lost == []
    stage.until(lambda: protocol.lost)
    assert isinstance(protocol.lost[0], ConnectionAborted)
    assert producer.asked[-1] == "stop"
    with pytest.raises(ConnectionResetError):
        stage.read_to_end(peer)


def test_an_exception_in_data_received_is_logged_and_ends_that_connection_alone(
    stage: Stage,
) -> None:
    protocol, peer = stage.pair()
    other, friend = stage.pair()

    def fail(data: bytes) -> None:
        protocol.transport.write(b"never sent")
        raise ZeroDivisionError("a bug")

    protocol.on_data = fail
    peer.sendall(b"x")
    stage.until(lambda: protocol.lost)
    assert [type(reason) for reason in protocol.lost] == [ZeroDivisionError]
    assert [failure.type for failure in stage.failures] == [ZeroDivisionError]
    stage.failures.clear()
    assert stage.read_to_end(peer) == b""
    stage.send(friend, b"still here", other)


def test_an_exception_in_connection_lost_is_logged_and_hurts_nobody(stage: Stage) -> None:
    protocol, peer = stage.pair()
    other, friend = stage.pair()

    def fail() -> None:
        raise ZeroDivisionError("a bug")

    protocol.on_lost = fail
    peer.close()
    stage.until(lambda: protocol.lost)
    assert [failure.type for failure in stage.failures] == [ZeroDivisionError]
    stage.failures.clear()
    stage.send(friend, b"still here", other)


def test_an_exception_while_connecting_leaves_the_port_open(stage: Stage) -> None:
    class Clumsy(Recorder):
        def connectionMade(self) -> None:
            self.transport.write(b"hello")
            if not failed:
                failed.append(self)
                raise ZeroDivisionError("a bug")

    failed: list[Recorder] = []
    made: list[Recorder] = []

    def build() -> Recorder:
        made.append(Clumsy())
        return made[-1]

    port = stage.listen(build)
    first = stage.dial(port)
    stage.until(lambda: failed)
    stage.until(lambda: stage.failures)
    stage.failures.clear()
    assert stage.read(first, 5) == b"hello"
    peer = stage.dial(port)
    peer.sendall(b"hello")
    stage.until(lambda: made[-1].received == b"hello")


def test_a_write_inside_connection_lost_is_ignored(stage: Stage) -> None:
    protocol, peer = stage.pair()
    protocol.on_lost = lambda: protocol.transport.write(b"into the void")
    peer.close()
    stage.until(lambda: protocol.lost)
    protocol.transport.write(b"and later")
    protocol.transport.writeSequence([b"and", b"later"])
    protocol.transport.loseConnection()
    stage.settle()
    assert len(protocol.lost) == 1


def test_a_write_to_a_peer_that_is_gone_is_told_later(stage: Stage) -> None:
    protocol, peer = stage.pair()
    protocol.transport.pauseProducing()
    reset(peer)
    for _ in range(3):
        protocol.transport.write(BIG)
        assert protocol.lost == []
    stage.until(lambda: protocol.lost)
    assert [type(reason) for reason in protocol.lost] == [ConnectionLost]


def test_a_peer_that_resets_while_bytes_wait_is_told_once(stage: Stage) -> None:
    protocol, peer = stage.pair()
    protocol.transport.write(BIG)
    stage.turn()
    reset(peer)
    stage.until(lambda: protocol.lost)
    stage.settle()
    assert [type(reason) for reason in protocol.lost] == [ConnectionLost]


def test_an_abort_throws_away_what_waits_and_is_told_later(stage: Stage) -> None:
    protocol, peer = stage.pair()

    def abort(data: bytes) -> None:
        protocol.transport.write(b"never sent")
        protocol.transport.abortConnection()
        protocol.transport.write(b"nor this")
        assert protocol.lost == []

    protocol.on_data = abort
    peer.sendall(b"x")
    stage.until(lambda: protocol.lost)
    assert [type(reason) for reason in protocol.lost] == [ConnectionAborted]
    with pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_a_peer_that_closes_its_half_still_hears_us(stage: Stage) -> None:
    protocol = HalfCloseable()
    _, peer = stage.pair(protocol)
    peer.sendall(b"that is all")
    peer.shutdown(socket.SHUT_WR)
    stage.until(lambda: protocol.ended)
    assert (protocol.received, protocol.ended, protocol.lost) == (b"that is all", ["read"], [])
    protocol.transport.write(b"and to you")
    protocol.transport.loseConnection()
    assert stage.read_to_end(peer) == b"and to you"
    stage.until(lambda: protocol.lost)


def test_we_close_our_half_after_what_is_written_and_still_hear_the_peer(stage: Stage) -> None:
    protocol = HalfCloseable()
    _, peer = stage.pair(protocol)
    protocol.transport.write(BIG)
    protocol.transport.loseWriteConnection()
    protocol.transport.write(b"!")
    assert protocol.ended == []
    assert stage.read_to_end(peer) == BIG + b"!"
    stage.until(lambda: protocol.ended == ["write"])
    protocol.transport.write(b"too late")
    stage.send(peer, b"I hear", protocol)
    stage.settle()
    assert protocol.lost == []
    protocol.transport.loseConnection()
    stage.until(lambda: protocol.lost)
    assert isinstance(protocol.lost[0], ConnectionDone)


def test_a_paused_transport_hears_nothing_until_it_is_resumed(stage: Stage) -> None:
    protocol, peer = stage.pair()
    other, friend = stage.pair()
    protocol.transport.pauseProducing()
    peer.sendall(b"patience")
    stage.send(friend, b"x", other)
    stage.settle()
    assert protocol.received == b""
    protocol.transport.resumeProducing()
    stage.until(lambda: protocol.received == b"patience")


def test_one_that_pauses_itself_hears_no_more_this_turn(stage: Stage) -> None:
    protocol, peer = stage.pair()
    protocol.on_data = lambda data: protocol.transport.pauseProducing()
    protocol.transport.bufferSize = 4
    peer.sendall(b"abcdefgh")
    stage.until(lambda: protocol.received)
    stage.settle()
    assert protocol.received == b"abcd"
