"""chargen (RFC 864): the RFC's "popular" pattern for as long as the peer listens.

Lines of 72 of the 95 printable ASCII characters, each beginning one character later.  Over UDP
the RFC wants 0 to 512 characters; here as many as the datagram that asks for them is long.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from proto.echo.datagrams import Datagrams
from proto.echo.service import Peer, ServiceFactory

PRINTABLE: Final = bytes(range(0x20, 0x7F))
WIDTH: Final = 72
PATTERN: Final = b"".join(
    (PRINTABLE + PRINTABLE)[start : start + WIDTH] + b"\r\n" for start in range(len(PRINTABLE))
)
"""The 95 different lines, after which the first comes again: 7030 bytes."""
MAX_ANSWER: Final = 512
"""Bytes of an answer over UDP."""


@implementer(IPullProducer)
class Chargen(Peer):
    """Writes the pattern again each time the last one is gone, so a stalled reader costs one."""

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, False)

    # The transport calls these.
    def resumeProducing(self) -> None:
        self.send(PATTERN)

    def stopProducing(self) -> None:
        """The connection is gone, and with it the only one who asks for more."""

    # The factory calls this.
    def hang_up(self) -> None:
        self.transport.unregisterProducer()
        super().hang_up()


class ChargenFactory(ServiceFactory):
    """The character generator."""

    service = "chargen"
    protocol = Chargen


class ChargenDatagrams(Datagrams):
    """Answers with as much of the pattern as the datagram is long."""

    service = "chargen"

    def answer(self, datagram: bytes) -> bytes:
        return PATTERN[:MAX_ANSWER]
