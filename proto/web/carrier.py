"""What carries a connection of HTTP/1.1: a transport that is read or not, and how it is let go.

Knows no HTTP, and no reason for anything.
"""

from __future__ import annotations

from typing import Any

from twisted.web.http import HTTPChannel


class Carried(HTTPChannel):
    """Twisted's channel, as far as it is a transport to its requests."""

    _networkProducer: Any  # the transport
    _has_hung_up = False
    _is_reading = True
    _peer: Any = None
    _host: Any = None
    _is_secure: bool | None = None

    # Requests call these, each of them.
    def getPeer(self) -> Any:
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> Any:
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def isSecure(self) -> bool:
        if self._is_secure is None:
            self._is_secure = bool(super().isSecure())
        return self._is_secure

    # A channel calls these.
    def set_reading(self, wanted: bool) -> None:
        """Read what the peer sends, or leave it in the kernel."""
        if self._is_reading is not wanted and not self._has_hung_up:
            self._is_reading = wanted
            if wanted:
                self._networkProducer.resumeProducing()
            else:
                self._networkProducer.pauseProducing()

    def close_half(self) -> None:
        """Tell the peer that no more will come, where it can be told and still be heard."""
        transport = self._networkProducer
        if not self.isSecure() and hasattr(transport, "loseWriteConnection"):
            transport.loseWriteConnection()
