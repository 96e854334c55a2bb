"""discard (RFC 863): everything is read and dropped; nothing is ever sent, over UDP neither."""

from __future__ import annotations

from proto.echo.datagrams import Datagrams
from proto.echo.service import Peer, ServiceFactory
from proto.errors import PeerError


class Discard(Peer):
    """Reads and drops, which is what a Peer does by itself."""


class DiscardFactory(ServiceFactory):
    """The discard service."""

    service = "discard"
    protocol = Discard

    def refusal(self, reason: PeerError) -> bytes:
        """Nothing: "no response is sent"."""
        return b""


class DiscardDatagrams(Datagrams):
    """Counts the datagrams' bytes and stays silent, as Datagrams does by itself."""

    service = "discard"
