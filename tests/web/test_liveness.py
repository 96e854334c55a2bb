from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from select import select

import pytest
from twisted.internet.testing import StringTransport

from proto.web.liveness import is_gone, probe, taken, unread_by

PATIENCE = 20


@dataclass
class Holder:
    """What a transport is here: something that has a socket."""

    held: socket.socket

    def getHandle(self) -> socket.socket:
        return self.held


@pytest.fixture
def pair() -> Iterator[tuple[Holder, socket.socket]]:
    """Our side of a TCP connection, and the peer's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = socket.create_connection(server.getsockname(), PATIENCE)
        ours, _ = server.accept()
    ours.settimeout(PATIENCE)
    with ours, peer:
        yield Holder(ours), peer


def test_what_the_peer_has_taken_grows(pair: tuple[Holder, socket.socket]) -> None:
    ours, peer = pair
    before = taken(ours)
    ours.held.sendall(b"x" * 100)
    assert len(peer.recv(1000)) == 100
    while unread_by(ours):
        select([], [], [], 0.01)
    assert taken(ours) == before + 100


def test_a_peer_that_reads_nothing_takes_nothing(pair: tuple[Holder, socket.socket]) -> None:
    ours, _ = pair
    ours.held.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            ours.held.send(b"x" * 65536)
    while True:  # until the peer's kernel has taken all it will
        before = taken(ours)
        select([], [], [], 0.3)
        if taken(ours) == before:
            break
    assert unread_by(ours) > 0
    assert not is_gone(ours)


def test_the_kernel_is_asked_to_probe(pair: tuple[Holder, socket.socket]) -> None:
    ours, _ = pair
    assert not ours.held.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    probe(ours)
    assert ours.held.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_peer_that_was_reset_is_gone(pair: tuple[Holder, socket.socket]) -> None:
    ours, peer = pair
    assert not is_gone(ours)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    with pytest.raises(ConnectionResetError):
        ours.held.recv(1)
    assert is_gone(ours)


def test_of_other_connections_less_is_known() -> None:
    ours, peer = socket.socketpair()
    with ours, peer:
        holder = Holder(ours)
        probe(holder)
        assert not is_gone(holder)
        ours.sendall(b"x" * 100)
        before = taken(holder)
        assert unread_by(holder) > 0
        peer.recv(1000)
        assert taken(holder) != before


def test_of_what_is_no_socket_nothing_is_known() -> None:
    for transport in (StringTransport(), object()):
        probe(transport)
        assert (taken(transport), unread_by(transport), is_gone(transport)) == (0, 0, False)


def test_of_a_closed_socket_nothing_is_known() -> None:
    ours = socket.socket()
    ours.close()
    assert (taken(Holder(ours)), unread_by(Holder(ours)), is_gone(Holder(ours))) == (0, 0, False)
