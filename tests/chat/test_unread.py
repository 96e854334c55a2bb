from __future__ import annotations

import socket
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.testing import StringTransport

from proto.chat.unread import READ_AT_ONCE, read_little, unacknowledged


class Connected:
    """A transport as far as its handle."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def getHandle(self) -> Any:
        return self._handle


def test_what_the_peer_has_not_taken_is_counted_until_it_does() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = Connected(ours)
        assert unacknowledged(transport) == 0
        ours.sendall(b"x" * 1000)
        assert unacknowledged(transport) >= 1000
        assert len(theirs.recv(2000)) == 1000
        assert unacknowledged(transport) == 0


def test_where_it_cannot_be_told_it_is_nothing() -> None:
    with socket.socket() as closed:
        pass
    with open("/dev/null", "rb") as file:
        for transport in (Connected(closed), Connected(file), StringTransport(), object()):
            assert unacknowledged(transport) == 0


def test_a_client_is_read_little_at_a_time() -> None:
    transport = FileDescriptor()
    read_little(transport)
    assert transport.bufferSize == READ_AT_ONCE < FileDescriptor().bufferSize
    read_little(StringTransport())  # knows of no such thing
