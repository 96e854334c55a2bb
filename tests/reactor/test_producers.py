"""Producers and the transports that pause and resume them, on both reactors alike."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from tests.reactor.actors import BIG, Producer
from tests.reactor.stage import Stage


def test_a_producer_is_paused_by_a_full_transport_and_resumed_by_an_empty_one(
    stage: Stage,
) -> None:
    protocol, peer = stage.pair()
    producer = Producer()
    protocol.transport.registerProducer(producer, True)
    protocol.transport.write(b"little")
    assert producer.asked == []
    protocol.transport.write(BIG)
    assert producer.asked == ["pause"]
    assert stage.read(peer, 6 + len(BIG)) == b"little" + BIG
    stage.until(lambda: producer.asked == ["pause", "resume"])
    protocol.transport.unregisterProducer()


def test_a_producer_that_writes_when_it_is_resumed_is_heard(stage: Stage) -> None:
    protocol, peer = stage.pair()
    producer = Producer()

    def last() -> None:
        protocol.transport.write(b"the last")
        protocol.transport.unregisterProducer()
        protocol.transport.loseConnection()

    producer.on_resume = last
    protocol.transport.registerProducer(producer, True)
    protocol.transport.write(BIG)
    assert stage.read_to_end(peer) == BIG + b"the last"
    assert producer.asked == ["pause", "resume"]


@implementer(IPullProducer)
class Puller:
    """Writes one piece each time it is asked."""

    def __init__(self, transport: Any, pieces: list[bytes], close: bool) -> None:
        self.transport = transport
        self.pieces = pieces
        self.close = close
        self.depth = 0

    def resumeProducing(self) -> None:
        assert self.depth == 0, "asked for more inside a write"
        self.depth += 1
        if self.pieces:
            self.transport.write(self.pieces.pop(0))
        else:
            self.transport.unregisterProducer()
            if self.close:
                self.transport.loseConnection()
        self.depth -= 1

    def stopProducing(self) -> None:
        raise AssertionError("nobody stops it")


def test_a_pulled_producer_is_asked_until_it_has_no_more(stage: Stage) -> None:
    protocol, peer = stage.pair()
    pieces = [b"one ", BIG, b" two", b" three"]
    puller = Puller(protocol.transport, list(pieces), close=True)
    protocol.transport.registerProducer(puller, False)
    assert stage.read_to_end(peer) == b"".join(pieces)


def test_a_pulled_producer_registered_in_data_received_follows_what_was_written(
    stage: Stage,
) -> None:
    protocol, peer = stage.pair()

    def answer(data: bytes) -> None:
        protocol.transport.write(b"head ")
        puller = Puller(protocol.transport, [b"a", b"b"], close=True)
        protocol.transport.registerProducer(puller, False)

    protocol.on_data = answer
    peer.sendall(b"x")
    assert stage.read_to_end(peer) == b"head ab"


def test_a_pulled_producer_that_has_nothing_yet_is_asked_again_when_all_has_left(
    stage: Stage,
) -> None:
    protocol, peer = stage.pair()

    def answer(data: bytes) -> None:
        protocol.transport.write(b"head ")
        puller = Puller(protocol.transport, [b"", b"a", b"b"], close=True)
        protocol.transport.registerProducer(puller, False)

    protocol.on_data = answer
    peer.sendall(b"x")
    assert stage.read_to_end(peer) == b"head ab"


def test_close_waits_for_a_registered_producer(stage: Stage) -> None:
    protocol, peer = stage.pair()
    producer = Producer()
    protocol.transport.registerProducer(producer, True)
    protocol.transport.write(BIG)
    protocol.transport.loseConnection()
    assert stage.read(peer, len(BIG)) == BIG
    stage.until(lambda: producer.asked == ["pause", "resume"])
    assert protocol.lost == []
    protocol.transport.write(b"more")
    protocol.transport.unregisterProducer()
    assert stage.read_to_end(peer) == b"more"
