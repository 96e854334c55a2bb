"""What the kernel knows of a peer: whether it takes what we send, and whether it is still there.

Linux' TCP_INFO (tcp(7), linux/tcp.h).  Of other connections there is less to know.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import Final

from twisted.protocols.tls import TLSMemoryBIOProtocol

PROBE_SECONDS: Final = 15
"""How often the kernel asks a peer whether it is there; three times without an answer it is not."""

_INFO: Final = struct.Struct("B119xQ")
"""tcpi_state and, 120 bytes into the structure, tcpi_bytes_acked."""
_CLOSED: Final = 7
_INT: Final = struct.Struct("i")


def taken(transport: object) -> int:
    """A number that changes when the peer takes something of what it was sent."""
    handle = _socket_of(transport)
    if handle is None:
        return 0
    info = _info(handle)
    if info is not None:
        return info[1]
    return -_held(handle)  # not TCP


def unread_by(transport: object) -> int:
    """Bytes that the kernel holds for the peer, or that are on their way to it."""
    handle = _socket_of(transport)
    return 0 if handle is None else _held(handle)


def probe(transport: object) -> None:
    """Let the kernel ask from time to time whether a silent peer is still there."""
    handle = _socket_of(transport)
    if handle is None or handle.family not in (socket.AF_INET, socket.AF_INET6):
        return
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, name):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), PROBE_SECONDS)
    if hasattr(socket, "TCP_KEEPCNT"):
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def is_gone(transport: object) -> bool:
    """The kernel has found out that nobody is there any more."""
    handle = _socket_of(transport)
    info = None if handle is None else _info(handle)
    return info is not None and info[0] == _CLOSED


def _info(handle: socket.socket) -> tuple[int, int] | None:
    """The state and the bytes acknowledged; None when this is no TCP of Linux."""
    number = getattr(socket, "TCP_INFO", None)
    if number is None:
        return None
    try:
        state, acknowledged = _INFO.unpack(
            handle.getsockopt(socket.IPPROTO_TCP, number, _INFO.size)
        )
    except (OSError, struct.error):
        return None
    return state, acknowledged


def _held(handle: socket.socket) -> int:
    """Linux' SIOCOUTQ, which is the same as TIOCOUTQ: tcp(7), unix(7)."""
    try:
        told = fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, bytes(_INT.size))
    except (OSError, ValueError):  # closed, or no socket of such a kind
        return 0
    held: int = _INT.unpack(told)[0]
    return held


def _socket_of(transport: object) -> socket.socket | None:
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    handle = getattr(transport, "getHandle", None)
    found = handle() if handle is not None else None
    return found if isinstance(found, socket.socket) else None
