"""A connected socket that never blocks, with TLS if that was asked for."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from proto.logfile.send.options import Errand
from proto.logfile.send.wire import Hopeless

TIMEOUT: Final = 10.0
"""Seconds for a connection, and for a TLS handshake."""
AT_ONCE: Final = 256 * 1024
ALIVE: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
"""A server that vanished without a word is noticed after a minute; a slow one is waited for."""

NOT_YET: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def context_of(errand: Errand) -> ssl.SSLContext | None:
    """How to speak TLS; None if not at all.  Raises Hopeless."""
    if not errand.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=errand.ca)
        if errand.cert is not None:
            context.load_cert_chain(errand.cert, errand.key)
    except (OSError, ssl.SSLError) as problem:
        names = ", ".join(name for name in (errand.ca, errand.cert, errand.key) if name)
        raise Hopeless(f"{names}: {problem.strerror or problem}") from None
    return context


class Connection:
    """One connection; reads and writes what is possible now."""

    def __init__(self, errand: Errand, context: ssl.SSLContext | None) -> None:
        """Raises OSError, and Hopeless if the server is not who it should be."""
        address = (errand.to.host, errand.to.port)
        self._socket = socket.create_connection(address, TIMEOUT)
        try:
            for name, value in ALIVE:
                self._socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=errand.to.host)
            self._socket.setblocking(False)
        except ssl.SSLCertVerificationError as problem:
            self._socket.close()
            raise Hopeless(f"{errand.to}: {problem.verify_message}") from None
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """What has come; empty at the end, None if nothing has come.  Raises OSError."""
        parts: list[bytes] = []
        while sum(map(len, parts)) < AT_ONCE:
            try:
                part = self._socket.recv(65536)
            except NOT_YET:
                break
            except OSError:  # what came before it counts; it is raised again the next time
                if parts:
                    break
                raise
            if not part:
                return b"".join(parts)
            parts.append(part)
        return b"".join(parts) or None

    def write(self, data: bytearray) -> None:
        """Send the beginning of `data` and take it away.  Raises OSError."""
        try:
            sent = self._socket.send(data[:AT_ONCE])
        except NOT_YET:
            return
        del data[:sent]

    def close(self) -> None:
        self._socket.close()
