from __future__ import annotations

import errno
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionLost

from proto.reactor.connection import LeanConnection
from proto.reactor.loop import LeanReactor
from tests.reactor.actors import BIG, Producer
from tests.reactor.stage import Recorder, Stage, staged


def arrived(peer: socket.socket) -> bytes:
    """What the peer can read now, without another turn of the reactor."""
    peer.setblocking(False)
    try:
        return peer.recv(1 << 20)
    except BlockingIOError:
        return b""


def test_a_write_of_its_own_accord_leaves_at_once(lean: Stage) -> None:
    protocol, peer = lean.pair()
    protocol.transport.write(b"a")
    assert arrived(peer) == b"a"
    protocol.transport.writeSequence([b"b", b"", b"c"])
    assert arrived(peer) == b"bc"
    assert protocol.transport not in lean.reactor.getWriters()


@pytest.mark.parametrize("earlier", [b"", b"earlier"])
def test_writes_of_one_event_are_held_and_leave_together(lean: Stage, earlier: bytes) -> None:
    protocol, peer = lean.pair()
    protocol.transport.write(earlier)
    assert arrived(peer) == earlier
    held: list[tuple[int, bytes]] = []

    def answer(data: bytes) -> None:
        for piece in (b"one ", b"two ", b"three"):
            protocol.transport.write(piece)
        held.append((protocol.transport.unsent, arrived(peer)))

    protocol.on_data = answer
    lean.send(peer, b"x", protocol)
    assert held == [(13, b"")]
    assert arrived(peer) == b"one two three"
    assert protocol.transport.unsent == 0


def test_what_is_written_while_connecting_leaves_together(lean: Stage) -> None:
    held: list[int] = []

    class Greeter(Recorder):
        def connectionMade(self) -> None:
            self.transport.write(b"hello ")
            self.transport.write(b"you")
            held.append(self.transport.unsent)

    _, peer = lean.pair(Greeter())
    assert held == [9]
    assert arrived(peer) == b"hello you"


def test_one_event_holds_no_more_than_the_buffer_size(lean: Stage) -> None:
    protocol, peer = lean.pair()
    most: list[int] = []

    def answer(data: bytes) -> None:
        for _ in range(100):
            protocol.transport.write(b"x" * 1000)
            most.append(protocol.transport.unsent)

    protocol.transport.bufferSize = 4000
    protocol.on_data = answer
    lean.send(peer, b"x", protocol)
    assert 3000 <= max(most) <= 4000
    assert lean.read(peer, 100_000) == b"x" * 100_000


def test_a_write_to_another_connection_inside_an_event_leaves_at_once(lean: Stage) -> None:
    one, peer = lean.pair()
    two, friend = lean.pair()
    seen: list[bytes] = []

    def pass_on(data: bytes) -> None:
        two.transport.write(data)
        seen.append(arrived(friend))

    one.on_data = pass_on
    lean.send(peer, b"news", one)
    assert seen == [b"news"]


def test_what_the_kernel_does_not_take_waits_and_is_counted(lean: Stage) -> None:
    protocol, peer = lean.pair()
    protocol.transport.write(BIG)
    left = protocol.transport.unsent
    assert 0 < left < len(BIG)
    protocol.transport.write(b"more")
    assert protocol.transport.unsent == left + 4
    assert protocol.transport in lean.reactor.getWriters()
    assert lean.read(peer, len(BIG) + 4) == BIG + b"more"
    lean.until(lambda: protocol.transport not in lean.reactor.getWriters())
    assert protocol.transport.unsent == 0


def test_it_reads_no_more_in_a_turn_than_it_is_told(lean: Stage) -> None:
    protocol, peer = lean.pair()
    pieces: list[bytes] = []
    protocol.on_data = pieces.append
    transport: LeanConnection = protocol.transport
    transport.bufferSize = 6
    lean.send(peer, b"abcdefgh", protocol)
    transport.readSize = 4
    lean.send(peer, b"abcdefgh", protocol)
    assert pieces == [b"abcdef", b"gh", b"abcd", b"efgh"]


class Unreachable:
    """A socket that cannot send at the moment."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real

    def send(self, data: bytes, flags: int = 0) -> int:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    def sendmsg(self, *args: object) -> int:
        return self.send(b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@pytest.mark.parametrize("moment", ["of its own accord", "in an event", "several"])
def test_a_write_that_failed_ends_the_connection_even_if_the_next_would_not(
    lean: Stage, moment: str
) -> None:
    protocol, peer = lean.pair()
    transport = protocol.transport
    transport.write(b"from now on writes need not ask")
    real = transport.socket

    def write(data: bytes) -> None:
        transport.socket = Unreachable(real)
        transport.write(b"lost")
        if moment == "several":
            transport.write(b"lost too")
        assert protocol.lost == []

    if moment == "of its own accord":
        write(b"")
        transport.socket = real
    else:
        protocol.on_data = write
        peer.sendall(b"x")
    lean.until(lambda: protocol.lost)
    assert [type(reason) for reason in protocol.lost] == [ConnectionLost]


@pytest.mark.parametrize("data", ["text", bytearray(b"x"), memoryview(b"x"), None, 5])
def test_only_bytes_can_be_written(stage: Stage, data: Any) -> None:
    protocol, _ = stage.pair()
    with pytest.raises(TypeError):
        protocol.transport.write(data)
    with pytest.raises(TypeError):
        protocol.transport.writeSequence([b"x", data])


def test_a_push_producer_that_writes_until_it_is_told_to_stop_is_told(stage: Stage) -> None:
    """Though the kernel would take everything."""
    protocol, peer = stage.pair()
    producer = Producer()
    protocol.transport.bufferSize = 1000
    protocol.transport.registerProducer(producer, True)
    protocol.transport.write(b"x" * 1001)
    assert producer.asked == ["pause"]
    stage.until(lambda: producer.asked == ["pause", "resume"])
    protocol.transport.unregisterProducer()
    assert stage.read(peer, 1001) == b"x" * 1001


def test_a_producer_that_comes_when_all_is_over_is_stopped(stage: Stage) -> None:
    protocol, peer = stage.pair()
    peer.close()
    stage.until(lambda: protocol.lost)
    producer = Producer()
    protocol.transport.registerProducer(producer, True)
    assert producer.asked == ["stop"]


Step = tuple[str, tuple[str, Any]]
pieces = st.sampled_from([0, 1, 7, 1000, 70_000, 300_000])
moments = st.sampled_from(["now", "in an event", "at the end"])
acts = st.one_of(
    st.tuples(st.just("write"), pieces),
    st.tuples(st.just("sequence"), st.lists(pieces, max_size=4)),
    st.tuples(st.just("file"), st.tuples(st.integers(0, 99), pieces)),
    st.tuples(st.just("read"), pieces),
    st.tuples(st.just("turn"), st.just(0)),
)


class Script:
    """Does what hypothesis says, and knows what has to arrive."""

    def __init__(self, stage: Stage, file: int, content: bytes) -> None:
        self.stage = stage
        self.protocol, self.peer = stage.pair()
        self.expected = bytearray()
        self.got = bytearray()
        self._file = file
        self._content = content
        self._number = 0

    def piece(self, size: int) -> bytes:
        """Bytes that tell one piece from another."""
        self._number += 1
        return (b"<%d>" % self._number * (size // 3 + 1))[:size]

    def do(self, act: tuple[str, Any]) -> None:
        what, how = act
        transport = self.protocol.transport
        if what == "write":
            data = self.piece(how)
            transport.write(data)
            self.expected += data
        elif what == "sequence":
            several = [self.piece(size) for size in how]
            transport.writeSequence(several)
            self.expected += b"".join(several)
        elif what == "file" and isinstance(transport, LeanConnection):
            offset, count = how
            transport.sendFile(self._file, offset, count)
            self.expected += self._content[offset : offset + count]
        elif what == "read":
            self.got += self.stage.read(self.peer, min(how, len(self.expected) - len(self.got)))
        elif what == "turn":
            self.stage.turn()


scripts = st.lists(st.tuples(moments, acts), max_size=12)


@settings(max_examples=40)
@given(script=scripts, close=st.booleans())
def test_whatever_is_sent_arrives_as_it_is(script: list[Step], close: bool) -> None:
    perform(LeanReactor, script, close)


@settings(max_examples=20)
@given(script=scripts, close=st.booleans())
def test_it_is_so_with_the_other_reactor(script: list[Step], close: bool) -> None:
    """Or the test above would prove nothing."""
    perform(EPollReactor, script, close)


def perform(kind: Callable[[], Any], script: list[Step], close: bool) -> None:
    content = os.urandom(300_100)
    with tempfile.TemporaryDirectory() as folder, staged(kind) as stage:
        path = Path(folder, "file")
        path.write_bytes(content)
        file = os.open(path, os.O_RDONLY)
        try:
            play(stage, Script(stage, file, content), script, close)
        finally:
            os.close(file)


def play(stage: Stage, actor: Script, script: list[Step], close: bool) -> None:
    protocol, peer = actor.protocol, actor.peer
    ends = getattr(stage.reactor, "callAtEndOfTurn", lambda f, *args: f(*args))
    for when, act in script:
        if when == "now" or act[0] in ("read", "turn"):
            actor.do(act)
        elif when == "at the end":
            ends(actor.do, act)
            stage.turn()
        else:

            def told(data: bytes, act: tuple[str, Any] = act) -> None:
                actor.do(act)

            protocol.on_data = told
            stage.send(peer, b"x", protocol)
    if close:
        protocol.transport.loseConnection()
        actor.got += stage.read_to_end(peer)
    else:
        actor.got += stage.read(peer, len(actor.expected) - len(actor.got))
        stage.settle()
        assert arrived(peer) == b""
    assert actor.got == actor.expected
