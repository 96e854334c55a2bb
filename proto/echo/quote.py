"""quote: one line of the operator's first, then an echo (the classic Twisted quote server)."""

from __future__ import annotations

from typing import Final

from proto.echo.echo import Echo
from proto.echo.service import ServiceFactory
from proto.metrics import Metrics

DEFAULT_QUOTE: Final = "An apple a day keeps the doctor away"


class Quote(Echo):
    """Says the quote, then writes back what it reads."""

    factory: QuoteFactory

    def connectionMade(self) -> None:
        self.send(self.factory.line)

    def dataReceived(self, data: bytes) -> None:
        self.bound()
        super().dataReceived(data)


class QuoteFactory(ServiceFactory):
    """The quote service; every peer hears the same quote, with CRLF."""

    service = "quote"
    protocol = Quote

    def __init__(self, quote: str = DEFAULT_QUOTE, metrics: Metrics | None = None) -> None:
        super().__init__(metrics)
        self.line = f"{quote}\r\n".encode()
