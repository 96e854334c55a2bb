"""What the kernel still holds for a peer: sent by us, and not acknowledged by the peer's system."""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import Final

from twisted.protocols.tls import TLSMemoryBIOProtocol

_INT: Final = struct.Struct("i")


def unacknowledged(transport: object) -> int:
    """How many bytes that are, in TLS records if there are any; 0 where it cannot be told.

    Linux' SIOCOUTQ, which is the same as TIOCOUTQ: tcp(7), unix(7).
    """
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    handle = getattr(transport, "getHandle", None)
    if handle is None:
        return 0
    try:
        told = fcntl.ioctl(handle().fileno(), termios.TIOCOUTQ, bytes(_INT.size))
    except (OSError, ValueError):  # closed, or no socket of such a kind
        return 0
    count: int = _INT.unpack(told)[0]
    return count
