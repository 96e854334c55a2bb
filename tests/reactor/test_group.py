from __future__ import annotations

import os
import socket
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.protocol import ClientFactory, Factory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory

from proto.reactor.group import SMALL, Group
from proto.reactor.loop import LeanReactor
from proto.tls import Certificates
from tests.certificate import write_pair
from tests.reactor.actors import BIG, Producer, reset
from tests.reactor.stage import Recorder, Stage, staged


class Broken(StringTransport):
    """Raises at each write, like a producer that does when it is paused."""

    def write(self, data: bytes) -> None:
        raise ZeroDivisionError


def members(stage: Stage, count: int) -> tuple[Group, list[tuple[Recorder, socket.socket]]]:
    """A group of connections, all of which were written `hello`."""
    group = Group()
    pairs = [stage.pair() for _ in range(count)]
    for protocol, _ in pairs:
        group.add(protocol.transport)
    group.write(b"hello")
    for _, peer in pairs:
        assert stage.read(peer, 5) == b"hello"
    return group, pairs


def is_quick(protocol: Recorder) -> bool:
    return protocol.transport.group is not None


def test_everybody_is_written_the_same(stage: Stage) -> None:
    group, pairs = members(stage, 3)
    group.write(b"")
    group.write(b"to all")
    assert [stage.read(peer, 6) for _, peer in pairs] == [b"to all"] * 3


def test_who_is_discarded_is_written_no_more(stage: Stage) -> None:
    group, ((first, _), (_, friend)) = members(stage, 2)
    group.discard(first.transport)
    group.write(b"one")
    assert (stage.read(friend, 3), len(group)) == (b"one", 1)
    first.transport.write(b"alone")
    first.transport.loseConnection()
    stage.until(lambda: first.lost)


def test_a_connection_for_which_nothing_waits_is_quick(lean: Stage) -> None:
    _, pairs = members(lean, 2)
    assert all(is_quick(protocol) for protocol, _ in pairs)


@pytest.mark.parametrize("size", [SMALL, len(BIG)])
def test_what_the_kernel_does_not_take_waits_and_keeps_its_place(lean: Stage, size: int) -> None:
    group, ((protocol, peer),) = members(lean, 1)
    said = b""
    while is_quick(protocol) and len(said) < 1 << 26:
        group.write(BIG[:size])
        said += BIG[:size]
    group.write(b"after")
    protocol.transport.write(b"alone")
    group.write(b"end")
    said += b"afteraloneend"
    assert not is_quick(protocol)
    assert lean.read(peer, len(said)) == said
    lean.settle()
    group.write(b"again")
    assert (lean.read(peer, 5), is_quick(protocol)) == (b"again", True)


def test_what_is_written_in_ones_own_event_keeps_its_place(lean: Stage) -> None:
    group, ((protocol, peer), (_, friend)) = members(lean, 2)

    def answer(data: bytes) -> None:
        protocol.transport.write(b"1")
        group.write(b"2")
        protocol.transport.write(b"3")

    protocol.on_data = answer
    lean.send(peer, b"x", protocol)
    assert (lean.read(peer, 3), lean.read(friend, 1)) == (b"123", b"2")


def test_what_is_held_keeps_its_place_while_another_is_told_something(lean: Stage) -> None:
    group, ((protocol, peer), (other, _)) = members(lean, 2)

    def answer(data: bytes) -> None:
        protocol.transport.write(b"1")
        lean.reactor.deliver(other.transport, group.write, b"2")

    protocol.on_data = answer
    lean.send(peer, b"x", protocol)
    assert lean.read(peer, 2) == b"12"


def test_a_producer_is_paused_as_by_a_write_of_ones_own(lean: Stage) -> None:
    group, ((protocol, peer),) = members(lean, 1)
    producer = Producer()
    protocol.transport.registerProducer(producer, True)
    group.write(b"x")
    assert (producer.asked, is_quick(protocol)) == ([], True)
    group.write(BIG)
    assert producer.asked == ["pause"]
    assert lean.read(peer, 1 + len(BIG)) == b"x" + BIG
    lean.until(lambda: producer.asked == ["pause", "resume"])
    protocol.transport.unregisterProducer()


@pytest.mark.parametrize("way", ["loseConnection", "abortConnection", "loseWriteConnection"])
def test_who_is_closing_is_quick_no_more(lean: Stage, way: str) -> None:
    group, ((protocol, peer), (_, friend)) = members(lean, 2)
    getattr(protocol.transport, way)()
    assert not is_quick(protocol)
    group.write(b"x")
    assert lean.read(friend, 1) == b"x"
    peer.close()
    lean.until(lambda: protocol.lost)
    group.write(b"y")
    assert lean.read(friend, 1) == b"y"


def test_a_peer_that_is_gone_ends_its_connection_in_a_later_turn(lean: Stage) -> None:
    group, ((protocol, peer), (_, friend)) = members(lean, 2)
    reset(peer)
    group.write(b"x")
    group.write(b"y")
    assert (protocol.lost, is_quick(protocol)) == ([], False)
    assert lean.read(friend, 2) == b"xy"
    lean.until(lambda: protocol.lost)


def test_a_write_that_raises_hurts_nobody_else(lean: Stage) -> None:
    group = Group()
    before, after = StringTransport(), StringTransport()
    for transport in (before, Broken(), after):
        group.add(transport)
    with pytest.raises(ZeroDivisionError):
        group.write(b"x")
    assert before.value() == after.value() == b"x"


def test_a_connection_is_quick_in_one_group_and_written_to_by_both(lean: Stage) -> None:
    group, ((protocol, peer),) = members(lean, 1)
    other = Group()
    other.add(protocol.transport)
    group.write(b"1")
    other.write(b"2")
    group.discard(protocol.transport)
    other.write(b"3")
    other.write(b"4")
    assert (lean.read(peer, 4), protocol.transport.group) == (b"1234", other)


def test_nothing_goes_out_in_the_clear_below_tls(lean: Stage, tmp_path: Path) -> None:
    write_pair(tmp_path)
    server, client = Recorder(), Recorder()
    inner = Factory.forProtocol(lambda: server)
    certificates = Certificates(str(tmp_path), lean.reactor.seconds, ())
    factory = TLSMemoryBIOFactory(certificates, False, inner, lean.reactor)
    port = lean.reactor.listenTCP(0, factory, interface="127.0.0.1")
    outer = ClientFactory.forProtocol(lambda: client)
    outer.noisy = inner.noisy = False
    there = TLSMemoryBIOFactory(CertificateOptions(), True, outer, lean.reactor)
    lean.reactor.connectTCP("127.0.0.1", port.getHost().port, there)
    lean.until(lambda: server.connected and client.connected)
    group = Group()
    group.add(server.transport)
    said = b""
    for number in range(20):
        group.write(b"%d;" % number)
        said += b"%d;" % number
        lean.settle()
    lean.until(lambda: client.received == said)
    client.transport.loseConnection()
    lean.until(lambda: server.lost and client.lost)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["now", "at the end", "heard"]),
        st.sampled_from(["group", "own", "leave", "come", "read", "turn"]),
        st.sampled_from([1, 100, SMALL, SMALL + 1, 300_000]),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(script=STEPS)
def test_whatever_is_written_by_whom_arrives_in_order(
    script: list[tuple[str, str, int]],
) -> None:
    with staged(LeanReactor) as stage:
        group, pairs = members(stage, 2)
        (protocol, peer), (_, friend) = pairs
        expected = {peer: b"", friend: b""}
        got = {peer: b"", friend: b""}
        inside = [True]

        def act(what: str, size: int) -> None:
            data = os.urandom(size)
            if what == "group":
                expected[friend] += data
                if inside[0]:
                    expected[peer] += data
                group.write(data)
            elif what == "own":
                expected[peer] += data
                protocol.transport.write(data)
            elif what == "leave":
                inside[0] = False
                group.discard(protocol.transport)
            elif what == "come":
                inside[0] = True
                group.add(protocol.transport)

        def heard(what: str, size: int, data: bytes) -> None:
            act(what, size)

        for when, what, size in script:
            if what == "turn":
                stage.turn()
            elif what == "read":
                missing = len(expected[peer]) - len(got[peer])
                got[peer] += stage.read(peer, min(size, missing))
            elif when == "heard":
                protocol.on_data = partial(heard, what, size)
                stage.send(peer, b"x", protocol)
            elif when == "at the end":
                stage.reactor.callAtEndOfTurn(act, what, size)
                stage.turn()
            else:
                act(what, size)
        for each in (peer, friend):
            got[each] += stage.read(each, len(expected[each]) - len(got[each]))
        assert got == expected
