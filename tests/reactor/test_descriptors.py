"""A descriptor that is closed and used again in the same turn."""

from __future__ import annotations

import os
import socket

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.reactor.actors import BIG, Foreign, reset
from tests.reactor.stage import Recorder, Stage


def replace(stage: Stage, protocol: Recorder, by: socket.socket) -> Foreign:
    """Close a connection at once and give its number to another socket."""
    number = protocol.transport.fileno()
    protocol.transport.connectionLost(Failure(ConnectionDone()))
    os.dup2(by.fileno(), number)
    os.set_blocking(number, False)
    foreign = Foreign(stage.reactor, number)
    stage.reactor.addReader(foreign)
    return foreign


def test_a_descriptor_taken_anew_in_the_same_turn_hears_nothing_of_the_old(stage: Stage) -> None:
    """Both are readable; the first to be told closes the other, whose number is used again."""
    one, peer = stage.pair()
    two, friend = stage.pair()
    left, right = socket.socketpair()
    made: list[Foreign] = []

    def replace_once(other: Recorder) -> None:
        if not made:
            made.append(replace(stage, other, right))

    one.on_data = lambda data: replace_once(two)
    two.on_data = lambda data: replace_once(one)
    peer.sendall(b"old")
    friend.sendall(b"old")
    stage.until(lambda: made)
    stage.settle()
    assert (made[0].read, made[0].lost) == (b"", [])
    left.sendall(b"new")
    stage.until(lambda: made[0].read == b"new")
    stage.reactor.removeReader(made[0])
    os.close(made[0].fileno())
    left.close()
    right.close()


def test_the_end_of_an_old_connection_is_not_the_end_of_the_new(lean: Stage) -> None:
    """Twisted's own reactor would ask the new one to read, or tell it that it has ended."""
    one, peer = lean.pair()
    two, friend = lean.pair()
    left, right = socket.socketpair()
    made: list[Foreign] = []
    one.on_data = lambda data: made.append(replace(lean, two, right))
    two.transport.pauseProducing()
    two.transport.write(BIG)
    lean.settle()
    peer.sendall(b"x")
    reset(friend)  # an event without anything to read
    lean.until(lambda: made)
    lean.settle()
    assert (made[0].asked, made[0].lost) == (0, [])
    lean.reactor.removeReader(made[0])
    os.close(made[0].fileno())
    left.close()
    right.close()
