from __future__ import annotations

import socket
import struct
from typing import Any

import msgspec
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from proto.tap.control import MAX_MESSAGE, Line, Message, join


class End:
    """One end of a line in memory, and what it heard."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.losses = 0
        self.line = Line(self.heard.append, self.lost)
        self.wire = StringTransport()
        self.line.makeConnection(self.wire)

    def lost(self) -> None:
        self.losses += 1


def test_a_message_arrives_as_it_was_said_however_it_is_cut() -> None:
    here, there = End(), End()
    message = Message("told", "proto_x 1.0\n", {"web": True, "metrics": False})
    here.line.say(message)
    here.line.say(Message("ready"))
    for byte in here.wire.value():
        there.line.dataReceived(bytes((byte,)))
    assert there.heard == [message, Message("ready")]


def test_figures_that_are_too_long_are_left_out_and_told() -> None:
    here, there = End(), End()
    with capturedLogs() as logged:
        here.line.say(Message("told", "x" * (MAX_MESSAGE + 1), {"web": True}))
    assert len(logged) == 1
    there.line.dataReceived(here.wire.value())
    assert there.heard == [Message("told", "", {"web": True})]


def test_a_message_that_is_too_long_ends_the_line_before_it_is_read() -> None:
    end = End()
    with capturedLogs() as logged:
        end.line.dataReceived(struct.pack("!I", MAX_MESSAGE + 1))
    assert end.wire.disconnecting
    assert len(logged) == 1
    assert end.heard == []


def test_what_makes_no_sense_ends_the_line() -> None:
    for nonsense in (b"", b"{", b'{"kind":"shout"}', b'{"kind":"told","services":1}', b"\xff"):
        end = End()
        with capturedLogs() as logged:
            end.line.dataReceived(struct.pack("!I", len(nonsense)) + nonsense)
        assert (end.wire.disconnecting, len(logged), end.heard) == (True, 1, [])


def test_nothing_is_said_into_the_void() -> None:
    end = End()
    end.line.connectionLost()
    end.line.say(Message("ready"))
    end.line.close()
    assert (end.losses, end.wire.value()) == (1, b"")
    Line(end.heard.append, end.lost).close()


def test_a_field_that_is_not_known_yet_is_no_mistake() -> None:
    """A master may be older than the workers that it starts, while an installation is renewed."""
    end = End()
    text = msgspec.json.encode({"kind": "ready", "new": 1})
    end.line.dataReceived(struct.pack("!I", len(text)) + text)
    assert end.heard == [Message("ready")]


@pytest_twisted.async_yield_fixture
async def reactor() -> Any:
    from twisted.internet import reactor as the_reactor

    yield the_reactor


@pytest_twisted.ensureDeferred
async def test_two_ends_of_a_real_pair_hear_each_other_and_the_end(reactor: Any) -> None:
    heard: Deferred[Message] = Deferred()
    lost: Deferred[None] = Deferred()
    ours, theirs = socket.socketpair()
    here = Line(lambda message: None, lambda: None)
    there = Line(heard.callback, lambda: lost.callback(None))
    join(reactor, ours, here)
    join(reactor, theirs, there)
    assert (ours.fileno(), theirs.fileno()) == (-1, -1)
    here.say(Message("tell"))
    assert await heard.addTimeout(5, reactor) == Message("tell")
    here.close()
    await lost.addTimeout(5, reactor)
