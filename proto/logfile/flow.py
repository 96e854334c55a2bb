"""Whether a peer is read, and whether it can be shown our end.  Knows no protocol."""

from __future__ import annotations

from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    INegotiated,
    IPushProducer,
    ISSLTransport,
)


class Flow:
    """One transport; it is paused by the first reason and read again when none is left."""

    def __init__(self, transport: IPushProducer) -> None:
        self._transport = transport
        self._reasons: set[str] = set()

    @property
    def paused(self) -> bool:
        """Whether there is a reason now."""
        return bool(self._reasons)

    def pause(self, reason: str) -> None:
        """Leave what the peer sends in the kernel, whose buffers then slow the peer down."""
        if not self._reasons:
            self._transport.pauseProducing()
        self._reasons.add(reason)

    def resume(self, reason: str) -> None:
        """That reason is gone."""
        if reason in self._reasons:
            self._reasons.discard(reason)
            if not self._reasons:
                self._transport.resumeProducing()


def can_half_close(transport: object) -> bool:
    """Whether the peer can be shown our end while it goes on sending.

    Beneath TLS it cannot: the socket would be shut before TLS has said its own goodbye.
    """
    layered = INegotiated.providedBy(transport) or ISSLTransport.providedBy(transport)
    return bool(IHalfCloseableDescriptor.providedBy(transport)) and not layered
