"""What the kernel holds of a connection: what a peer has not acknowledged, or we have not read."""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import Final

from twisted.internet.abstract import FileDescriptor
from twisted.protocols.tls import TLSMemoryBIOProtocol

from proto.reactor.interfaces import ILeanTransport

READ_AT_ONCE: Final = 16384
"""Bytes that are read from a client in one turn of the reactor; Twisted reads 65,536.

What costs no turn of flood control, such as telnet commands, costs time all the same: so it is
little for each client, and the others have their turn.  Above as many bytes that wait to be written
Twisted's own transport calls itself full, so it is not less.
"""
_INT: Final = struct.Struct("i")


def unacknowledged(transport: object) -> int:
    """How many bytes that are, in TLS records if there are any; 0 where it cannot be told.

    Linux' SIOCOUTQ, which is the same as TIOCOUTQ: tcp(7), unix(7).
    """
    handle = getattr(_below_tls(transport), "getHandle", None)
    if handle is None:
        return 0
    try:
        told = fcntl.ioctl(handle().fileno(), termios.TIOCOUTQ, bytes(_INT.size))
    except (OSError, ValueError):  # closed, or no socket of such a kind
        return 0
    count: int = _INT.unpack(told)[0]
    return count


def read_little(transport: object) -> None:
    """Let the transport read no more than `READ_AT_ONCE` in one turn, if it can be told."""
    transport = _below_tls(transport)
    if ILeanTransport.providedBy(transport):
        transport.readSize = READ_AT_ONCE
    elif isinstance(transport, FileDescriptor):
        transport.bufferSize = READ_AT_ONCE


def _below_tls(transport: object) -> object:
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    return transport
